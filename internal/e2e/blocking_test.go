package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/bench/dns/generator"
	"labnet/internal/nettest"
)

// blockConfig is a lab with two block lists in its directory.
func (l *lab) blockConfig(more string) string {
	return labConfig + fmt.Sprintf("resolver {\n%s  block {\n    files = [%q, %q]\n    allow = [\"good.tracker.example.org\"]\n  }\n}\n", more, l.blockList(1), l.blockList(2))
}

func (l *lab) blockList(i int) string { return filepath.Join(l.dir, fmt.Sprint("list", i)) }

// replace puts a new file in place of an old one, as careful tools do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// newAsker is a guest with a fixed address that the gateway answers.
func (l *lab) newAsker(t *testing.T) *guest {
	t.Helper()
	g := l.newGuest(t, "asker", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	g.Run(t, "ip", "address", "add", "10.0.0.50/24", "dev", "eth0")
	nettest.Eventually(t, limit, func() error {
		_, err := g.Try("dig", "+time=1", "+tries=1", "@10.0.0.1", "gateway.lab.internal") // until the bridge has its port
		return err
	})
	return g
}

// dig returns what dig says, over UDP.
func (g *guest) dig(t *testing.T, args ...string) string {
	t.Helper()
	return g.Run(t, append([]string{"dig", "+time=5", "+tries=3", "@10.0.0.1"}, args...)...)
}

// blockStatus is what labnet says about itself, as far as blocking is concerned.
type blockStatus struct {
	State string         `json:"state"`
	DNS   map[string]int `json:"dns"`
	Block []struct {
		Names int    `json:"names"`
		Bad   int    `json:"bad_lines"`
		Error string `json:"error"`
	} `json:"block_lists"`
	Problems []struct {
		Summary string `json:"summary"`
	} `json:"problems"`
}

func (l *lab) blockStatus(t *testing.T) blockStatus {
	t.Helper()
	var s blockStatus
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBlockedNames asks for names of a hosts file and of a list of domains, which then change and go.
func TestBlockedNames(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	write(t, l.blockList(1), "127.0.0.1 localhost\n0.0.0.0 www.example.org # an advertiser\nnonsense here\n")
	l.configure(t, l.blockConfig(""))
	if out, err := l.tryLabnet(t, "check"); err != nil || !strings.Contains(out, "can't be read: no such file") || !strings.Contains(out, "list2") {
		t.Errorf("check doesn't warn of the list that isn't there: %v\n%s", err, out)
	}
	write(t, l.blockList(2), "tracker.example.org\n")
	d, _ := l.start(t, "--log-level", "info") // each question in the log would take the long way
	g := l.newAsker(t)
	for _, c := range []struct{ name, want string }{
		{"www.example.org", "NXDOMAIN"},
		{"x.www.example.org", "NXDOMAIN"}, // by BIND: a hosts line is about the name alone
		{"tracker.example.org", "NXDOMAIN"},
		{"x.tracker.example.org", "NXDOMAIN"},
		{"cloaked.example.org", "NXDOMAIN"},
		{"good.tracker.example.org", "192.0.2.67"},
		{"lan.example.org", "192.168.7.7"},
		{"gateway.lab.internal", "10.0.0.1"},
	} {
		for range 2 {
			said := g.dig(t, c.name)
			byUs := strings.Contains(said, "EDE: 15 (Blocked)")
			if !strings.Contains(said, c.want) || byUs != (c.want == "NXDOMAIN" && c.name != "x.www.example.org") {
				t.Errorf("%s: want %s\n%s", c.name, c.want, said)
			}
		}
	}
	s := l.blockStatus(t)
	if len(s.Block) != 2 || s.Block[0].Names != 1 || s.Block[0].Bad != 1 || s.Block[1].Names != 1 || s.DNS["blocked"] != 8 || s.State != "ready" {
		t.Errorf("status: %+v, %d blocked, %s %v", s.Block, s.DNS["blocked"], s.State, s.Problems)
	}
	if text := l.labnet(t, "status"); !strings.Contains(text, "1 name, 1 line passed over") {
		t.Errorf("status says\n%s", text)
	}
	if said := d.output(); !strings.Contains(said, "nonsense here") {
		t.Errorf("the log doesn't name the bad line:\n%s", said)
	}

	if said := l.labnet(t, "explain", "dns", "cloaked.example.org"); !strings.Contains(said, l.blockList(2)+":1") || !strings.Contains(said, "`allow`") {
		t.Errorf("an alias of a blocked name is explained by\n%s", said)
	}

	// The lists change: the cache doesn't matter.
	replace(t, l.blockList(1), "lan.example.org\n")
	if err := os.Remove(l.blockList(2)); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		if said := g.dig(t, "lan.example.org"); !strings.Contains(said, "NXDOMAIN") {
			return fmt.Errorf("lan.example.org isn't blocked yet:\n%s", said)
		}
		if said := g.dig(t, "www.example.org"); !strings.Contains(said, "192.0.2.80") {
			return fmt.Errorf("www.example.org is blocked still:\n%s", said)
		}
		if s := l.blockStatus(t); s.State != "degraded" || len(s.Problems) != 1 || s.Block[1].Error == "" || s.Block[1].Names != 1 {
			return fmt.Errorf("the status doesn't tell of the list that is gone: %+v %+v", s.Problems, s.Block)
		}
		return nil
	})
	if said := g.dig(t, "x.tracker.example.org"); !strings.Contains(said, "NXDOMAIN") {
		t.Errorf("with its list, a name has gone:\n%s", said)
	}
	time.Sleep(3 * time.Second)
	if n := strings.Count(d.output(), "a block list can't be read"); n != 1 {
		t.Errorf("that a list is gone is said %d times", n)
	}
	replace(t, l.blockList(2), "")
	nettest.Eventually(t, limit, func() error {
		if s := l.blockStatus(t); s.State != "ready" {
			return fmt.Errorf("still degraded: %+v", s.Problems)
		}
		return contains(g.dig(t, "x.tracker.example.org"), "192.0.2.66")
	})
	l.configure(t, strings.Replace(l.blockConfig(""), "allow", "answer = \"null\"\n    allow", 1))
	l.reload(t, d, "is reloaded")
	if said := g.dig(t, "+short", "lan.example.org"); strings.TrimSpace(said) != "0.0.0.0" {
		t.Errorf("by null: %s", said)
	}
	l.configure(t, labConfig)
	l.reload(t, d, "is reloaded")
	if said := g.dig(t, "+short", "lan.example.org"); strings.TrimSpace(said) != "192.168.7.7" {
		t.Errorf("without a list: %s", said)
	}
}

