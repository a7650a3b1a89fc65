package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"labnet/internal/nettest"
)

// TestAnswersFitTheDescription asks a daemon, with guests behind it, by every operation of its own description, and holds each answer to it.
func TestAnswersFitTheDescription(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	blocked := filepath.Join(l.dir, "blocked")
	write(t, blocked, "ads.example.org\nbad line here\n")
	l.configure(t, fmt.Sprintf(`
network "lab" {
  address = "10.0.0.1/24"
  bridge { attach = ["vm*"] }
  uplink { masquerade = false }
  host "web" {
    mac     = "52:54:00:aa:00:10"
    address = "10.0.0.10"
  }
  tap "tap-web" { host = "web" }
}
resolver {
  block { files = [%q] }
}
hook "nobody" { command = ["/bin/false"] }
`, blocked))
	l.start(t)
	a := newAPI(t, filepath.Join(l.dir, "run", "labnet.sock"))

	// Before anything is there, lists are empty, and not null.
	for _, route := range []string{"/v1/leases", "/v1/leases/history"} {
		if body := a.get(t, route); strings.TrimSpace(body) != "[]" {
			t.Errorf("%s: %s", route, body)
		}
	}
	watch := a.stream(t, "/v1/leases/watch")
	dhcp := a.stream(t, "/v1/trace/dhcp")
	dns := a.stream(t, "/v1/trace/dns")
	vm1, vm2 := l.newGuest(t, "vm1", "vm1"), l.newGuest(t, "vm2", "vm2")
	vm1.udhcpc(t)
	vm2.udhcpc(t)
	addr := vm1.leased(t)["address"]
	vm2.leased(t)
	if got := vm1.resolve(t, "www.example.org"); len(got) != 1 {
		t.Fatalf("www.example.org resolves to %v", got)
	}
	vm1.resolve(t, "vm2")
	vm1.resolve(t, "ads.example.org")
	for _, s := range []*apiStream{dhcp, dns} {
		s.until(t, `"reason"`)
	}
	watch.until(t, `"event":"bound"`)

	for _, route := range []string{
		"/v1/status", "/v1/health", "/v1/leases", "/v1/leases?filter=state=bound&sort=-expires", "/v1/leases?filter=nope", "/v1/leases/history",
		"/v1/leases/wait?key=vm1", "/v1/leases/wait?key=vm1&for=dns", "/v1/leases/wait?key=nobody&timeout=1ms", "/v1/leases/wait?key=vm1&network=none",
		"/v1/reservations", "/v1/taps", "/v1/taps?network=none", "/v1/ports", "/v1/ports?network=none", "/v1/dns/cache",
		"/v1/explain/dhcp?mac=52:54:00:00:00:01", "/v1/explain/dhcp?mac=52:54:00:aa:00:10&hostname=vm1", "/v1/explain/dhcp?mac=nonsense",
		"/v1/explain/dns?name=vm1", "/v1/explain/dns?name=www.example.org", "/v1/explain/dns?name=new.example.org", "/v1/explain/dns?name=other.example.org&ask=true",
		"/v1/explain/dns?name=ads.example.org", "/v1/explain/dns?name=" + addr, "/v1/explain/dns?name=a..b",
		"/v1/trace/dhcp?network=none", "/v1/trace/dns?type=NONSENSE", "/v1/leases/watch?filter=x",
	} {
		a.get(t, route)
	}
	json := "application/json"
	a.ask(t, "POST", "/v1/reservations", json, `{"mac":"52:54:00:00:00:77","address":"10.0.0.77","name":"db"}`, 200)
	a.ask(t, "POST", "/v1/reservations", json, `{"mac":"52:54:00:00:00:78","address":"10.0.0.77"}`, 409)
	a.ask(t, "GET", "/v1/reservations", "", "", 200)
	a.ask(t, "DELETE", "/v1/reservations?network=lab&mac=52:54:00:00:00:77", "", "", 200)
	a.ask(t, "DELETE", "/v1/reservations?network=lab&mac=52:54:00:00:00:77", "", "", 404)
	a.ask(t, "POST", "/v1/taps", json, `{"names":["tap0","tap1"],"owner":"nobody"}`, 200)
	a.ask(t, "POST", "/v1/taps", json, `{"names":["br0"]}`, 409)
	a.ask(t, "POST", "/v1/taps", json, `{"names":`, 400)
	a.ask(t, "GET", "/v1/taps", "", "", 200)
	a.ask(t, "DELETE", "/v1/taps?name=tap0&name=tap1", "", "", 200)
	a.ask(t, "DELETE", "/v1/taps?name=tap0", "", "", 404)
	a.ask(t, "POST", "/v1/leases/import", json, `{"leases":[{"address":"10.0.0.200","hardware_type":1,"mac":"52:54:00:00:02:00","state":"bound","name":"moved"},{"address":"192.0.2.9","hardware_type":1,"mac":"52:54:00:00:02:01","state":"bound"}]}`, 200)
	a.ask(t, "DELETE", "/v1/leases/lab/"+addr, "", "", 409)
	a.ask(t, "DELETE", "/v1/leases/lab/"+addr+"?force=true", "", "", 200)
	a.ask(t, "DELETE", "/v1/leases/lab/10.0.0.99", "", "", 404)
	a.get(t, "/v1/leases")
	a.get(t, "/v1/leases/history")
	a.ask(t, "DELETE", "/v1/dns/cache?name=www.example.org", "", "", 200)
	a.ask(t, "POST", "/v1/apply", json, `{}`, 200)
	a.ask(t, "POST", "/v1/apply/none", "", "", 409)
	a.ask(t, "POST", "/v1/reload", "", "", 200)
	a.ask(t, "POST", "/v1/upgrade", "", "", 202)
	dhcp.until(t, `"end"`)
	a.http.CloseIdleConnections()
	l.labnet(t, "status", "--wait", "20s")
	a.get(t, "/v1/status")
	a.ask(t, "POST", "/v1/down", "", "", 200)
	a.all(t)
}

