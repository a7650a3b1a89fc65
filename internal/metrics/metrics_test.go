package metrics

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"labnet/internal/histogram"
)

// everything is a reading that has something of every metric.
func everything() Reading {
	times := histogram.New(time.Millisecond, time.Second)
	times.Observe(time.Millisecond)
	times.Observe(3 * time.Second)
	return Reading{
		Problems: map[string]int{"host": 2, "dns": 0},
		Reloaded: time.Unix(1_700_000_000, 5e8),
		Net: Net{
			Applied: time.Unix(1_700_000_100, 0), Repaired: 3, Failures: 1, Resting: true,
			Packets: map[Rule]uint64{{"inet", "spoofed"}: 7},
		},
		Networks: []DHCPNetwork{{
			Name: "lab", Addresses: 253, Leased: 2,
			Messages:  []Messages{{Type: "DISCOVER", Count: 4}, {Sent: true, Type: "OFFER", Count: 3}},
			Decisions: map[string]uint64{"ack_renew": 5, "exhausted": 0}, Leases: map[string]int{"bound": 2, "expired": 1},
		}},
		Commits: Commits{Times: times.Read(), Failed: 1, Leases: 9},
		DNS: DNS{
			Networks: []DNSNetwork{{
				Name: "lab", UDP: map[string]uint64{"A": 8}, TCP: map[string]uint64{"other": 1},
				Answers: []Answers{{"NOERROR", "cache", 6}},
			}},
			Decisions: map[string]uint64{"cache_hit": 6}, CacheEntries: 10, CacheBytes: 4096, CacheLimit: 65536, Evicted: 2,
			Upstreams:    []Upstream{{Addr: "192.0.2.53:53", Up: true, Times: times.Read(), Failures: 1}},
			BlockedNames: 100, BlockFailing: 1,
		},
		Hooks: []Hook{{Name: "inventory", Delivered: 1, Failed: 2, Dropped: 3, Waiting: 4}},
	}
}

func testRegistry(t *testing.T, read func() Reading) *prometheus.Registry {
	t.Helper()
	registry, err := newRegistry("v1", read)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// gathered is the families of ours by name.
func gathered(t *testing.T, read func() Reading) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := testRegistry(t, read).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "labnet_") {
			out[f.GetName()] = f
		}
	}
	return out
}

func TestNamesAreGood(t *testing.T) {
	problems, err := testutil.GatherAndLint(testRegistry(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestEveryMetricOfTheTableIsCollected(t *testing.T) {
	found := gathered(t, everything)
	for _, m := range table() {
		f := found[m.name]
		if f == nil {
			t.Errorf("%s is collected nowhere", m.name)
			continue
		}
		delete(found, m.name)
		if got := strings.ToLower(f.GetType().String()); got != string(m.kind) {
			t.Errorf("%s is a %s, not a %s", m.name, got, m.kind)
		}
		for _, metric := range f.GetMetric() {
			var labels []string
			for _, pair := range metric.GetLabel() {
				labels = append(labels, pair.GetName())
			}
			want := slices.Sorted(slices.Values(m.labels))
			if diff := cmp.Diff(want, labels, cmp.Transformer("none", func(l []string) []string { return append([]string{}, l...) })); diff != "" {
				t.Errorf("%s: labels: -want +got:\n%s", m.name, diff)
			}
		}
	}
	for name := range found {
		t.Errorf("%s isn't in the table", name)
	}
}

// TestNothingIsThereBeforeItIsKnown holds the metrics of a daemon that has served nobody yet.
func TestNothingIsThereBeforeItIsKnown(t *testing.T) {
	found := gathered(t, func() Reading { return Reading{} })
	for _, name := range []string{nameProblems, nameApplySuccess, nameApplyTime, nameRulePackets, nameDHCPMessages, nameUpstreamTime} {
		if found[name] != nil {
			t.Errorf("%s is there", name)
		}
	}
}

func TestHistogramsAreCumulative(t *testing.T) {
	h := gathered(t, everything)[nameCommitTime].GetMetric()[0].GetHistogram()
	var got []uint64
	for _, b := range h.GetBucket() {
		got = append(got, b.GetCumulativeCount())
	}
	if diff := cmp.Diff([]uint64{1, 1}, got); diff != "" || h.GetSampleCount() != 2 || h.GetSampleSum() != 3.001 {
		t.Errorf("%v, %s", h, diff)
	}
}

// TestTheDocumentationIsComplete compares the table of docs/operations.md with ours, row by row.
func TestTheDocumentationIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range table() {
		labels := "`" + strings.Join(m.labels, "`, `") + "`"
		if m.labels == nil {
			labels = ""
		}
		want = append(want, "| `"+m.name+"` | "+string(m.kind)+" | "+labels+" |")
	}
	got := regexp.MustCompile("(?m)^\\| `labnet_[^|]*\\|[^|]*\\|[^|]*\\|").FindAllString(string(text), -1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-ours +documented:\n%s", diff)
	}
}

func TestLabelsOfAnyBytes(t *testing.T) {
	found := gathered(t, func() Reading { return Reading{Hooks: []Hook{{Name: "a\xffb\"\n"}}} })
	if got := found[nameHookWaiting].GetMetric()[0].GetLabel()[0].GetValue(); got != "a�b\"\n" {
		t.Errorf("%q", got)
	}
}

func TestHandlers(t *testing.T) {
	health := Health{Ready: true}
	reads := 0
	h, err := New("v1", func() Reading { reads++; return everything() }, func() Health { return health }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		h.Port.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/metrics", 200, `labnet_build_info{goversion="go`},
		{"GET", "/metrics", 200, "go_goroutines "},
		{"HEAD", "/metrics", 200, ""},
		{"GET", "/metrics", 200, "process_resident_memory_bytes "},
		{"GET", "/healthz", 200, "ok\n"},
		{"GET", "/readyz", 200, "ready\n"},
		{"GET", "/", 200, "/metrics"},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/v1/status", 404, ""},
		{"POST", "/metrics", 405, ""},
	} {
		if status, body := ask(c.method, c.path); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %q", c.method, c.path, status, body)
		}
	}
	if reads != 1 {
		t.Errorf("three scrapes at a time were %d readings", reads)
	}
	health = Health{Kinds: []string{"dns", "host"}}
	if status, body := ask("GET", "/readyz"); status != 503 || body != "degraded: dns, host; `labnet status` says more\n" {
		t.Errorf("degraded: %d %q", status, body)
	}
	if status, _ := ask("GET", "/healthz"); status != 200 {
		t.Errorf("alive while degraded: %d", status)
	}
}

// TestAMetricThatCannotBe is said, and costs the others nothing.
func TestAMetricThatCannotBe(t *testing.T) {
	twice := everything()
	twice.Hooks = append(twice.Hooks, twice.Hooks[0])
	h, err := New("v1", func() Reading { return twice }, func() Health { return Health{} }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), nameDrift+" 3") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
