//go:build long

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/bench/dns/generator"
	"labnet/internal/nettest"
)

// TestAMillionBlockedNames tells how long a daemon takes for a list of a million names, at its start and when the list changes, and holds how much more
// memory it has than one without.
func TestAMillionBlockedNames(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	text := func(change int) string {
		var b strings.Builder
		for i := range 1_000_000 {
			fmt.Fprintf(&b, "0.0.0.0 ads%06d.track%02d.example\n", i, (i+change)%100)
		}
		return b.String()
	}
	memory := func(what string) int {
		t.Helper()
		status := l.router.Run(t, "cat", fmt.Sprintf("/proc/%d/status", l.pid(t)))
		found := regexp.MustCompile(what + `:\s+(\d+) kB`).FindStringSubmatch(status)
		if found == nil {
			t.Fatal(status)
		}
		kib, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return kib
	}
	l.configure(t, labConfig)
	d, plain := l.start(t, "--log-level", "info")
	g := l.newAsker(t)
	use := func() {
		t.Helper()
		for range 20 {
			g.dig(t, "www.example.org")
		}
	}
	use()
	without := memory("VmRSS")
	l.stop(t, d, syscall.SIGTERM)

	list := filepath.Join(l.dir, "ads.hosts")
	write(t, list, text(0))
	l.configure(t, labConfig+fmt.Sprintf("resolver {\n  block {\n    files = [%q]\n  }\n}\n", list))
	d, full := l.start(t, "--log-level", "info")
	use()
	if said := g.dig(t, "ads123456.track56.example"); !strings.Contains(said, "NXDOMAIN") {
		t.Errorf("not blocked:\n%s", said)
	}
	loaded, peak := memory("VmRSS"), memory("VmHWM")
	for change := range 5 {
		replace(t, list, text(1+change))
		nettest.Eventually(t, limit, func() error {
			return contains(g.dig(t, fmt.Sprintf("ads000000.track%02d.example", 1+change)), "EDE: 15")
		})
	}
	use()
	changed, changedPeak := memory("VmRSS"), memory("VmHWM")
	t.Logf("ready after %v, without a list after %v", full, plain)
	for line := range strings.Lines(d.output()) {
		if strings.Contains(line, "block list read") {
			t.Log(strings.TrimSpace(line))
		}
	}
	t.Logf("resident: %d KiB without a list, %d with it (at most %d), %d when it has changed five times (at most %d)", without, loaded, peak, changed, changedPeak)
	time.Sleep(2*time.Minute + 10*time.Second) // the collector looks that often at least
	rested := memory("VmRSS")
	t.Logf("%d after two minutes of rest", rested)
	if rested-without > 64<<10 {
		t.Errorf("a million names cost %d KiB", rested-without)
	}
}

// TestBlockedNamesCostWhatCachedOnesDo tells how many questions a second of a processor is enough for: about names of a list of a million, and about names
// in the cache, ten thousand each, in turn.
func TestBlockedNamesCostWhatCachedOnesDo(t *testing.T) {
	nettest.NeedRoot(t)
	const names = 10_000
	l := newLab(t)
	list := filepath.Join(l.dir, "ads.hosts")
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "0.0.0.0 ads%06d.track%02d.example\n", i, i%100)
	}
	write(t, list, text.String())
	l.configure(t, labConfig+fmt.Sprintf("resolver {\n  block {\n    files  = [%q]\n    answer = \"null\"\n  }\n}\n", list))
	l.start(t, "--log-level", "info")
	g := l.newAsker(t)
	var sources []netip.Addr
	for i := range 16 {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(60 + i)})
		g.Run(t, "ip", "address", "add", addr.String()+"/24", "dev", "eth0")
		sources = append(sources, addr)
	}
	sets := []*generator.Set{
		generator.NewSet(names, func(i int) string { return fmt.Sprintf("n%06d.tracker.example.org", i) }, func(int, []byte) netip.Addr { return netip.MustParseAddr("192.0.2.66") }),
		generator.NewSet(names, func(i int) string { return fmt.Sprintf("ads%06d.track%02d.example", 97*i, 97*i%100) }, func(int, []byte) netip.Addr { return netip.IPv4Unspecified() }),
	}
	var clients *generator.Clients
	g.Do(t, func() {
		var err error
		if clients, err = generator.Open(generator.Config{Server: netip.MustParseAddrPort("10.0.0.1:53"), Sources: sources, Window: 8}); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	defer clients.Close()
	processor := func() float64 {
		t.Helper()
		stat := l.router.Run(t, "cat", fmt.Sprintf("/proc/%d/stat", l.pid(t)))
		fields := strings.Fields(stat[strings.LastIndexByte(stat, ')'):])
		total := 0.0
		for _, field := range fields[12:14] { // proc(5): utime and stime, in hundredths of a second
			ticks, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			total += float64(ticks) / 100
		}
		return total
	}
	run := func(load generator.Load) *generator.Result {
		t.Helper()
		load.Timeout = 10 * time.Second
		r, err := clients.Run(t.Context(), load)
		if err != nil {
			t.Fatal(err)
		}
		if r.Lost+r.Failed+r.Wrong+r.Strays+r.Unsent > 0 {
			t.Errorf("%+v", *r)
		}
		return r
	}
	for _, set := range sets {
		run(generator.Load{From: generator.Each(set), Count: names})
		run(generator.Load{From: generator.Each(set), Count: names})
	}
	var ratios []float64
	for range 7 {
		var rates [2]float64
		for i, set := range sets {
			before := processor()
			r := run(generator.Load{From: generator.Drawn(set, generator.Zipf(names)), Limit: 3 * time.Second})
			rates[i] = float64(r.Answers) / (processor() - before)
		}
		ratios = append(ratios, rates[1]/rates[0])
		t.Logf("questions for a second of a processor: %.0f cached, %.0f blocked", rates[0], rates[1])
	}
	slices.Sort(ratios)
	t.Logf("blocked to cached: %.3f (median of %d)", ratios[len(ratios)/2], len(ratios))
}
