package dnsserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// listFile writes a block list.
func listFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replaceFile puts a new file in place of an old one, as careful tools do.
func replaceFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// cloaks is a world whose names lead to trackers.
func cloaks(x exchange) {
	owner := x.query.Question[0].Name
	switch strings.ToLower(owner) {
	case "metrics.shop.example.":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME shop.tracker.example.", "shop.tracker.example. 300 CNAME edge.cdn.example.", "edge.cdn.example. 300 A 192.0.2.66")
	case "far.shop.example.":
		x.answer(dns.RcodeSuccess, owner+" 300 CNAME shop.tracker.example.")
	default:
		x.answer(dns.RcodeSuccess, owner+" 300 A 192.0.2.80")
	}
}

func blockedSOA(owner string) string {
	return owner + " 10 SOA " + owner + " nobody.invalid. 1 3600 600 86400 10"
}

func TestBlocking(t *testing.T) {
	up := startUpstream(t, cloaks)
	cfg := withUpstreams(t, up.addr)
	cfg.Networks[0].Records = append(cfg.Networks[0].Records, Record{Name: "tracked", Type: "CNAME", Values: []string{"www.tracker.example."}},
		Record{Name: "own.tracker.example.", Type: "A", Values: []string{"127.10.0.97"}})
	cfg.Block = Block{
		Files: []string{listFile(t, "# trackers\ntracker.example\n@@||good.tracker.example^\nbuilder.lab.internal\n"), listFile(t, "0.0.0.0 ads.example other.example\r\n")},
		Allow: []string{"other.example", "fine.shop.example"},
	}
	s := startServer(t, cfg, testLeases())
	for _, c := range []struct {
		name   string
		qtype  uint16
		want   string
		sends  int64
		reason reason
	}{
		{"ads.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("ads.example."), 0, blocked},
		{"ADS.example.", dns.TypeHTTPS, "NXDOMAIN: / " + blockedSOA("ADS.example."), 0, blocked},
		{"ads.example.", dns.TypeANY, "NXDOMAIN: / " + blockedSOA("ads.example."), 0, blocked},
		{"www.ads.example.", dns.TypeA, "NOERROR: www.ads.example. 300 A 192.0.2.80", 1, forwarded}, // a hosts line is about the name alone
		{"tracker.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("tracker.example."), 0, blocked},
		{"a.b.tracker.example.", dns.TypeAAAA, "NXDOMAIN: / " + blockedSOA("tracker.example."), 0, blocked},
		{"x.good.tracker.example.", dns.TypeA, "NOERROR: x.good.tracker.example. 300 A 192.0.2.80", 1, forwarded},
		{"other.example.", dns.TypeA, "NOERROR: other.example. 300 A 192.0.2.80", 1, forwarded},
		// Cloaked: the second time without asking.
		{"metrics.shop.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("metrics.shop.example."), 1, blocked},
		{"metrics.shop.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("metrics.shop.example."), 0, blocked},
		{"metrics.shop.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("metrics.shop.example."), 0, blocked},
		{"far.shop.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("far.shop.example."), 1, blocked},
		{"far.shop.example.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("far.shop.example."), 0, blocked},
		{"tracked.lab.internal.", dns.TypeA, "NXDOMAIN: / " + blockedSOA("tracked.lab.internal."), 0, blocked},
		// What is ours is nobody's to block.
		{"builder.lab.internal.", dns.TypeA, "NOERROR aa: builder.lab.internal. 60 A 127.10.0.10", 0, localHost},
		{"own.tracker.example.", dns.TypeA, "NOERROR aa: own.tracker.example. 60 A 127.10.0.97", 0, localRecord},
	} {
		before, counted := up.queries.Load(), s.Stats()[c.reason.String()]
		for _, network := range []string{"udp", "tcp"}[:2-min(1, c.sends)] {
			answer := ask(t, network, s.at, c.name, c.qtype, edns(1232, false))
			if got := brief(answer); got != c.want {
				t.Errorf("%s %s: got %s\nwant %s", c.name, dns.Type(c.qtype), got, c.want)
			}
			if ede := extendedOf(answer); c.reason == blocked && (len(ede) != 1 || ede[0].code != dns.ExtendedErrorCodeBlocked) {
				t.Errorf("%s: extended errors %v", c.name, ede)
			}
		}
		if sent := up.queries.Load() - before; sent != c.sends {
			t.Errorf("%s %s: %d questions went upstream, want %d", c.name, dns.Type(c.qtype), sent, c.sends)
		}
		if got := s.Stats()[c.reason.String()] - counted; got != uint64(2-min(1, c.sends)) {
			t.Errorf("%s %s: counted %d times as %s", c.name, dns.Type(c.qtype), got, c.reason)
		}
	}
	if answer := ask(t, "udp", s.at, "ads.example.", dns.TypeA); len(answer.Extra) != 0 {
		t.Errorf("an OPT for who has none: %v", answer)
	}
	found, err := s.BlockedBy("x.good.tracker.example")
	if err != nil || len(found) != 2 || found[0].Line != 2 || found[1].Line != 3 {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestBlockingByNullAddresses(t *testing.T) {
	cfg := withUpstreams(t, netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Block = Block{Files: []string{listFile(t, "ads.example\n")}, Null: true}
	s := startServer(t, cfg, testLeases())
	for _, c := range []struct {
		qtype uint16
		want  string
	}{
		{dns.TypeA, "NOERROR: x.ads.example. 10 A 0.0.0.0"},
		{dns.TypeAAAA, "NOERROR: x.ads.example. 10 AAAA ::"},
		{dns.TypeHTTPS, "NOERROR: / " + blockedSOA("ads.example.")},
	} {
		for _, change := range []func(*dns.Msg){func(*dns.Msg) {}, edns(1232, true)} {
			if got := brief(ask(t, "udp", s.at, "x.ads.example.", c.qtype, change)); got != c.want {
				t.Errorf("%s: got %s, want %s", dns.Type(c.qtype), got, c.want)
			}
		}
	}
}

// A list that changes counts at once, also for what the cache has, and a file that can't be read keeps what it had.
func TestBlockListsAreFollowed(t *testing.T) {
	up := startUpstream(t, cloaks)
	cfg := withUpstreams(t, up.addr)
	first, second := listFile(t, "a.example\n"), filepath.Join(t.TempDir(), "later")
	cfg.Block.Files = []string{first, second}
	var log logBuffer
	s := startLogging(t, cfg, testLeases(), slog.New(slog.NewTextHandler(&log, nil)))
	blocks := func(want string) {
		t.Helper()
		nettest.Eventually(t, 20*time.Second, func() error {
			got := ""
			for _, label := range []string{"a", "b", "c"} {
				if answer := ask(t, "udp", s.at, label+".example.", dns.TypeA); answer.Rcode == dns.RcodeNameError {
					got += label
				}
			}
			if answer := ask(t, "udp", s.at, "metrics.shop.example.", dns.TypeA); answer.Rcode == dns.RcodeNameError {
				got += "m"
			}
			if got != want {
				return fmt.Errorf("blocked are %q, want %q", got, want)
			}
			return nil
		})
	}
	state := func(want string) {
		t.Helper()
		got := ""
		for _, l := range s.BlockLists() {
			got += fmt.Sprintf("%d names, %d bad, error %t; ", l.Names, l.Bad, l.Err != nil)
		}
		if got != want {
			t.Errorf("block lists: %s\nwant %s", got, want)
		}
	}
	blocks("a")
	state("1 names, 0 bad, error false; 0 names, 0 bad, error true; ")
	replaceFile(t, second, "b.example\n[bad]\nb c\n")
	blocks("ab")
	state("1 names, 0 bad, error false; 1 names, 1 bad, error false; ")
	replaceFile(t, first, "c.example\ntracker.example\n")
	blocks("bcm")
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 20*time.Second, func() error {
		if !strings.Contains(log.String(), "what it had before still counts") || s.BlockLists()[1].Err == nil {
			return errors.New("not noticed")
		}
		return nil
	})
	blocks("bcm")
	state("2 names, 0 bad, error false; 1 names, 1 bad, error true; ")
	replaceFile(t, first, "<html>no list at all</html>\n")
	nettest.Eventually(t, 20*time.Second, func() error {
		if s.BlockLists()[0].Err == nil {
			return errors.New("not noticed")
		}
		return nil
	})
	blocks("bcm")
	replaceFile(t, first, "")
	replaceFile(t, second, "a.example\n")
	blocks("a")
	// The same lists, in another configuration, aren't read again.
	reads := strings.Count(log.String(), "block list read")
	cfg.Block.Null = true
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if got := brief(ask(t, "udp", s.at, "a.example.", dns.TypeA)); got != "NOERROR: a.example. 10 A 0.0.0.0" {
		t.Errorf("got %s", got)
	}
	cfg.Block = Block{}
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if got := brief(ask(t, "udp", s.at, "a.example.", dns.TypeA)); !strings.HasPrefix(got, "NOERROR: a.example. ") || strings.HasSuffix(got, "0.0.0.0") {
		t.Errorf("got %s", got)
	}
	if n := strings.Count(log.String(), "block list read"); n != reads {
		t.Errorf("lists were read %d times for a change that isn't theirs", n-reads)
	}
	cfg.Block.Allow = []string{"bad..name"}
	if err := s.Reconfigure(cfg); err == nil || Check(cfg) == nil {
		t.Errorf("a name that is none is let through: %v", err)
	}
}

// While lists are swapped under questions, every question is answered, by the old list or the new one.
func TestBlockListsAreSwappedUnderQuestions(t *testing.T) {
	up := startUpstream(t, cloaks)
	cfg := withUpstreams(t, up.addr)
	list := listFile(t, "a.example\n")
	cfg.Block.Files = []string{list}
	s := startServer(t, cfg, testLeases())
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			client := dns.Client{Timeout: 10 * time.Second}
			conn, err := client.Dial(s.at)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				m := new(dns.Msg).SetQuestion([]string{"a.example.", "x.b.example.", "builder."}[i%3], dns.TypeA)
				answer, _, err := client.ExchangeWithConn(m, conn)
				if err != nil || i%3 == 0 && answer.Rcode != dns.RcodeNameError || answer.Rcode != dns.RcodeNameError && len(answer.Answer) != 1 {
					t.Errorf("%v, %v", answer, err)
					return
				}
			}
		})
	}
	for i := range 100 {
		blocks, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		replaceFile(t, list, string(blocks)+fmt.Sprintf("x%d.example\n%s", i, []string{"b.example\n", ""}[i%2]))
		if err := s.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	asking.Wait()
}
