package top

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"go.uber.org/goleak"

	"labnet/internal/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)

func quoted(s string) string {
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// sample is a daemon with a guest at each of some ports, seconds after its start, each having sent and received as many bytes.
func sample(seconds, guests int, bytes uint64) Sample {
	s := Sample{At: start.Add(time.Duration(seconds) * time.Second), Status: control.Status{
		State: control.Ready, Version: "v1", Started: start, Config: "lab.hcl",
		DNS:      control.Counters{"local_lease": bytes, "cache_hit": 2 * bytes, "truncated": 9 * bytes},
		Networks: []control.Network{{Name: "lab", Mode: "routed", Address: netip.MustParsePrefix("10.0.0.1/24"), Addresses: 253, Leased: guests, DHCP: control.Counters{"ack_renew": bytes, "exhausted": bytes, "probing": bytes}}},
	}}
	for i := range guests {
		mac := fmt.Sprintf("52:54:00:00:00:%02x", i+1)
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)})
		name := fmt.Sprintf("vm%d", i)
		s.Ports = append(s.Ports, control.Port{
			Network: "lab", Name: fmt.Sprintf("tap%d", i), Sent: bytes * uint64(i), Received: 2 * bytes * uint64(i), MACs: 1,
			Guests: []control.PortGuest{{MAC: mac, Address: addr, Name: name}},
		})
		s.Leases = append(s.Leases, control.Lease{Network: "lab", Address: addr, MAC: mac, Name: name, State: "bound", Expires: s.At.Add(time.Hour)})
	}
	return s
}

func screenOf(samples ...Sample) *Screen {
	s := NewScreen(Config{Interval: time.Second, Show: quoted, Say: quoted})
	for _, one := range samples {
		s.Take(one)
	}
	return s
}

