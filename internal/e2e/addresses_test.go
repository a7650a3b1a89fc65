package e2e

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// moreConfig is a network with a secondary subnet; more stands in its block.
func moreConfig(more string) string {
	return strings.Replace(labConfig, "  address = \"10.0.0.1/24\"\n", "  address = \"10.0.0.1/24\"\n"+more, 1)
}

// gatewayGuest is a guest with an address that it sets itself, and its gateway.
func (l *lab) gatewayGuest(t *testing.T, name, port, address, gateway string) *guest {
	t.Helper()
	g := l.newGuest(t, name, port)
	g.Run(t, "ip", "link", "set", "eth0", "up")
	g.Run(t, "ip", "address", "add", address, "dev", "eth0")
	g.Run(t, "ip", "route", "add", "default", "via", gateway)
	return g
}

// reaches waits until a guest can, or can't, ping an address.
func (g *guest) reaches(t *testing.T, address string, can bool) {
	t.Helper()
	nettest.Eventually(t, limit, func() error {
		if out, err := g.Try("ping", "-n", "-c", "1", "-W", "1", address); (err == nil) != can {
			return fmt.Errorf("ping %s: %v\n%s", address, err, out)
		}
		return nil
	})
}

// TestSecondaryAddresses has guests of a second subnet on a bridge, which comes by a reload, is mended, and goes.
func TestSecondaryAddresses(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.gatewayGuest(t, "camera", "vm1", "10.5.0.9/24", "10.5.0.1")
	leased := l.newGuest(t, "leased", "vm2")
	leased.udhcpc(t)
	leased.leased(t)
	g.reaches(t, "10.5.0.1", false)

	l.configure(t, moreConfig("  addresses = [\"10.5.0.1/24\"]\n  host \"camera\" {\n    address = \"10.5.0.9\"\n  }\n"))
	if out := l.labnet(t, "plan"); !strings.Contains(out, "+ address 10.5.0.1/24 on br0") || strings.Contains(out, "10.0.0.1/24") {
		t.Errorf("the plan:\n%s", out)
	}
	l.reload(t, d, "the configuration is reloaded")
	g.reaches(t, "10.5.0.1", true)
	g.reaches(t, lanAddr, true) // who answers knows of no such subnet: it is masqueraded
	leased.reaches(t, "10.5.0.9", true)
	for _, at := range []string{"10.5.0.1", "10.0.0.1"} {
		for question, want := range map[string]string{
			"camera.lab.internal":       "10.5.0.9",
			"www.example.org":           "192.0.2.80",
			"9.0.5.10.in-addr.arpa PTR": "camera.lab.internal.",
			"1.0.5.10.in-addr.arpa PTR": "",
		} {
			out := g.Run(t, append([]string{"dig", "+short", "+time=5", "@" + at}, strings.Fields(question)...)...)
			if got := strings.TrimSpace(out); want != "" && got != want || want == "" && !strings.HasSuffix(got, ".lab.internal.") {
				t.Errorf("%s at %s: %q, want %q", question, at, got, want)
			}
		}
	}
	if out, err := l.tryLabnet(t, "explain", "dns", "camera", "--from", "10.5.0.9"); err != nil || !strings.Contains(out, "10.5.0.9 is of network lab, 10.5.0.0/24") {
		t.Errorf("explain: %v\n%s", err, out)
	}
	// Whose subnet isn't the network's is still kept out.
	g.Run(t, "ip", "address", "add", "10.8.0.9/24", "dev", "eth0")
	if out, err := g.Try("ping", "-n", "-c", "1", "-W", "1", "-I", "10.8.0.9", lanAddr); err == nil {
		t.Errorf("a source of no subnet gets through:\n%s", out)
	}

	l.router.Run(t, "ip", "address", "del", "10.5.0.1/24", "dev", "br0")
	g.reaches(t, "10.5.0.1", true)
	if err := contains(d.output(), "repaired"); err != nil {
		t.Error(err)
	}
	if out := l.labnet(t, "status"); !strings.Contains(out, "10.5.0.1/24") {
		t.Errorf("status doesn't say it:\n%s", out)
	}

	l.configure(t, labConfig)
	l.reload(t, d, "the configuration is reloaded")
	g.reaches(t, "10.5.0.1", false)
	leased.reaches(t, "10.0.0.1", true)
	l.labnet(t, "down")
	if out := l.router.Run(t, "ip", "-o", "address"); strings.Contains(out, "10.5.0.1") || strings.Contains(out, "10.0.0.1") {
		t.Errorf("something is left:\n%s", out)
	}
}
