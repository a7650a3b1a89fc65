package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const openAPIFile = "../../docs/openapi.json"

// description is what the server says of itself.
func description(t *testing.T) []byte {
	t.Helper()
	answer := httptest.NewRecorder()
	handler(&table{}, "test", slog.New(slog.DiscardHandler), t.Context()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var text bytes.Buffer
	if err := json.Indent(&text, answer.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(text.Bytes(), '\n')
}

func TestTheDescriptionIsCurrent(t *testing.T) {
	got := description(t)
	if *update {
		if err := os.WriteFile(openAPIFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(openAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not current (make docs writes it anew):\n%s", openAPIFile, diff)
	}
}

// TestTheDescriptionIsWhole: every operation has a tag, an example that fits, and its problems; every parameter is explained, unless its name says all.
func TestTheDescriptionIsWhole(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(description(t)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("labnet", document); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path, operations := range document.(map[string]any)["paths"].(map[string]any) {
		for method, raw := range operations.(map[string]any) {
			op := raw.(map[string]any)
			id := op["operationId"].(string)
			seen[id] = true
			if _, ok := operationNotes[id]; !ok {
				t.Errorf("%s has no notes", id)
				continue
			}
			for code, raw := range op["responses"].(map[string]any) {
				response := raw.(map[string]any)
				for kind, content := range response["content"].(map[string]any) {
					at := fmt.Sprintf("#/paths/%s/%s/responses/%s/content/%s/schema", strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path), method, code, strings.ReplaceAll(kind, "/", "~1"))
					schema, err := compiler.Compile("labnet" + at)
					if err != nil {
						t.Fatalf("%s: %v", id, err)
					}
					example := content.(map[string]any)["example"]
					switch {
					case code[0] == '2' && example == nil:
						t.Errorf("%s has no example", id)
					case code[0] == '2':
						if err := schema.Validate(example); err != nil {
							t.Errorf("%s: the example: %v", id, err)
						}
					case id == "health" && code == "503": // the same answer, for probes that look at nothing else
					case kind != "application/problem+json" || response["description"] == problemPrefix:
						t.Errorf("%s: status %s is %s, %q", id, code, kind, response["description"])
					}
				}
			}
			if op["summary"] == nil || op["responses"].(map[string]any)["403"] == nil {
				t.Errorf("%s: no summary, or no word of who may not", id)
			}
		}
	}
	for text, fits := range map[string]bool{`{"lost": 3}`: true, `{"end": "the daemon is stopping"}`: true, `{"network": "lab"}`: false} {
		line, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"TraceLine", "DnsTraceLine"} {
			if err := compiler.MustCompile("labnet#/components/schemas/" + name).Validate(line); (err == nil) != fits {
				t.Errorf("%s of the stream %s: %v", text, name, err)
			}
		}
	}
	for id := range operationNotes {
		if !seen[id] {
			t.Errorf("the notes have %s, and the API hasn't", id)
		}
	}
}

// TestProblems: whatever is wrong is a problem with a type.
func TestProblems(t *testing.T) {
	path := serve(t, &table{})
	for _, test := range []struct {
		method, route, contentType, body, accept string
		status                                   int
	}{
		{"GET", "/v1/nothing", "", "", "", 404},
		{"GET", "/", "", "", "", 404},
		{"GET", "/v1/down", "", "", "", 405},
		{"BREW", "/v1/status", "", "", "", 405},
		{"GET", "/v1/leases?filter=x", "", "", "", 422},
		{"GET", "/v1/leases?nope=x", "", "", "", 422},
		{"GET", "/v1/taps?network=none", "", "", "", 404},
		{"GET", "/v1/leases/wait?key=x&timeout=soon", "", "", "", 422},
		{"GET", "/v1/explain/dhcp?mac=x", "", "", "", 422},
		{"DELETE", "/v1/taps?name=busy", "", "", "", 409},
		{"POST", "/v1/taps", "application/json", "{", "", 400},
		{"POST", "/v1/taps", "application/json", `{"names":[]}`, "", 422},
		{"POST", "/v1/taps", "application/json", `{"names":["tap0"],"nope":1}`, "", 422},
		{"POST", "/v1/taps", "text/plain", "tap0", "", 415},
		{"POST", "/v1/taps", "application/json", `{"names":["` + strings.Repeat("x", 2<<20) + `"]}`, "", 413},
	} {
		request, err := http.NewRequest(test.method, "http://labnet"+test.route, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if test.contentType != "" {
			request.Header.Set("Content-Type", test.contentType)
		}
		response, err := client(t, path).http.Do(request)
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.route, err)
		}
		var got struct {
			Type, Title, Detail string
			Status              int
		}
		err = json.NewDecoder(response.Body).Decode(&got)
		_ = response.Body.Close()
		kind := response.Header.Get("Content-Type")
		if err != nil || response.StatusCode != test.status || got.Status != test.status || kind != "application/problem+json" ||
			got.Type != problemPrefix+problemTypes[test.status] || got.Detail == "" || got.Title == "" {
			t.Errorf("%s %s: %s %s %+v, %v; want %d", test.method, test.route, response.Status, kind, got, err, test.status)
		}
	}
}
