package dhcpserver

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
	"labnet/leases"
)

// realClient is a DHCP client of Debian's, as a guest runs it.
type realClient struct {
	name    string
	files   map[string]string // in its directory
	start   func(dir string) []string
	renew   func(h *nettest.Host, t *testing.T, cmd *exec.Cmd) // nil: it renews by itself soon
	release func(h *nettest.Host, t *testing.T, cmd *exec.Cmd, dir string)
	persist bool   // a release may have to be asked for again
	prefix  string // of what its script is told
	lease   string // the variable of the lease time
}

// hook is what a client calls when its state changes: it notes what it is told, and configures the address, where the
// client leaves that to it.
const hook = `#!/bin/sh
what=${reason:-$1}
dir=$(dirname "$0")
env > "$dir/env.new" && mv "$dir/env.new" "$dir/env.$what"
case $what in
bound|renew) ip address replace "$ip/$mask" dev "$interface" ;;
BOUND|RENEW|REBIND|REBOOT) [ -z "$DHCPCD" ] && ip address replace "$new_ip_address/24" dev "$interface" ;;
esac
exit 0
`

var realClients = []realClient{
	{
		name: "udhcpc",
		start: func(dir string) []string {
			return []string{"udhcpc", "-f", "-i", "eth0", "-s", dir + "/hook", "-t", "20", "-T", "1", "-x", "hostname:udhcpc"}
		},
		renew: func(_ *nettest.Host, t *testing.T, cmd *exec.Cmd) { signal(t, cmd, unix.SIGUSR1) },
		release: func(_ *nettest.Host, t *testing.T, cmd *exec.Cmd, _ string) {
			signal(t, cmd, unix.SIGUSR2)
		},
		lease: "lease",
	},
	{
		name: "dhclient",
		files: map[string]string{
			"conf": "send host-name \"dhclient\";\nrequest subnet-mask, broadcast-address, routers, domain-name, domain-name-servers;\ninitial-interval 1;\nretry 1;\n",
		},
		start: func(dir string) []string {
			return []string{"dhclient", "-4", "-d", "-cf", dir + "/conf", "-lf", dir + "/leases", "-pf", dir + "/pid", "-sf", dir + "/hook", "eth0"}
		},
		release: func(h *nettest.Host, t *testing.T, _ *exec.Cmd, dir string) {
			h.Run(t, "dhclient", "-4", "-r", "-cf", dir+"/conf", "-lf", dir+"/leases", "-pf", dir+"/pid", "-sf", dir+"/hook", "eth0")
		},
		prefix: "new_", lease: "new_dhcp_lease_time",
	},
	{
		name:  "dhcpcd",
		files: map[string]string{"conf": "option subnet_mask, routers, domain_name_servers, domain_name\nenv DHCPCD=1\nhostname dhcpcd\nnoipv4ll\nrelease\n"},
		start: func(dir string) []string {
			return []string{"dhcpcd", "-B", "-4", "-A", "-f", dir + "/conf", "-c", dir + "/hook", "eth0"}
		},
		renew:   func(h *nettest.Host, t *testing.T, _ *exec.Cmd) { h.Run(t, "dhcpcd", "-4", "-N", "eth0") },
		release: func(_ *nettest.Host, t *testing.T, cmd *exec.Cmd, _ string) { signal(t, cmd, unix.SIGTERM) },
		persist: true,
		prefix:  "new_", lease: "new_dhcp_lease_time",
	},
}

// TestRealClients runs the clients of Debian's beside each other: each gets everything, renews, and releases.
func TestRealClients(t *testing.T) {
	nettest.NeedRoot(t)
	ownStateOfDhcpcd(t)
	const dhclientMAC = "52:54:00:00:01:01"
	hw, _ := net.ParseMAC(dhclientMAC)
	l := newLab(t, func(c *Config) {
		// dhclient can't be told to renew: its lease is short.
		c.Hosts = []HostOptions{{Host: "short", LeaseTime: 10 * time.Second}}
	}, func(n *leases.Network) {
		n.Reservations = append(n.Reservations, leases.Reservation{
			Name: "short", HWAddr: leases.HWAddr(hw), Addr: netip.MustParseAddr("10.0.0.60"),
		})
	})
	for i, c := range realClients {
		t.Run(c.name, func(t *testing.T) {
			guest := nettest.NewHost(t, c.name)
			plug(t, l.router, "br0", fmt.Sprintf("tap%d", i+1), guest, "eth0")
			mac := fmt.Sprintf("52:54:00:00:01:%02x", i)
			guest.Run(t, "ip", "link", "set", "eth0", "address", mac)
			serveRealClient(t, l, guest, c, mac)
		})
	}
}

