package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shot is what one Next returns: an event, or a number of lost ones.
type shot struct {
	event TraceEvent
	lost  uint64
}

// reel is a Trace of what a test sends.
type reel struct {
	filter TraceFilter
	shots  chan shot
	closed chan struct{}
	once   sync.Once
}

func (r *reel) Next(ctx context.Context) (TraceEvent, uint64, error) {
	select {
	case s := <-r.shots:
		return s.event, s.lost, nil
	case <-ctx.Done():
		return TraceEvent{}, 0, context.Cause(ctx)
	}
}

func (r *reel) Close() { r.once.Do(func() { close(r.closed) }) }

func (b *table) Trace(f TraceFilter) (Trace, error) {
	if f.Network == "nowhere" {
		return nil, fmt.Errorf("%w: there is no network %q", ErrInvalid, f.Network)
	}
	r := &reel{filter: f, shots: make(chan shot, 1), closed: make(chan struct{})}
	b.traces <- r
	return r, nil
}

func (b *table) ExplainDHCP(_ context.Context, q DHCPQuery) ([]DHCPExplanation, error) {
	if q.Network == "nowhere" {
		return nil, fmt.Errorf("%w: there is no network %q", ErrInvalid, q.Network)
	}
	return []DHCPExplanation{{
		Network: q.Network, Client: q.MAC.String(), Identity: fmt.Sprintf("%x|%s|%s|%s|%d|%v", q.ClientID, q.Hostname, q.VendorClass, q.UserClass, q.Arch, q.Requested),
		Quarantined: []Lease{},
	}}, nil
}

