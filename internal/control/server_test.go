package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is a Backend of fixed answers.
type table struct {
	leases   []Lease
	reserved []Reservation
	taps     []TAP
	newTAPs  []NewTAPs
	callers  []Caller
	reels    chan watchReel // what WatchLeases tells, one after the other
	down     []Change
	traces   chan *reel // what Trace returned
	imports  []ImportRequest
	history  func(HistoryQuery) (iter.Seq2[Tenancy, error], error)
	health   Health
}

func (b *table) Status(context.Context) Status {
	return Status{State: Ready, PID: 42, Networks: []Network{{Name: "lab", DHCP: Counters{"ack": 3}}}}
}

func (b *table) Leases(context.Context, LeaseQuery) iter.Seq[Lease] {
	return slices.Values(b.leases)
}

func (b *table) ImportLeases(_ context.Context, r ImportRequest) (ImportAnswer, error) {
	b.imports = append(b.imports, r)
	return ImportAnswer{Results: make([]ImportResult, len(r.Leases))}, nil
}

func (b *table) History(_ context.Context, q HistoryQuery) (iter.Seq2[Tenancy, error], error) {
	return b.history(q)
}

func (b *table) Down(context.Context) ([]Change, error) { return b.down, nil }

func (b *table) Apply(_ context.Context, r ApplyRequest) (Applied, error) {
	return Applied{Pending: &Pending{Network: "lan", Uplink: "eth0", Bridge: "br0", Token: "T0KEN", Within: r.ConfirmWithin}}, nil
}

func (b *table) Reload(context.Context) ([]Change, error) { return nil, nil }

func (b *table) Upgrade(context.Context) (Upgrade, error) {
	return Upgrade{From: "1", To: "2", Program: "/usr/bin/labnet"}, nil
}

func (b *table) Commit(_ context.Context, token string) (Applied, error) {
	if token != "T0KEN" {
		return Applied{}, fmt.Errorf("%w: nothing is prepared", ErrConflict)
	}
	return Applied{}, nil
}

func (b *table) Release(_ context.Context, network string, addr netip.Addr, _ bool) (Lease, error) {
	for _, l := range b.leases {
		if l.Network == network && l.Address == addr {
			return l, nil
		}
	}
	return Lease{}, fmt.Errorf("%w: nobody leases %v", ErrNotFound, addr)
}

// serve runs a server for backend until the test ends, and returns the path of its socket.
func serve(t *testing.T, backend Backend) string {
	t.Helper()
	path, _ := serveWith(t, backend, nil)
	return path
}