// TestNamesThatPointInside asks for names of the outside whose addresses are of the lab, of the guest itself, and of the LAN.
func TestNamesThatPointInside(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t, "--log-level", "info") // each question in the log would take the long way
	g := l.newAsker(t)
	none := "ANSWER: 0, AUTHORITY: 1"
	for _, step := range []struct {
		resolver string
		want     map[string]string // by name and type
	}{
		{"", map[string]string{
			"inside.example.org A": none, "inside.example.org AAAA": none, "alias.example.org A": none, "lan.example.org A": "192.168.7.7", "www.example.org A": "192.0.2.80",
			"both.example.org A": "192.0.2.81",
		}},
		{"resolver {\n  rebind_protection = \"private\"\n  rebind_allow = [\"inside.example.org\"]\n}\n", map[string]string{
			"inside.example.org A": "10.0.0.1", "alias.example.org A": none, "lan.example.org A": none, "www.example.org A": "192.0.2.80",
		}},
		{"resolver {\n  rebind_protection = \"off\"\n}\n", map[string]string{
			"inside.example.org A": "10.0.0.1", "inside.example.org AAAA": "::ffff:127.0.0.1", "alias.example.org A": "10.0.0.1", "lan.example.org A": "192.168.7.7",
			"both.example.org A": "10.0.0.1",
		}},
	} {
		if step.resolver != "" {
			l.configure(t, labConfig+step.resolver)
			l.reload(t, d, "is reloaded")
		}
		for question, want := range step.want {
			for range 3 {
				said := g.dig(t, strings.Fields(question)...)
				if !strings.Contains(said, want) || strings.Contains(said, "EDE: 15") != (want == none || want == "192.0.2.81") || !strings.Contains(said, "NOERROR") {
					t.Errorf("%s: want %s\n%s", question, want, said)
				}
			}
		}
	}
	logged := d.output()
	lines := map[string]int{}
	for line := range strings.Lines(logged) {
		if _, rest, ok := strings.Cut(line, "the address is withheld"); ok {
			_, rest, _ = strings.Cut(rest, "name=")
			name, _, _ := strings.Cut(rest, " ")
			lines[name]++
		}
	}
	if len(lines) != 4 || lines["inside.example.org."] != 1 || lines["lan.example.org."] != 1 || lines["alias.example.org."] != 1 || lines["both.example.org."] != 1 {
		t.Errorf("logged are %v, and should be four names, once each", lines)
	}
}