func fullEvent() TraceEvent {
	return TraceEvent{
		Time: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), Network: "lab", Interface: "br0", Message: "REQUEST", State: "renew", From: "10.0.0.5:68",
		Broadcast: true, MAC: "52:54:00:00:00:01", ClientID: "01:52", Relay: netip.MustParseAddr("10.0.0.9"), XID: "0000002a",
		InUse: netip.MustParseAddr("10.0.0.5"), Requested: netip.MustParseAddr("10.0.0.6"), Hostname: "vm1\x1b[31m", Vendor: "udhcp",
		Reply: "ACK", ReplyTo: "10.0.0.5:68", Address: netip.MustParseAddr("10.0.0.5"), Name: "vm1", Reason: "ack_renew", Text: "renews its lease", Took: 1234,
		Beside: []string{"malformed_served"}, Error: "network is down",
	}
}

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestTraceStreams(t *testing.T) {
	backend := &table{traces: make(chan *reel, 1)}
	c := client(t, serve(t, backend))
	want := TraceFilter{MAC: "52:54:0?:*", Address: netip.MustParsePrefix("10.0.0.0/28"), Network: "lab", Reason: "exhausted"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.TraceDHCP(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	r := <-backend.traces
	if r.filter != want {
		t.Errorf("the filter arrives as %+v", r.filter)
	}
	for _, s := range []shot{{event: fullEvent()}, {lost: 37}, {event: TraceEvent{Network: "lab", Reason: "too_short"}}} {
		r.shots <- s
		event, lost, err := stream.Next()
		if diff := cmp.Diff(s.event, event, sameAddr); err != nil || lost != s.lost || diff != "" {
			t.Errorf("%v, %d lost:\n%s", err, lost, diff)
		}
	}
	cancel()
	if _, _, err := stream.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	<-r.closed // by the server, when it notices
}

// A caller that goes away, as by kill -9, frees its subscription although nothing is sent to it.
func TestACallerThatGoesAwayFreesItsTrace(t *testing.T) {
	backend := &table{traces: make(chan *reel, 1)}
	conn, err := net.Dial("unix", serve(t, backend))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /v1/trace/dhcp HTTP/1.1\r\nHost: labnet\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	r := <-backend.traces
	_ = conn.Close()
	<-r.closed
}

// The time that a request may take is no limit of a stream.
func TestATraceOutlivesTheReadTimeout(t *testing.T) {
	backend := &table{traces: make(chan *reel, 1)}
	const timeout = 50 * time.Millisecond
	path, _ := serveWith(t, backend, func(s *Server) { s.http.ReadTimeout = timeout })
	stream, err := client(t, path).TraceDHCP(t.Context(), TraceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	r := <-backend.traces
	select {
	case <-r.closed:
		t.Error("the trace was ended")
	case <-time.After(4 * timeout):
	}
	r.shots <- shot{event: fullEvent()}
	if _, _, err := stream.Next(); err != nil {
		t.Error(err)
	}
}

func TestTheEndOfTheDaemonEndsTraces(t *testing.T) {
	backend := &table{traces: make(chan *reel, 2)}
	path, stop := serveWith(t, backend, nil)
	reading, err := client(t, path).TraceDHCP(t.Context(), TraceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	<-backend.traces
	// One that has stopped to read, with all buffers full.
	stuck, err := client(t, path).TraceDHCP(t.Context(), TraceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	r := <-backend.traces
	long := TraceEvent{Hostname: strings.Repeat("x", 1<<16)}
	for full := false; !full; {
		select {
		case r.shots <- shot{event: long}:
		case <-time.After(200 * time.Millisecond):
			full = true
		}
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a reader that doesn't read held up the end for %v", took)
	}
	if _, _, err := reading.Next(); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "the daemon is stopping") {
		t.Errorf("the reader is told %v", err)
	}
	for err == nil {
		_, _, err = stuck.Next()
	}
	if !errors.Is(err, ErrEnded) {
		t.Errorf("the other is told %v", err)
	}
}

func TestBadFiltersAreProblems(t *testing.T) {
	path := serve(t, &table{})
	for route, want := range map[string]string{
		"/v1/trace/dhcp?mac=52:5x":                                "is no MAC",
		"/v1/trace/dhcp?address=10.0.0":                           "neither an IPv4 address nor a prefix",
		"/v1/trace/dhcp?network=nowhere":                          "no network",
		"/v1/explain/dhcp":                                        "required",
		"/v1/explain/dhcp?mac=52:54":                              "not a MAC",
		"/v1/explain/dhcp?mac=52:54:0:0:0:1":                      "not a MAC",
		"/v1/explain/dhcp?mac=x&client_id=0":                      "not a MAC",
		"/v1/explain/dhcp?mac=525400000001&x=1":                   "unknown",
		"/v1/explain/dhcp?mac=52:54:00:00:00:01&client_id=012":    "hexadecimal",
		"/v1/explain/dhcp?mac=52:54:00:00:00:01&arch=65536":       "65535",
		"/v1/explain/dhcp?mac=52:54:00:00:00:01&requested=nobody": "requested",
		"/v1/explain/dhcp?mac=52:54:00:00:00:01&network=nowhere":  "no network",
	} {
		if got := get(t, path, route, http.StatusUnprocessableEntity); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", route, got, want)
		}
	}
}

func TestExplainAsks(t *testing.T) {
	c := client(t, serve(t, &table{}))
	mac, err := ParseMAC("52-54-00-00-00-01")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		q    DHCPQuery
		want string
	}{
		{"little", DHCPQuery{MAC: mac, Arch: -1}, "||||-1|invalid IP"},
		{"everything", DHCPQuery{
			MAC: mac, ClientID: []byte{0, 255}, Hostname: "a&b=\x1b", VendorClass: "PXE client", UserClass: "iPXE", Arch: 0,
			Requested: netip.MustParseAddr("10.0.0.7"), Network: "lab",
		}, "00ff|a&b=\x1b|PXE client|iPXE|0|10.0.0.7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := c.ExplainDHCP(t.Context(), test.q)
			if err != nil || len(found) != 1 || found[0].Identity != test.want || found[0].Client != "52:54:00:00:00:01" || found[0].Network != test.q.Network {
				t.Errorf("%v: %+v", err, found)
			}
		})
	}
}

func TestMACPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, mac string
		want         bool
	}{
		{"", "52:54:00:00:00:01", true},
		{"", "", true},
		{"52:54:00:00:00:01", "52:54:00:00:00:01", true},
		{"52-54-00-00-00-AB", "52:54:00:00:00:ab", true},
		{"52:54:00:00:00:01", "52:54:00:00:00:11", false},
		{"52:54", "52:54:00:00:00:01", true},
		{"52:54:", "52:54:00:00:00:01", true},
		{"52:5", "52:54:00:00:00:01", true},
		{"52:55", "52:54:00:00:00:01", false},
		{"52", "", false},
		{"*:01", "52:54:00:00:00:01", true},
		{"*:02", "52:54:00:00:00:01", false},
		{"52:*:0?", "52:54:00:00:00:01", true},
		{"*:00", "52:54:00:00:00:01", false},
	} {
		p, err := ParseMACPattern(test.pattern)
		if err != nil || p.Match(test.mac) != test.want {
			t.Errorf("%q on %q: %v, want %v", test.pattern, test.mac, err, test.want)
		}
	}
	for _, wrong := range []string{"52:5x", "5", "525", "52::54", "52:5:4", ":52", "52 54", "[5", strings.Repeat("*", 96), "1:2:3", "52540000", "\x1b"} {
		p, err := ParseMACPattern(wrong)
		if wrong == "5" { // the beginning of a byte is the beginning of a MAC
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q passes as %q", wrong, p)
		}
	}
}

