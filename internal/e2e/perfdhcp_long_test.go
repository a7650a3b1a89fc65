//go:build long

package e2e

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestPerfdhcpFindsNoAddressGivenTwice has Kea's tester keep account of who has which address, while 200,000 clients lease,
// some of those renew, and some give their addresses back, which others then get.
func TestPerfdhcpFindsNoAddressGivenTwice(t *testing.T) {
	nettest.NeedRoot(t)
	const exchanges, rate, renewals, releases = 200_000, 2000, 500, 500
	l := newLab(t)
	// perfdhcp is a relay agent at an address that isn't given out. There is room for those that keep their leases,
	// but hardly for all: what was given back must be given out again.
	l.configure(t, `network "lab" {
  address = "10.0.0.1/14"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.1.0"
      end   = "10.2.160.255"
    }
  }
}
`)
	l.start(t, "--log-level", "warn")
	g := l.newGuest(t, "perfdhcp", "vm1")
	g.Run(t, "ip", "address", "add", "10.0.0.2/14", "dev", "eth0")
	l.attached(t, "vm1")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	before := l.counters(t)
	began := time.Now()
	out, err := g.Command(ctx, "perfdhcp", "-4", "-u", "-l", "eth0", "-r", itoa(rate), "-f", itoa(renewals), "-F", itoa(releases),
		"-R", itoa(2*exchanges), "-n", itoa(exchanges), "-W", "1500000", "10.0.0.1").CombinedOutput()
	// 3 is for exchanges that weren't completed, which are counted below.
	if err != nil && exitCode(err) != 3 {
		t.Fatalf("perfdhcp: %v\n%s", err, out)
	}
	report := readPerfdhcp(t, string(out))
	c := l.counters(t).since(before)
	t.Logf("%v in %v: %v", report, time.Since(began).Round(time.Second), c)
	offers, acks, renewed := report["DISCOVER-OFFER"], report["REQUEST-ACK"], report["REQUEST-ACK (renewal)"]
	if acks.received < exchanges*999/1000 {
		t.Errorf("only %d exchanges were complete", acks.received)
	}
	if offers.twice+acks.twice+renewed.twice != 0 {
		t.Errorf("%d addresses were offered, %d leased, %d renewed to two clients at a time", offers.twice, acks.twice, renewed.twice)
	}
	for _, r := range []perfdhcpResult{offers, acks, renewed} {
		if r.drops*1000 > r.sent || r.sent == 0 {
			t.Errorf("%d of %d were not answered within a second", r.drops, r.sent)
		}
	}
	if c["ack_renew"]+c["ack_rebind"] < exchanges/rate*renewals/2 || c["released"] < exchanges/rate*releases/2 || c.sum("nak_") != 0 {
		t.Errorf("too few renewals or releases, or refusals: %v", c)
	}
	if t.Failed() {
		t.Logf("perfdhcp says:\n%s", out)
	}
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