func client(t *testing.T, path string) *Client {
	t.Helper()
	c := NewClient(path)
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func TestClientAndServerAgree(t *testing.T) {
	lease := Lease{
		Network: "lab", Address: netip.MustParseAddr("10.0.0.5"), MAC: "52:54:00:00:00:01", State: "bound", Name: "vm1",
		Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Hostname: "vm1<script>\x00\xff",
	}
	backend := &table{leases: []Lease{lease}, down: []Change{{"links", "- link br0"}}}
	c := client(t, serve(t, backend))

	status, err := c.Status(t.Context())
	if err != nil || status.PID != 42 || status.Networks[0].DHCP["ack"] != 3 {
		t.Errorf("status: %+v, %v", status, err)
	}
	var found []Lease
	for l, err := range c.Leases(t.Context(), LeaseQuery{Network: "lab"}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, l)
	}
	// JSON can't carry bytes that aren't UTF-8; they come as the replacement character.
	lease.Hostname = "vm1<script>\x00\ufffd"
	if diff := cmp.Diff([]Lease{lease}, found, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("leases: %v\n%s", err, diff)
	}
	if os.Geteuid() == 0 {
		if _, err := c.Release(t.Context(), "lab", lease.Address, true); err != nil {
			t.Errorf("release: %v", err)
		}
		if _, err := c.Release(t.Context(), "lab", netip.MustParseAddr("10.0.0.6"), false); !errors.Is(err, ErrNotFound) {
			t.Errorf("releasing nobody: %v", err)
		}
		if changes, err := c.Down(t.Context()); err != nil || len(changes) != 1 {
			t.Errorf("down: %v, %v", changes, err)
		}
	} else if _, err := c.Down(t.Context()); err == nil || !strings.Contains(err.Error(), "sudo") {
		t.Errorf("down without root: %v", err)
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	path := serve(t, &table{})
	for _, route := range []string{"/v1/leases", "/v1/reservations"} {
		if body := get(t, path, route, http.StatusOK); strings.TrimSpace(body) != "[]" {
			t.Errorf("GET %s: %s, want []", route, body)
		}
	}
}

func TestBadRequestsAreProblems(t *testing.T) {
	path := serve(t, &table{})
	for route, code := range map[string]int{"/v1/leases?netwrok=lab": http.StatusUnprocessableEntity, "/v1/nothing": http.StatusNotFound} {
		get(t, path, route, code)
	}
	// Also by a client of another version than the daemon.
	var found []Lease
	if err := client(t, path).do(t.Context(), http.MethodGet, "/v1/leases?netwrok=lab", &found); err == nil || !strings.Contains(err.Error(), "netwrok") {
		t.Errorf("the client says %v", err)
	}
}

func TestOpenAPIDescribesEveryOperation(t *testing.T) {
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ OperationID string }

		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(get(t, serve(t, &table{}), "/openapi.json", http.StatusOK)), &document); err != nil {
		t.Fatal(err)
	}
	if line := document.Components.Schemas["TraceLine"].Properties; line["lost"] == nil || line["took_us"] == nil {
		t.Errorf("the lines of a trace are described as %v", line)
	}
	got := map[string]bool{}
	for path, operations := range document.Paths {
		for method, operation := range operations {
			got[method+" "+path+" "+operation.OperationID] = true
		}
	}
	want := map[string]bool{
		"post /v1/leases/import import-leases": true,
		"get /v1/status status":                true, "get /v1/health health": true, "get /v1/leases list-leases": true, "get /v1/leases/history lease-history": true, "post /v1/down down": true,
		"delete /v1/leases/{network}/{address} release-lease": true,
		"get /v1/leases/watch watch-leases":                   true, "get /v1/leases/wait wait-lease": true,
		"get /v1/reservations list-reservations": true, "post /v1/taps add-taps": true, "delete /v1/taps delete-taps": true, "get /v1/taps list-taps": true,
		"post /v1/reload reload": true, "post /v1/upgrade upgrade": true, "post /v1/reservations reserve": true, "delete /v1/reservations unreserve": true,
		"get /v1/trace/dhcp trace-dhcp": true, "get /v1/explain/dhcp explain-dhcp": true,
		"get /v1/trace/dns trace-dns": true, "get /v1/explain/dns explain-dns": true,
		"post /v1/apply apply": true, "post /v1/apply/{token} commit": true,
		"get /v1/dns/cache dns-cache": true, "get /v1/ports list-ports": true, "delete /v1/dns/cache flush-dns-cache": true,
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s:\n%s", document.OpenAPI, diff)
	}
}

func TestSocketOfADeadDaemonIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labnet.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = dead.Close()
	server, err := Listen(path, &table{}, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path, &table{}, "test", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("a second server on a live socket: %v", err)
	}
}

func TestAFileInPlaceOfTheSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labnet.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, &table{}, "test", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file was touched")
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := client(t, filepath.Join(t.TempDir(), "labnet.sock"))
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "labnet run") {
		t.Errorf("without a daemon: %v", err)
	}
}

// get asks over the socket and returns the body of an answer with the wanted code.
func get(t *testing.T, socket, route string, code int) string {
	t.Helper()
	c := client(t, socket)
	response, err := c.http.Get("http://labnet" + route)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != code {
		t.Errorf("GET %s: %s, want %d: %s", route, response.Status, code, body)
	}
	return string(body)
}