// ownStateOfDhcpcd hides the places where dhcpcd keeps its state.
func ownStateOfDhcpcd(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/run/dhcpcd", "/var/lib/dhcpcd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
}

func serveRealClient(t *testing.T, l *lab, guest *nettest.Host, c realClient, mac string) {
	dir := t.TempDir()
	for name, text := range c.files {
		write(t, filepath.Join(dir, name), text, 0o644)
	}
	write(t, filepath.Join(dir, "hook"), hook, 0o755)
	cmd, output := guest.Start(t, c.start(dir)...)

	var told map[string]string
	defer func() {
		if t.Failed() {
			t.Logf("told: %v\nthe client says:\n%s\nthe server says:\n%s", told, output(), l.log)
		}
	}()
	nettest.Eventually(t, 30*time.Second, func() (err error) {
		told, err = readHook(dir, "bound", "BOUND", "REBOOT")
		return err
	})
	lease := leaseOf(t, l, mac)
	want := map[string]string{"router": "10.0.0.1", "dns": "10.0.0.1", "domain": "lab.example.org", "subnet": "255.255.255.0", "ip": lease.Addr.String(), c.lease: "3600"}
	if c.prefix != "" {
		want = map[string]string{
			"new_routers": "10.0.0.1", "new_domain_name_servers": "10.0.0.1", "new_domain_name": "lab.example.org",
			"new_subnet_mask": "255.255.255.0", "new_ip_address": lease.Addr.String(), c.lease: "3600",
		}
	}
	if lease.Reserved {
		want[c.lease] = "10"
	}
	for k, v := range want {
		if told[k] != v {
			t.Errorf("%s is %q, want %q", k, told[k], v)
		}
	}
	if !lease.Reserved && lease.Name != c.name {
		t.Errorf("its name is %q", lease.Name)
	}

	if c.renew != nil {
		// The address must be there before it can be renewed from.
		nettest.Eventually(t, patience, func() error {
			if out := guest.Run(t, "ip", "-4", "-o", "address", "show", "dev", "eth0"); !strings.Contains(out, lease.Addr.String()+"/24") {
				return fmt.Errorf("addresses: %s", out)
			}
			return nil
		})
		c.renew(guest, t, cmd)
	}
	nettest.Eventually(t, time.Minute, func() error { return logged(l, mac, "lease renewed") })
	if c.name != "dhcpcd" { // which tells its script nothing when nothing changes
		nettest.Eventually(t, patience, func() error {
			_, err := readHook(dir, "renew", "RENEW")
			return err
		})
	}
	// dhcpcd 9.4 loses a signal that comes while it is busy with another one, so it is told again.
	var asked time.Time
	nettest.Eventually(t, 30*time.Second, func() error {
		if time.Since(asked) > 2*time.Second && (asked.IsZero() || c.persist) {
			c.release(guest, t, cmd, dir)
			asked = time.Now()
		}
		return logged(l, mac, "lease released")
	})
	if got := leaseOf(t, l, mac); got.State != leases.Released || got.Addr != lease.Addr {
		t.Errorf("after the release: %+v", got)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func signal(t *testing.T, cmd *exec.Cmd, s unix.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// readHook reads what a client's script was told on the first of some occasions that has come.
func readHook(dir string, occasions ...string) (map[string]string, error) {
	for _, o := range occasions {
		text, err := os.ReadFile(filepath.Join(dir, "env."+o))
		if err != nil {
			continue
		}
		told := make(map[string]string)
		for line := range strings.Lines(string(text)) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			told[k] = v
		}
		return told, nil
	}
	return nil, fmt.Errorf("the client's script wasn't called with any of %v", occasions)
}

// leaseOf is the lease of the machine with this hardware address.
func leaseOf(t *testing.T, l *lab, mac string) leases.Lease {
	t.Helper()
	hw, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	for _, lease := range l.table.Leases("lab") {
		if lease.HWAddr == leases.HWAddr(hw) {
			return lease
		}
	}
	t.Fatalf("%s has no lease", mac)
	return leases.Lease{}
}

// logged says whether the server has logged something about a client.
func logged(l *lab, mac, what string) error {
	for line := range strings.Lines(l.log.String()) {
		if strings.Contains(line, fmt.Sprintf("msg=%q", what)) && strings.Contains(line, "client="+mac) {
			return nil
		}
	}
	return fmt.Errorf("%s: not yet: %s", mac, what)
}
