package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dnsReel is a DNSTrace of one event, one loss, and then nothing more.
type dnsReel struct {
	filter DNSTraceFilter
	shown  int
}

func (r *dnsReel) Next(ctx context.Context) (DNSEvent, uint64, error) {
	switch r.shown++; r.shown {
	case 1:
		return fullDNSEvent(), 0, nil
	case 2:
		return DNSEvent{}, 37, nil
	case 3:
		return DNSEvent{Name: fmt.Sprint(r.filter), Reason: "x"}, 0, nil
	}
	<-ctx.Done()
	return DNSEvent{}, 0, context.Cause(ctx)
}

func (r *dnsReel) Close() {}

func (b *table) TraceDNS(f DNSTraceFilter) (DNSTrace, error) {
	if f.Reason == "nonsense" {
		return nil, fmt.Errorf("%w: there is no reason %q", ErrInvalid, f.Reason)
	}
	return &dnsReel{filter: f}, nil
}

func (b *table) ExplainDNS(_ context.Context, q DNSQuery) ([]DNSExplanation, error) {
	if q.Name == "a..b" {
		return nil, fmt.Errorf("%w: %q is not a domain name", ErrInvalid, q.Name)
	}
	return []DNSExplanation{{Name: fmt.Sprint(q), Client: q.From, Steps: []DNSStep{{Stage: "cache", Cached: &DNSCached{Kind: "answer", Left: -3}}}}}, nil
}

func (b *table) DNSCache() DNSCache {
	return DNSCache{CacheUse: CacheUse{Entries: 3, Bytes: 700, Limit: 1 << 20}, Hits: 1, Negative: 2, Failures: 3, Misses: 4, Evicted: 5, Groups: []DNSCacheGroup{{Group: "default", Entries: 3}}}
}

func (b *table) FlushDNS(name string, below bool) (FlushedDNS, error) {
	if name == "a..b" {
		return FlushedDNS{}, fmt.Errorf("%w: %q is not a domain name", ErrInvalid, name)
	}
	if below {
		return FlushedDNS{Flushed: len(name)}, nil
	}
	return FlushedDNS{Flushed: -len(name)}, nil
}

func fullDNSEvent() DNSEvent {
	return DNSEvent{
		Time: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), Network: "lab", Client: netip.MustParseAddr("10.0.0.5"), Port: 40000, TCP: true,
		Name: `a\027b.example.org.`, Type: "A", Rcode: "NOERROR", Answer: []string{"A 192.0.2.1"}, Reason: "forwarded", Text: "an upstream's answer",
		Cached: true, Upstream: "default", Server: "192.0.2.53:53", Took: 1234,
	}
}

func TestDNSTraceStreams(t *testing.T) {
	c := client(t, serve(t, &table{}))
	filter := DNSTraceFilter{Network: "lab", Client: netip.MustParsePrefix("10.0.0.0/28"), Name: "example.org", Type: "A", Reason: "forwarded", Rcode: "NOERROR"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.TraceDNS(ctx, filter)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	event, lost, err := stream.Next()
	if diff := cmp.Diff(fullDNSEvent(), event, sameAddr); err != nil || lost > 0 || diff != "" {
		t.Errorf("%v, %d lost:\n%s", err, lost, diff)
	}
	if _, lost, err := stream.Next(); err != nil || lost != 37 {
		t.Errorf("%v, %d lost", err, lost)
	}
	if event, _, err := stream.Next(); err != nil || event.Name != fmt.Sprint(filter) {
		t.Errorf("the filter arrives as %s: %v", event.Name, err)
	}
	cancel()
	if _, _, err := stream.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// The stream's lines hold what docs/cli.md promises.
func TestLinesOfTheDNSStream(t *testing.T) {
	event := fullDNSEvent()
	for _, test := range []struct {
		line dnsTraceLine
		want string
	}{
		{dnsTraceLine{Lost: 37}, `{"lost":37}`},
		{dnsTraceLine{End: "the daemon is stopping"}, `{"end":"the daemon is stopping"}`},
		{dnsTraceLine{DNSEvent: &DNSEvent{Reason: "format_error", Client: event.Client}}, `{"time":"0001-01-01T00:00:00Z","network":"","client":"10.0.0.5","port":0,"rcode":"","reason":"format_error","text":"","took_us":0}`},
		{dnsTraceLine{DNSEvent: &event}, `{"time":"2030-01-02T03:04:05.000006Z","network":"lab","client":"10.0.0.5","port":40000,"tcp":true,"name":"a\\027b.example.org.","type":"A","rcode":"NOERROR","answer":["A 192.0.2.1"],"reason":"forwarded","text":"an upstream's answer","cached":true,"upstream":"default","server":"192.0.2.53:53","took_us":1234}`},
	} {
		if got, err := json.Marshal(test.line); err != nil || string(got) != test.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, test.want)
		}
	}
}

