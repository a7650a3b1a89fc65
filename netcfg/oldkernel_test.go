package netcfg

import (
	"strings"
	"testing"
)

// TestRulesForOlderKernels: where rules may ask for routes at the first hook alone, sources are looked at there, with the same outcome.
func TestRulesForOlderKernels(t *testing.T) {
	for _, release := range []string{"5.10.0-28-amd64", "6.1.0-18-amd64"} {
		t.Run(release, func(t *testing.T) {
			r := newRouter(t)
			guest := r.guest(t, "tap0", "10.0.0.10/24")
			h := r.open(t)
			h.ns.release = release
			apply(t, h, networks(lab()))
			inOrder(t, h, networks(lab()))
			chains := r.Run(t, "nft", "list", "table", "inet", "labnet")
			if first := strings.Contains(chains, "hook prerouting priority raw"); first != (release[:2] == "5.") {
				t.Errorf("the first hook is used: %t", first)
			}
			echo(t, r.lan, "192.0.2.1:7")
			reaches(t, guest, "192.0.2.1:7", "192.0.2.2")
			guest.Run(t, "ip", "address", "add", "198.51.100.7/32", "dev", "eth0")
			for _, to := range []string{"192.0.2.1", "10.0.0.1"} {
				before := counter(t, r, "inet", "spoofed")
				if out, err := guest.Try("ping", "-c1", "-W1", "-I", "198.51.100.7", to); err == nil {
					t.Errorf("a forged source is answered by %s:\n%s", to, out)
				}
				if counter(t, r, "inet", "spoofed") == before {
					t.Errorf("a forged source on its way to %s isn't counted", to)
				}
			}
		})
	}
}