func TestRates(t *testing.T) {
	before, after := sample(0, 1, 100), sample(10, 1, 300)
	got := ratesOf(&before, &after)
	want := Rates{DNS: DNSRates{All: 60, Local: 20, Cache: 40}, DHCP: DHCPRates{All: 40, ACKs: 20, Others: 20}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Nothing is known of a daemon that was started anew, or of no time.
	again := sample(20, 1, 10)
	again.Status.Started = start.Add(15 * time.Second)
	for _, to := range []Sample{again, before} {
		if got := ratesOf(&after, &to); got != (Rates{}) {
			t.Errorf("rates of another start, or of no time: %+v", got)
		}
	}
}

func TestReasonsHaveTheirParts(t *testing.T) {
	for reason, want := range map[string]string{
		"local_lease": "local", "nxdomain_local": "local", "special_name": "local", "cache_negative": "cache", "stale": "cache", "forwarded_negative": "upstream",
		"upstream_timeout": "upstream", "no_upstream": "upstream", "blocked": "blocked", "rebind": "blocked", "refused_client": "refused", "limited": "refused",
		"busy": "refused", "a_new_one": "refused", "truncated": "", "reply_ignored": "", "prefetched": "",
	} {
		var d DNSRates
		got := ""
		if part := d.part(reason); part != nil {
			got = map[*float64]string{&d.Local: "local", &d.Cache: "cache", &d.Upstream: "upstream", &d.Blocked: "blocked", &d.Refused: "refused"}[part]
		}
		if got != want {
			t.Errorf("%s counts as %q, want %q", reason, got, want)
		}
	}
}

func TestRows(t *testing.T) {
	before, after := sample(0, 2, 0), sample(2, 2, 1000)
	after.Ports = append(after.Ports,
		control.Port{Network: "lab", Name: "veth0", MACs: 1}, // nobody with a lease
		control.Port{Network: "lan", Name: "eth0", Uplink: true, MACs: 40},
		control.Port{Network: "lab", Name: "nest", MACs: 2, Guests: []control.PortGuest{{MAC: "52:54:00:00:00:aa"}, {MAC: "52:54:00:00:00:ab"}}})
	after.Leases = append(after.Leases,
		control.Lease{Network: "lab", Address: netip.MustParseAddr("10.0.0.99"), MAC: "52:54:00:00:00:99", State: "bound"}, // behind no port
		control.Lease{Network: "lan", Address: netip.MustParseAddr("192.0.2.7"), MAC: "52:54:00:00:00:77", State: "observed", Hostname: "seen", Port: "tap9"})
	rows := rowsOf(&before, &after)
	sortRows(rows, "port", false)
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %s %q %s %d %.0f %.0f", r.Port, text(r.Address), r.Name, r.State, r.Shared, r.Received, r.Sent))
	}
	want := []string{
		`eth0  "" uplink 0 0 0`, `nest  ""  2 0 0`, `nest  ""  2 0 0`, `tap0 10.0.0.10 "vm0" bound 1 0 0`, `tap1 10.0.0.11 "vm1" bound 1 1000 500`,
		`tap9 192.0.2.7 "seen" observed 0 0 0`, `veth0  ""  1 0 0`, ` 10.0.0.99 "" bound 0 0 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeys(t *testing.T) {
	names := func(s *Screen) (all string) {
		for _, r := range s.rows {
			all += r.Name + " "
		}
		return strings.TrimSpace(all)
	}
	for _, test := range []struct {
		keys, want string
		check      func(*Screen) string
	}{
		{"", "vm3 vm2 vm1 vm0", names}, // who receives most is the first
		{"r", "vm0 vm1 vm2 vm3", names},
		{"n", "vm0 vm1 vm2 vm3", names},
		{"n r", "vm3 vm2 vm1 vm0", names},
		{"n / v m 2", "vm2", names},
		{"n / v m 2 backspace 3 enter r", "vm3", names},
		{"n / 1 0 . 0 . 0 . 1 2 enter", "vm2", names},
		{"n / x esc", "vm0 vm1 vm2 vm3", names},
		{"n / x enter esc", "vm0 vm1 vm2 vm3", names},
		{"right", "sent", func(s *Screen) string { return columns[s.sort] }},
		{"< < < <", "network", func(s *Screen) string { return columns[s.sort] }},
		{"/ q", "q", func(s *Screen) string { return s.filter }},
		{"/ home ctrl+a space a", "a", func(s *Screen) string { return s.filter }},
		{"? x", "false", func(s *Screen) string { return strconv.FormatBool(s.help) }},
		{"p", "true", func(s *Screen) string { return strconv.FormatBool(s.paused) }},
		{"end pgup down j k up pgdown G g", "0", func(s *Screen) string { return strconv.Itoa(s.offset) }},
		{"f1 tab z", "vm3 vm2 vm1 vm0", names},
	} {
		s := screenOf(sample(0, 4, 0), sample(1, 4, 1000))
		for key := range strings.FieldsSeq(test.keys) {
			if s.Key(key) {
				t.Errorf("%s: %s ends it", test.keys, key)
			}
		}
		if got := test.check(s); got != test.want {
			t.Errorf("%s: %q, want %q", test.keys, got, test.want)
		}
	}
	for _, keys := range []string{"q", "ctrl+c", "? q", "/ ctrl+c", "? ctrl+c"} {
		s, quit := screenOf(sample(0, 1, 0)), false
		for key := range strings.FieldsSeq(keys) {
			quit = s.Key(key)
		}
		if !quit {
			t.Errorf("%s doesn't end it", keys)
		}
	}
}

func TestPauseKeepsWhatIsShown(t *testing.T) {
	s := screenOf(sample(0, 1, 0), sample(1, 1, 10))
	s.Key("p")
	s.Take(sample(2, 3, 1000))
	if len(s.rows) != 1 {
		t.Errorf("%d rows while it is paused", len(s.rows))
	}
	s.Key("p")
	s.Take(sample(3, 3, 1000))
	if len(s.rows) != 3 {
		t.Errorf("%d rows after the pause", len(s.rows))
	}
}

// TestEverySizeFits: no screen has more lines than the terminal, none a wider line, and nothing that a guest calls itself moves the cursor.
func TestEverySizeFits(t *testing.T) {
	evil := sample(1, 60, 1<<40)
	evil.Leases[0].Name = "a\x1b[2J\r\nb\x07\u202e"
	evil.Leases[1].Name = strings.Repeat("日本", 100)
	evil.Status.Problems = []control.Problem{{Summary: "bad\x1b]0;x\x07"}, {Summary: "another"}}
	evil.Status.State = control.Degraded
	for range 9 {
		evil.Status.Networks = append(evil.Status.Networks, control.Network{Name: "more", Mode: "isolated"})
		evil.Status.Upstreams = append(evil.Status.Upstreams, control.Upstream{Server: "192.0.2.53:53"})
	}
	for _, keys := range []string{"", "?", "/ a", "end", "p"} {
		s := screenOf(sample(0, 60, 0), evil)
		for key := range strings.FieldsSeq(keys) {
			s.Key(key)
		}
		s.Fail(errors.New("gone\nfor good\x1b[31m"))
		for _, width := range []int{0, 1, 5, 20, 40, 79, 80, 81, 120, 300} {
			for _, height := range []int{0, 1, 2, 3, 5, 10, 24, 100} {
				s.Resize(width, height)
				lines := s.Lines()
				if len(lines) != height {
					t.Fatalf("%q at %dx%d has %d lines", keys, width, height, len(lines))
				}
				for _, line := range lines {
					for _, style := range []string{bold, reverse, red, plain} {
						line = strings.ReplaceAll(line, style, "")
					}
					if runewidth.StringWidth(line) > width {
						t.Fatalf("%q at %dx%d: %d wide: %q", keys, width, height, runewidth.StringWidth(line), line)
					}
					if strings.ContainsAny(line, "\x1b\r\n\x07\u202e") {
						t.Fatalf("%q at %dx%d: %q", keys, width, height, line)
					}
				}
			}
		}
	}
	if lines := NewScreen(Config{Show: quoted, Say: quoted}).Lines(); len(lines) != 24 {
		t.Errorf("without a sample: %q", lines)
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0B", 999: "999B", 1000: "1.0KiB", 1536: "1.5KiB", 102400: "100KiB", 1 << 20: "1.0MiB", 1 << 62: "4096PiB"} {
		if got := size(v); got != want {
			t.Errorf("%v bytes are %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.25: "0.2", 9.9: "9.9", 10: "10", 99_999: "99999", 123_456: "123k"} {
		if got := rate(v); got != want {
			t.Errorf("%v a second is %s, want %s", v, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 61 * time.Second: "1m01s", 90 * time.Minute: "1h30m", 49 * time.Hour: "2d01h"} {
		if got := span(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

// events is a Watcher of a list.
type events []control.LeaseEvent

func (e events) WatchLeases(ctx context.Context, _ control.LeaseWatch) iter.Seq2[control.LeaseEvent, error] {
	return func(yield func(control.LeaseEvent, error) bool) {
		for _, one := range e {
			if !yield(one, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(control.LeaseEvent{}, ctx.Err())
	}
}

func TestLeasesAreFollowed(t *testing.T) {
	lease := func(host byte, state string) *control.Lease {
		return &control.Lease{Network: "lab", Address: netip.AddrFrom4([4]byte{10, 0, 0, host}), State: state}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		g := &guests{}
		if _, known := g.all(); known {
			t.Error("known before they are listed")
		}
		done := make(chan error)
		go func() {
			done <- g.follow(ctx, events{
				{Event: control.EventResync},
				{Event: control.EventListed, Lease: lease(1, "bound")},
				{Event: control.EventListed, Lease: lease(2, "expired")},
				{Event: control.EventSynced},
				{Event: "bound", Lease: lease(3, "bound")},
				{Event: "released", Lease: lease(1, "released")},
				{Event: control.EventGone},
				// The daemon is back, and 3 is gone.
				{Event: control.EventResync},
				{Event: control.EventListed, Lease: lease(4, "bound")},
				{Event: control.EventSynced},
				{Event: "bound", Lease: lease(5, "bound")},
			}, "")
		}()
		synctest.Wait()
		all, known := g.all()
		got := map[string]bool{}
		for _, l := range all {
			got[l.Address.String()] = true
		}
		if diff := cmp.Diff(map[string]bool{"10.0.0.4": true, "10.0.0.5": true}, got); diff != "" || !known {
			t.Errorf("known: %t\n%s", known, diff)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