func TestExplainDNSAsks(t *testing.T) {
	c := client(t, serve(t, &table{}))
	for _, q := range []DNSQuery{
		{Name: "x&y=\x1b"},
		{Name: "10.0.0.57", Type: "PTR", From: netip.MustParseAddr("10.0.0.5"), Network: "lab", DNSSEC: true, Ask: true},
	} {
		found, err := c.ExplainDNS(t.Context(), q)
		if err != nil || len(found) != 1 || found[0].Name != fmt.Sprint(q) || found[0].Client != q.From || found[0].Steps[0].Cached.Left != -3 {
			t.Errorf("%v: %+v", err, found)
		}
	}
	if _, err := c.ExplainDNS(t.Context(), DNSQuery{Name: "a..b"}); err == nil || err.Error() != `"a..b" is not a domain name` {
		t.Errorf("%v", err)
	}
}

func TestDNSProblems(t *testing.T) {
	path := serve(t, &table{})
	for route, want := range map[string]string{
		"/v1/trace/dns?client=10.0.0":          "neither an address nor a prefix",
		"/v1/trace/dns?reason=nonsense":        "no reason",
		"/v1/trace/dns?mac=52":                 "unknown",
		"/v1/explain/dns":                      "required",
		"/v1/explain/dns?name=x&from=nobody":   "from",
		"/v1/explain/dns?name=x&ask=perhaps":   "ask",
		"/v1/explain/dns?name=a..b&ask=true":   "not a domain name",
		"/v1/explain/dns?name=x&no-query=true": "unknown",
	} {
		if got := get(t, path, route, http.StatusUnprocessableEntity); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", route, got, want)
		}
	}
}

func TestCache(t *testing.T) {
	c := client(t, serve(t, &table{}))
	found, err := c.DNSCache(t.Context())
	if diff := cmp.Diff((&table{}).DNSCache(), found); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if os.Geteuid() != 0 {
		return // flushing is root's: TestOnlyRootFlushes
	}
	for _, test := range []struct {
		name  string
		below bool
		want  int
	}{{"", false, 0}, {"a&b", false, -3}, {"example", true, 7}} {
		if flushed, err := c.FlushDNS(t.Context(), test.name, test.below); err != nil || flushed.Flushed != test.want {
			t.Errorf("%q: %v, %+v", test.name, err, flushed)
		}
	}
	for _, name := range []string{"", "a..b"} {
		if _, err := c.FlushDNS(t.Context(), name, true); err == nil {
			t.Errorf("%q is flushed", name)
		}
	}
}

func TestOnlyRootFlushes(t *testing.T) {
	h := handler(&table{}, "test", slog.New(slog.DiscardHandler), t.Context())
	for uid, want := range map[uint32]int{0: http.StatusOK, 1000: http.StatusForbidden} {
		ctx := context.WithValue(t.Context(), peerKey{}, peer{pid: os.Getpid(), uid: uid, access: newAccess()})
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodDelete, "/v1/dns/cache", nil))
		if answer.Code != want {
			t.Errorf("user %d: %d, want %d", uid, answer.Code, want)
		}
	}
}
