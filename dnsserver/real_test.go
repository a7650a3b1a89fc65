package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

const namedConf = `options {
	directory "%[1]s";
	pid-file "%[1]s/named.pid";
	listen-on port 53 { 192.0.2.53; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
	allow-query { any; };
};
controls { };
zone "example.org" { type primary; file "%[1]s/example.org.zone"; };
`

const exampleZone = `$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
alias CNAME www
*.wild A 192.0.2.81
big TXT %s
`

// startNamed runs BIND as an authoritative server on a host at 192.0.2.53.
func startNamed(t *testing.T, h *nettest.Host) {
	t.Helper()
	dir, err := os.MkdirTemp("", "named")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	long := strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 10)
	for name, text := range map[string]string{
		"named.conf": fmt.Sprintf(namedConf, dir), "example.org.zone": fmt.Sprintf(exampleZone, long),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, output := h.Start(t, "named", "-g", "-c", filepath.Join(dir, "named.conf"))
	nettest.Eventually(t, 20*time.Second, func() error {
		if out, err := h.Try("dig", "+short", "+time=1", "+tries=1", "@192.0.2.53", "www.example.org"); err != nil || strings.TrimSpace(out) != "192.0.2.80" {
			return fmt.Errorf("named isn't ready: %s %v\n%s", out, err, output())
		}
		return nil
	})
}

// Real clients, a real upstream, real links: a guest, a stranger on the upstream's side, and this process as the router.
func TestRealPeers(t *testing.T) {
	nettest.NeedRoot(t)
	guest, lan := nettest.NewHost(t, "guest"), nettest.NewHost(t, "lan")
	for _, link := range []struct {
		host       *nettest.Host
		name       string
		ours, them string
	}{{guest, "dns-guest", "10.0.0.1/24", "10.0.0.50/24"}, {lan, "dns-lan", "192.0.2.1/24", "192.0.2.53/24"}} {
		router(t, "ip", "link", "add", link.name, "type", "veth", "peer", "name", "eth0", "netns", link.host.Name)
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", link.name).Run() })
		router(t, "ip", "address", "add", link.ours, "dev", link.name)
		router(t, "ip", "link", "set", link.name, "up")
		link.host.Run(t, "ip", "address", "add", link.them, "dev", "eth0")
		link.host.Run(t, "ip", "link", "set", "eth0", "up")
	}
	lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", "192.0.2.1")
	startNamed(t, lan)

	leases := &leaseMap{}
	leases.set("lab", "vm1", "10.0.0.50", time.Hour)
	s, err := Listen(Config{
		HostName: "router",
		Networks: []Network{{
			Name: "lab", Domain: "lab.internal", Address: netip.MustParsePrefix("10.0.0.1/24"),
			Hosts:   []Host{{Name: "builder", Addr: netip.MustParseAddr("10.0.0.10")}},
			Records: []Record{{Name: "registry", Type: "CNAME", Values: []string{"builder"}}},
		}},
		Upstreams: []UpstreamGroup{{Name: "default", Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}}},
	}, leases, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	// In this process's own mount namespace, which the hosts' commands inherit.
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 10.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(resolv, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("giving the guest a resolv.conf: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount("/etc/resolv.conf", 0) })

	for _, c := range []struct {
		name string
		host *nettest.Host
		args string
		want string
	}{
		{"dig lease", guest, "dig +short vm1.lab.internal", "10.0.0.50"},
		{"dig reverse", guest, "dig +short -x 10.0.0.50", "vm1.lab.internal."},
		{"dig gateway", guest, "dig +short -x 10.0.0.1", "router.lab.internal."},
		{"dig alias", guest, "dig +short registry.lab.internal", "builder.lab.internal.\n10.0.0.10"},
		{"dig outside", guest, "dig +short www.example.org", "192.0.2.80"},
		{"dig outside over TCP", guest, "dig +tcp +short alias.example.org", "www.example.org.\n192.0.2.80"},
		{"dig big", guest, "dig +short +bufsize=1232 big.example.org TXT", strings.TrimSpace(strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 10))},
		{"dig keepopen", guest, "dig +tcp +keepopen +short vm1.lab.internal ns.example.org", "10.0.0.50\n192.0.2.53"},
		{"C library, single label", guest, "getent ahostsv4 vm1", "10.0.0.50"},
		{"C library, alias", guest, "getent ahostsv4 registry", "10.0.0.10"},
		{"C library, outside", guest, "getent ahostsv4 a.wild.example.org", "192.0.2.81"},
		{"C library, reverse", guest, "getent hosts 10.0.0.10", "10.0.0.10       builder.lab.internal"},
		{"busybox", guest, "busybox nslookup vm1", "Address: 10.0.0.50"},
		{"busybox reverse", guest, "busybox nslookup 10.0.0.50", "name = vm1.lab.internal"},
		{"nslookup", guest, "nslookup builder", "Address: 10.0.0.10"},
		{"host", guest, "host www.example.org", "www.example.org has address 192.0.2.80"},
		{"stranger", lan, "dig @10.0.0.1 vm1.lab.internal", "status: REFUSED"},
		{"stranger over TCP", lan, "dig +tcp @10.0.0.1 vm1.lab.internal", "status: REFUSED"},
		{"version of CH", guest, "dig CH TXT version.bind", "status: REFUSED"},
		{"zone transfer", guest, "dig AXFR lab.internal", "Transfer failed"},
		{"unknown EDNS version", guest, "dig +edns=1 +noednsneg vm1.lab.internal", "status: BADVERS"},
		{"unknown EDNS option", guest, "dig +ednsopt=100 vm1.lab.internal", "status: NOERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := c.host.Try(strings.Fields(c.args)...)
			if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() == 127) {
				t.Fatal(err)
			}
			if !strings.Contains(out, c.want) {
				t.Errorf("%s: got\n%s\nwant\n%s", c.args, out, c.want)
			}
		})
	}
}

func router(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