// api is a daemon's socket and what it says of itself.
type api struct {
	http     *http.Client
	document map[string]any
	schemas  *jsonschema.Compiler
	asked    map[string]bool
}

func newAPI(t *testing.T, socket string) *api {
	t.Helper()
	a := &api{asked: map[string]bool{}, schemas: jsonschema.NewCompiler(), http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	t.Cleanup(a.http.CloseIdleConnections)
	response, err := a.http.Get("http://labnet/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	document, err := jsonschema.UnmarshalJSON(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a.document = document.(map[string]any)
	// What an answer may get one day it doesn't have today.
	for _, s := range a.document["components"].(map[string]any)["schemas"].(map[string]any) {
		if s := s.(map[string]any); s["properties"] != nil {
			s["additionalProperties"] = false
		}
	}
	a.schemas.AssertFormat()
	if err := a.schemas.AddResource("labnet", document); err != nil {
		t.Fatal(err)
	}
	return a
}

// operation is the template of a path, and what is said of a method there.
func (a *api) operation(t *testing.T, method, route string) (path string, op map[string]any) {
	t.Helper()
	paths := a.document["paths"].(map[string]any)
	route, _, _ = strings.Cut(route, "?")
	best := ""
	for template := range paths {
		want, got := strings.Split(template, "/"), strings.Split(route, "/")
		fits := len(want) == len(got)
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == got[i] || strings.HasPrefix(want[i], "{")
		}
		if fits && (best == "" || !strings.Contains(template, "{")) {
			best = template
		}
	}
	op, ok := paths[best].(map[string]any)[strings.ToLower(method)].(map[string]any)
	if !ok {
		t.Fatalf("%s %s isn't described", method, route)
	}
	a.asked[op["operationId"].(string)] = true
	return best, op
}

// schema is what an answer must be.
func (a *api) schema(t *testing.T, method, route string, response *http.Response) *jsonschema.Schema {
	t.Helper()
	path, op := a.operation(t, method, route)
	code := strconv.Itoa(response.StatusCode)
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	described, _ := op["responses"].(map[string]any)[code].(map[string]any)
	content, _ := described["content"].(map[string]any)
	if content[kind] == nil {
		t.Fatalf("%s %s answers %s with %s, which isn't described", method, route, response.Status, kind)
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	return a.schemas.MustCompile(fmt.Sprintf("labnet#/paths/%s/%s/responses/%s/content/%s/schema", escape.Replace(path), strings.ToLower(method), code, escape.Replace(kind)))
}

func check(t *testing.T, what string, schema *jsonschema.Schema, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
	}
}

func (a *api) ask(t *testing.T, method, route, kind, body string, status int) string {
	t.Helper()
	request, err := http.NewRequest(method, "http://labnet"+route, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := a.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 && response.StatusCode != status {
		t.Errorf("%s %s: %s, want %d: %s", method, route, response.Status, status, text)
	}
	check(t, method+" "+route, a.schema(t, method, route, response), text)
	return string(text)
}

func (a *api) get(t *testing.T, route string) string {
	t.Helper()
	return a.ask(t, "GET", route, "", "", 0)
}

// all complains of operations that nobody has asked by.
func (a *api) all(t *testing.T) {
	t.Helper()
	for path, operations := range a.document["paths"].(map[string]any) {
		for method, op := range operations.(map[string]any) {
			if id := op.(map[string]any)["operationId"].(string); !a.asked[id] {
				t.Errorf("%s %s (%s) isn't tried", method, path, id)
			}
		}
	}
}

// apiStream is an answer that comes line by line.
type apiStream struct {
	name   string
	body   io.ReadCloser
	schema *jsonschema.Schema
	lines  *bufio.Scanner
}

func (a *api) stream(t *testing.T, route string) *apiStream {
	t.Helper()
	response, err := a.http.Get("http://labnet" + route)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &apiStream{route, response.Body, a.schema(t, "GET", route, response), bufio.NewScanner(response.Body)}
}

// until holds the lines to the description up to one that has want in it.
func (s *apiStream) until(t *testing.T, want string) {
	t.Helper()
	// A stream that is silent shall end the test, and not be waited for.
	silent := time.AfterFunc(limit, func() { _ = s.body.Close() })
	defer silent.Stop()
	for s.lines.Scan() {
		check(t, s.name, s.schema, s.lines.Bytes())
		if strings.Contains(s.lines.Text(), want) {
			return
		}
	}
	t.Fatalf("%s ended without %s: %v", s.name, want, s.lines.Err())
}
