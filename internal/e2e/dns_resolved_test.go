package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// resolved starts systemd-resolved on the guest, with labnet's address as its DNS server. Other programs ask it at 127.0.0.53.
func (g *guest) resolved(t *testing.T) (output func() string) {
	t.Helper()
	// Unpacked, not installed: that would give the machine's own /etc/resolv.conf to it.
	program, err := filepath.Abs("../../bin/peers/systemd-resolved/lib/systemd/systemd-resolved")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("unpack systemd-resolved first (`make test-deps`): %v", err)
	}
	// `ip netns exec` lays these over /etc.
	etc := filepath.Join("/etc/netns", g.Host.Name)
	if err := os.MkdirAll(filepath.Join(etc, "systemd"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct{ name, line string }{
		{"passwd", "systemd-resolve:x:990:990::/:/usr/sbin/nologin\n"}, {"group", "systemd-resolve:x:990:\n"},
	} {
		write(t, filepath.Join(etc, file.name), read(t, "/etc/"+file.name)+file.line)
	}
	write(t, filepath.Join(etc, "systemd", "resolved.conf"), "[Resolve]\nDNS=10.0.0.1\nDomains=lab.internal\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n")
	setResolver(t, g.Host, "nameserver 127.0.0.53\nsearch lab.internal\noptions edns0 trust-ad\n")
	script, err := filepath.Abs("testdata/resolved")
	if err != nil {
		t.Fatal(err)
	}
	_, output = g.Start(t, "unshare", "-m", script, program)
	nettest.Eventually(t, limit, func() error {
		out, err := g.Try("dig", "+time=1", "+tries=1", "@127.0.0.53", "gateway.lab.internal")
		if err != nil {
			return fmt.Errorf("systemd-resolved doesn't answer: %s%s", out, output())
		}
		return nil
	})
	return output
}

// TestSystemdResolved has a guest resolve as most do that have systemd: a program asks systemd-resolved, which asks labnet with EDNS, and
// thinks less of a server whose answers don't please it.
func TestSystemdResolved(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, resolversConfig)
	l.start(t, "--log-level", "info")
	g := l.standing(t, "resolved", "vm1", "10.0.0.50")
	output := g.resolved(t)
	for _, transport := range []string{"+notcp", "+tcp"} {
		for _, a := range asked {
			if a.name == "large.example.org" && transport == "+notcp" {
				continue
			}
			out := g.Run(t, "dig", "+short", transport, a.name, a.qtype)
			if plain := strings.ReplaceAll(out, `"`, ""); !strings.Contains(plain, a.want) {
				t.Errorf("%s %s %s: no %q in\n%s", transport, a.name, a.qtype, a.want, out)
			}
		}
	}
	for name, want := range map[string]string{"builder": "10.0.0.10", "v4.example.org": "192.0.2.44", "nick.lab.internal": "10.0.0.10"} {
		if out := g.Run(t, "getent", "ahostsv4", name); !strings.HasPrefix(out, want) {
			t.Errorf("%s has %s", name, out)
		}
	}
	for _, missing := range []string{"missing.lab.internal", "missing.example.org"} {
		if out := g.Run(t, "dig", missing); !strings.Contains(out, "NXDOMAIN") {
			t.Errorf("%s: %s", missing, out)
		}
	}
	for _, complaint := range []string{"degraded", "Grace period"} {
		if strings.Contains(output(), complaint) {
			t.Errorf("it complains:\n%s", output())
		}
	}
}