func TestAddressFilter(t *testing.T) {
	for in, want := range map[string]string{"10.0.0.7": "10.0.0.7/32", "10.0.0.7/28": "10.0.0.0/28", "0.0.0.0/0": "0.0.0.0/0"} {
		if got, err := ParseAddressFilter(in); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, wrong := range []string{"", "10.0.0", "10.0.0.0/33", "2001:db8::1", "2001:db8::/32", "::ffff:10.0.0.1", "vm1"} {
		if got, err := ParseAddressFilter(wrong); err == nil {
			t.Errorf("%q passes as %v", wrong, got)
		}
	}
}

// The stream's lines hold what docs/cli.md promises.
func TestLinesOfTheStream(t *testing.T) {
	event := fullEvent()
	for _, test := range []struct {
		line traceLine
		want string
	}{
		{traceLine{Lost: 37}, `{"lost":37}`},
		{traceLine{End: "the daemon is stopping"}, `{"end":"the daemon is stopping"}`},
		{traceLine{TraceEvent: &TraceEvent{Reason: "too_short"}}, `{"time":"0001-01-01T00:00:00Z","network":"","interface":"","reason":"too_short","text":"","took_us":0}`},
		{traceLine{TraceEvent: &event}, `{"time":"2030-01-02T03:04:05.000006Z","network":"lab","interface":"br0","message":"REQUEST","state":"renew","from":"10.0.0.5:68","broadcast":true,"mac":"52:54:00:00:00:01","client_id":"01:52","relay":"10.0.0.9","xid":"0000002a","in_use":"10.0.0.5","requested":"10.0.0.6","hostname":"vm1\u001b[31m","vendor_class":"udhcp","reply":"ACK","reply_to":"10.0.0.5:68","address":"10.0.0.5","name":"vm1","reason":"ack_renew","text":"renews its lease","beside":["malformed_served"],"took_us":1234,"error":"network is down"}`},
	} {
		if got, err := json.Marshal(test.line); err != nil || string(got) != test.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, test.want)
		}
	}
}

// serveWith is serve with a server that prepare changes and that stop ends.
func serveWith(t *testing.T, backend Backend, prepare func(*Server)) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "run", "labnet.sock")
	return path, serveAt(t, path, backend, prepare)
}

func serveAt(t *testing.T, path string, backend Backend, prepare func(*Server)) (stop func()) {
	t.Helper()
	server, err := Listen(path, backend, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
