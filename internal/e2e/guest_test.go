package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// guest is a machine behind the router.
type guest struct {
	*nettest.Host
	name      string
	dir       string
	leaseFile string
}

// newGuest plugs a machine into the router by a link that labnet attaches by its name.
func (l *lab) newGuest(t *testing.T, name, port string) *guest {
	t.Helper()
	g := &guest{Host: nettest.NewHost(t, name), name: name, dir: t.TempDir()}
	g.leaseFile = filepath.Join(g.dir, "lease")
	setResolver(t, g.Host, "")
	nettest.Link(t, g.Host, "eth0", l.router, port)
	return g
}

// env is how the client's script is told what to do.
func (g *guest) env(setsAddress string) []string {
	return []string{"env", "GUEST_LEASE=" + g.leaseFile, "GUEST_SETS_ADDRESS=" + setsAddress}
}

func script(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/guest-script")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// udhcpc starts busybox's client; it renews by itself and releases on SIGUSR2.
func (g *guest) udhcpc(t *testing.T, more ...string) {
	t.Helper()
	args := append(g.env("yes"), "udhcpc", "-f", "-i", "eth0", "-s", script(t), "-x", "hostname:"+g.name, "-R", "-t", "10", "-T", "1", "-A", "1",
		"-p", filepath.Join(g.dir, "pid"))
	g.Start(t, append(args, more...)...)
}

// dhclient starts ISC's client.
func (g *guest) dhclient(t *testing.T) {
	t.Helper()
	conf := filepath.Join(g.dir, "dhclient.conf")
	write(t, conf, fmt.Sprintf("send host-name %q;\nrequest subnet-mask, routers, domain-name, domain-name-servers, dhcp-lease-time;\ntimeout 20;\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 2;\n", g.name))
	// dhclient hands its script only the variables named by -e.
	g.Start(t, append(g.env("yes"), "dhclient", "-4", "-d", "-cf", conf, "-lf", filepath.Join(g.dir, "leases"), "-pf", filepath.Join(g.dir, "pid"),
		"-e", "GUEST_LEASE="+g.leaseFile, "-e", "GUEST_SETS_ADDRESS=yes", "-sf", script(t), "eth0")...)
}

// dhcpcd starts Roy Marples' client, which sets the address itself.
func (g *guest) dhcpcd(t *testing.T) {
	t.Helper()
	conf := filepath.Join(g.dir, "dhcpcd.conf")
	write(t, conf, fmt.Sprintf("hostname %s\nclientid\nipv4only\noption domain_name_servers, domain_name, routers\nenv GUEST_LEASE=%s\nenv GUEST_SETS_ADDRESS=no\nscript %s\n",
		g.name, g.leaseFile, script(t)))
	g.Start(t, append(g.env("no"), "dhcpcd", "-B", "-4", "-f", conf, "eth0")...)
}

// networkd starts systemd's client, with an RFC 4361 identifier: an IAID and a DUID. It gives its lease back at SIGTERM.
func (g *guest) networkd(t *testing.T) *exec.Cmd {
	t.Helper()
	start, err := filepath.Abs("testdata/networkd")
	if err != nil {
		t.Fatal(err)
	}
	// No two machines have one DUID: of an address that belongs to this one.
	duid := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
	network := filepath.Join(g.dir, "eth0.network")
	write(t, network, fmt.Sprintf("[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n[DHCPv4]\nHostname=%s\nUseHostname=no\nIAID=42\nDUIDType=vendor\nDUIDRawData=00:00:ab:11:00:00:%s\n", g.name, duid))
	// By a shell of its own: the mounts are for it alone.
	cmd, output := g.Start(t, append(g.env("no"), "unshare", "-m", start, filepath.Join(g.dir, "netif"), network)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("systemd-networkd says:\n%s", output())
		}
	})
	return cmd
}

// leased waits for the client's lease and returns what the script was told.
func (g *guest) leased(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	nettest.Eventually(t, 30*time.Second, func() error {
		text, err := os.ReadFile(g.leaseFile)
		if err != nil {
			return fmt.Errorf("%s has no lease: %w", g.name, err)
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			found[key] = value
		}
		return nil
	})
	// The client may call its script before the address is set.
	nettest.Eventually(t, 20*time.Second, func() error {
		if out := g.Run(t, "ip", "-4", "-o", "address", "show", "dev", "eth0"); !strings.Contains(out, found["address"]+"/") || strings.Contains(out, "tentative") {
			return fmt.Errorf("%s has not set %s: %s", g.name, found["address"], out)
		}
		return nil
	})
	return found
}

// resolve asks the guest's own stub resolver configuration, with its search list, and returns the answers.
func (g *guest) resolve(t *testing.T, args ...string) []string {
	t.Helper()
	return strings.Fields(g.Run(t, append([]string{"dig", "+search", "+short", "+time=2", "+tries=2"}, args...)...))
}
