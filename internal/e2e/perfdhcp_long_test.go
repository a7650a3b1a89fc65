//go:build long

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestPerfdhcpFindsNoAddressGivenTwice has Kea's tester keep account of who has which address, while 200,000 clients lease, some
// of those renew, and some give their addresses back. A DHCPRELEASE doesn't count for perfdhcp's account (2.2 strikes off
// yiaddr, which is 0 in it), so none of the addresses that are given back may be needed again. TestGivenBackIsGivenOnce has that.
func TestPerfdhcpFindsNoAddressGivenTwice(t *testing.T) {
	// A renewal or a release for each exchange: perfdhcp is slow in choosing from many leases that had neither.
	const exchanges, rate, renewals, releases = 200_000, 2000, 1200, 800
	report, c := perfdhcp(t, "10.0.0.1/13", "10.7.255.254", exchanges, rate, renewals, releases, nil)
	offers, acks, renewed := report["DISCOVER-OFFER"], report["REQUEST-ACK"], report["REQUEST-ACK (renewal)"]
	if offers.twice+acks.twice+renewed.twice != 0 {
		t.Errorf("%d addresses were offered, %d leased, %d renewed to two clients at a time", offers.twice, acks.twice, renewed.twice)
	}
	for _, r := range []perfdhcpResult{offers, acks, renewed} {
		if r.drops*100 > r.sent || r.sent == 0 {
			t.Errorf("%d of %d were not answered in time", r.drops, r.sent)
		}
	}
	if c["shed"]+c["overload"]+c["queue_overflow"] != 0 {
		t.Errorf("the daemon couldn't keep up: %v", c)
	}
	if acks.received < exchanges*99/100 {
		t.Errorf("only %d exchanges were complete", acks.received)
	}
	// While perfdhcp gets no CPU, fewer are begun.
	if c["ack_renew"]+c["ack_rebind"] < exchanges/rate*renewals/2 || c["released"] < exchanges/rate*releases/2 || c.sum("nak_") != 0 {
		t.Errorf("too few renewals or releases, or refusals: %v", c)
	}
}

// TestGivenBackIsGivenOnce lets perfdhcp's clients share few addresses, so that each address that is given back is soon
// another one's. An account of our own, of what goes over the link, says who has it.
func TestGivenBackIsGivenOnce(t *testing.T) {
	const exchanges, rate, renewals, releases = 10_000, 1000, 100, 900
	var a *account
	_, c := perfdhcp(t, "10.0.0.1/20", "10.0.12.255", exchanges, rate, renewals, releases, func(h *nettest.Host) { a = newAccount(t, h) })
	leased, released, again, twice := a.sum(t)
	t.Logf("%d leased, %d given back, %d of those given again", leased, released, again)
	if twice != nil {
		t.Errorf("%d addresses were given to two at a time; %s", len(twice), twice[0])
	}
	if leased < exchanges/2 || released < exchanges/4 || again < exchanges/10 {
		t.Errorf("too few to show anything: %v", c)
	}
}

// perfdhcp starts a daemon that gives out what is from 10.0.1.0 to last, and has perfdhcp, a relay agent on its link, make
// exchanges, rate a second, and renewals and releases beside. watch is called before with its host, unless it is nil.
func perfdhcp(t *testing.T, address, last string, exchanges, rate, renewals, releases int, watch func(h *nettest.Host)) (map[string]perfdhcpResult, counters) {
	t.Helper()
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, fmt.Sprintf(`network "lab" {
  address = %q
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.1.0"
      end   = %q
    }
  }
}
`, address, last))
	l.start(t, "--log-level", "warn")
	g := l.newGuest(t, "perfdhcp", "vm1")
	g.Run(t, "ip", "address", "add", strings.Replace(address, "10.0.0.1", "10.0.0.2", 1), "dev", "eth0")
	l.attached(t, "vm1")
	if watch != nil {
		watch(g.Host)
	}
	// In seconds: perfdhcp itself may have to wait for a CPU.
	const patience = 5
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	before, began := l.counters(t), time.Now()
	out, err := g.Command(ctx, "perfdhcp", "-4", "-u", "-l", "eth0", "-r", itoa(rate), "-f", itoa(renewals), "-F", itoa(releases),
		"-R", itoa(2*exchanges), "-n", itoa(exchanges), "-d", itoa(patience), "-W", itoa(patience*1_000_000), "10.0.0.1").CombinedOutput()
	// 3 is for exchanges that weren't completed; they are in the report.
	if err != nil && exitCode(err) != 3 {
		t.Fatalf("perfdhcp: %v\n%s", err, out)
	}
	report, c := readPerfdhcp(t, string(out)), l.counters(t).since(before)
	t.Logf("%v in %v: %v", report, time.Since(began).Round(time.Second), c)
	return report, c
}

// perfdhcpResult is what perfdhcp says of one kind of exchange.
type perfdhcpResult struct {
	sent, received, drops int
	twice                 int // addresses that two clients had
}

// readPerfdhcp reads perfdhcp's report: sections with a line of their name between stars, then lines of "what: number".
func readPerfdhcp(t *testing.T, text string) map[string]perfdhcpResult {
	t.Helper()
	_, text, found := strings.Cut(text, "***Rate statistics***")
	if !found {
		t.Fatalf("no report of perfdhcp's:\n%s", text)
	}
	report := map[string]perfdhcpResult{}
	heading, line := regexp.MustCompile(`^\*\*\*Statistics for: (.*)\*\*\*`), regexp.MustCompile(`^([a-z ]+): (\d+)`)
	name := ""
	for one := range strings.Lines(text) {
		if m := heading.FindStringSubmatch(one); m != nil {
			name = m[1]
		}
		m := line.FindStringSubmatch(one)
		if m == nil || name == "" {
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		r := report[name]
		switch m[1] {
		case "sent packets":
			r.sent = n
		case "received packets":
			r.received = n
		case "drops":
			r.drops = n
		case "non unique addresses":
			r.twice = n
		}
		report[name] = r
	}
	return report
}