// TestBlockListsChangeUnderQuestions swaps a list of a hundred thousand names again and again under as many questions as go through, for blocked and
// other names.
func TestBlockListsChangeUnderQuestions(t *testing.T) {
	nettest.NeedRoot(t)
	const ads = 300
	l := newLab(t)
	text := func(change int) string {
		var b strings.Builder
		for i := range ads {
			fmt.Fprintf(&b, "0.0.0.0 ad%03d.example.net\n", i)
		}
		for i := range 100_000 {
			fmt.Fprintf(&b, "0.0.0.0 other%06d.change%d.example.net\n", i, change)
		}
		return b.String()
	}
	write(t, l.blockList(1), text(0))
	write(t, l.blockList(2), "")
	l.configure(t, strings.Replace(l.blockConfig(""), "allow", "answer = \"null\"\n    allow", 1))
	d, _ := l.start(t, "--log-level", "info")
	g := l.newAsker(t)
	var sources []netip.Addr
	for i := range 8 {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(60 + i)})
		g.Run(t, "ip", "address", "add", addr.String()+"/24", "dev", "eth0")
		sources = append(sources, addr)
	}
	g.dig(t, "www.example.org") // that it is cached
	set := generator.NewSet(ads+1, func(i int) string {
		if i == ads {
			return "www.example.org"
		}
		return fmt.Sprintf("ad%03d.example.net", i)
	}, func(i int, _ []byte) netip.Addr {
		if i == ads {
			return netip.MustParseAddr("192.0.2.80")
		}
		return netip.IPv4Unspecified()
	})
	clients := g.crowd(t, sources, 8)
	before := rcvbufErrors(t, l.router) + rcvbufErrors(t, g.Host)
	done := make(chan *generator.Result, 1)
	failed := make(chan error, 1)
	go func() {
		result, err := clients.Run(t.Context(), generator.Load{From: generator.Drawn(set, generator.Zipf(ads+1)), Limit: 10 * time.Second, Timeout: 10 * time.Second})
		failed <- err
		done <- result
	}()
	changes := 0
	for len(failed) == 0 {
		changes++
		reads := strings.Count(d.output(), "block list read")
		replace(t, l.blockList(1), text(changes))
		nettest.Eventually(t, limit, func() error {
			if strings.Count(d.output(), "block list read") == reads {
				return fmt.Errorf("change %d isn't noticed", changes)
			}
			return nil
		})
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	r := <-done
	t.Logf("%d answers, %.0f a second, %d changes meanwhile; the slowest of a thousand took %v", r.Answers, r.Rate(), changes, r.Times.Quantile(0.999))
	dropped := rcvbufErrors(t, l.router) + rcvbufErrors(t, g.Host) - before
	if r.Lost+r.Failed+r.Wrong+r.Strays+r.Unsent+dropped > 0 || changes < 2 {
		t.Errorf("of %d questions during %d changes %d were lost, %d failed and %d were answered wrongly (%s); %d datagrams found no room",
			r.Answers, changes, r.Lost, r.Failed, r.Wrong, r.Example, dropped)
	}
}
