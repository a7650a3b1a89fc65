package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// checkup is what doctor says in JSON.
type checkup struct {
	Status   string
	Findings []struct{ Area, Network, Status, What, Fix string }
}

// doctor runs the verb both ways, and holds them to each other.
func (l *lab) doctor(t *testing.T, args ...string) checkup {
	t.Helper()
	out, err := l.router.Try(l.args(t, append([]string{"doctor", "-o", "json"}, args...)...)...)
	var found checkup
	if jsonErr := json.Unmarshal([]byte(out), &found); jsonErr != nil {
		t.Fatalf("%v %v\n%s", err, jsonErr, out)
	}
	if want := map[string]int{"ok": 0, "warn": 0, "fail": 1}[found.Status]; exitCode(err) != want {
		t.Errorf("exit code %d of a report that says %q", exitCode(err), found.Status)
	}
	return found
}

// text is the findings of some statuses.
func (c checkup) text(statuses ...string) string {
	var out strings.Builder
	for _, f := range c.Findings {
		for _, s := range statuses {
			if f.Status == s {
				fmt.Fprintf(&out, "[%s] %s %s: %s\n  %s\n", f.Status, f.Area, f.Network, f.What, f.Fix)
			}
		}
	}
	return out.String()
}

// culprit fails the test unless the one thing that is wrong is named, with a fix, and nothing else fails. others are areas that may fail with it.
func (c checkup) culprit(t *testing.T, status, area, what, fix string, others ...string) {
	t.Helper()
	found := false
	for _, f := range c.Findings {
		if f.Status == status && f.Area == area && strings.Contains(f.What, what) && strings.Contains(f.Fix, fix) {
			found = true
			continue
		}
		if f.Status == "fail" && !strings.Contains(" "+strings.Join(others, " ")+" ", " "+f.Area+" ") {
			t.Errorf("this fails too: %s: %s", f.Area, f.What)
		}
	}
	if !found {
		t.Errorf("no [%s] %s with %q and the fix %q in\n%s", status, area, what, fix, c.text("warn", "fail"))
	}
}

const doctorConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    lease_time = "1h"
    range {
      start = "10.0.0.100"
      end   = "10.0.0.102"
    }
  }
  dns {
    name_conflict = "reject"
  }
}
`

// doctorLab is a healthy lab with one guest that has a lease.
func doctorLab(t *testing.T) (*lab, *guest, *daemon) {
	t.Helper()
	l := newLab(t)
	l.configure(t, doctorConfig)
	g := l.newGuest(t, "web", "vm1")
	d, _ := l.start(t)
	g.udhcpc(t)
	g.leased(t)
	if _, err := os.Stat("/proc/sys/net/bridge"); err == nil {
		l.router.Run(t, "sysctl", "-q", "-w", "net.bridge.bridge-nf-call-iptables=0")
	}
	return l, g, d
}

func TestDoctorFindsAHealthyLab(t *testing.T) {
	nettest.NeedRoot(t)
	l, g, _ := doctorLab(t)
	mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
	addr := g.leased(t)["address"]
	for _, args := range [][]string{nil, {"web"}, {"web.lab.internal"}, {mac}, {addr}, {"vm1"}} {
		found := l.doctor(t, args...)
		if found.Status != "ok" {
			t.Errorf("doctor %v:\n%s", args, found.text("warn", "fail"))
		}
		if len(args) > 0 {
			all := found.text("ok")
			for _, want := range []string{mac, addr, "vm1 is up on br0", "answers ARP and ping", "web.lab.internal resolves to " + addr, "masqueraded as " + uplinkAddr} {
				if !strings.Contains(all, want) {
					t.Errorf("doctor %v: no %q in\n%s", args, want, all)
				}
			}
		}
	}
	out := l.labnet(t, "doctor")
	for _, want := range []string{"[ ok ] daemon", "[ ok ] bridge lab", "[ ok ] dhcp lab", "[ ok ] dns lab", "[ ok ] forwarding", "[ ok ] nat", "eth0 as 192.0.2.2 by 192.0.2.1, which answers", "[ ok ] upstream"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("doctor changed something:\n%s", plan)
	}
	out, err := l.tryLabnet(t, "doctor", "ghost")
	if exitCode(err) != 1 || !strings.Contains(out, "no lease, host block, port or machine on a bridge has the name, address or MAC \"ghost\"") {
		t.Errorf("an unknown guest: %v\n%s", err, out)
	}
	// Who may ask the daemon, but not look into the kernel, is told so.
	for _, dir := range []string{l.dir, filepath.Dir(l.dir), filepath.Dir(filepath.Dir(l.dir))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err = l.router.Try(append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"}, l.args(t, "doctor")...)...)
	if exitCode(err) != 0 || !strings.Contains(out, "[warn] daemon") || !strings.Contains(out, "sudo labnet doctor") {
		t.Errorf("without privilege: %v\n%s", err, out)
	}
}

// TestDoctorNamesTheCulprit breaks one thing at a time.
func TestDoctorNamesTheCulprit(t *testing.T) {
	nettest.NeedRoot(t)
	t.Run("port down", func(t *testing.T) {
		l, g, _ := doctorLab(t)
		addr := g.leased(t)["address"]
		l.router.Run(t, "ip", "link", "set", "vm1", "down")
		l.doctor(t).culprit(t, "warn", "ports", "vm1 is down", "ip link set vm1 up")
		l.doctor(t, "vm1").culprit(t, "fail", "port", "vm1 is down", "ip link set vm1 up")
		l.doctor(t, addr).culprit(t, "fail", "port", "heard nothing", "ip link set vm1 up", "reach")
	})
	t.Run("no default route", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		l.router.Run(t, "ip", "route", "del", "default")
		l.doctor(t).culprit(t, "fail", "uplink", "no default route", "ip route add default")
	})
	t.Run("the router is off", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		l.router.Run(t, "ip", "route", "replace", "default", "via", "192.0.2.99")
		l.doctor(t).culprit(t, "fail", "uplink", "the router 192.0.2.99 doesn't answer ARP", "arping -I eth0 192.0.2.99")
	})
	t.Run("upstream dead", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		l.lan.Run(t, "nft", "add table inet mute; add chain inet mute in { type filter hook input priority 0; }; add rule inet mute in udp dport 53 drop; add rule inet mute in tcp dport 53 drop")
		l.doctor(t).culprit(t, "fail", "upstream", "192.0.2.1 (host) doesn't answer", "dig @192.0.2.1 example.org")
	})
	t.Run("foreign FORWARD DROP", func(t *testing.T) {
		l, g, _ := doctorLab(t)
		l.router.Run(t, "sh", "-e", "-c", "iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER")
		if out, err := g.Try("ping", "-c1", "-W1", lanAddr); err == nil {
			t.Fatalf("the guest gets through: %s", out)
		}
		found := l.doctor(t)
		found.culprit(t, "warn", "host", "chain ip filter FORWARD drops", "iptables -I DOCKER-USER")
		for _, f := range found.Findings {
			if f.Area == "host" && f.Status == "warn" {
				l.router.Run(t, "sh", "-e", "-c", f.Fix)
			}
		}
		g.Run(t, "ping", "-c1", "-W5", lanAddr)
		if now := l.doctor(t); now.Status != "ok" {
			t.Errorf("after the fix:\n%s", now.text("warn", "fail"))
		}
	})
	t.Run("our NAT rule deleted", func(t *testing.T) {
		l, _, d := doctorLab(t)
		l.stop(t, d, syscall.SIGTERM)
		l.router.Run(t, "nft", "flush", "chain", "inet", "labnet", "masquerade_lab")
		found := l.doctor(t)
		found.culprit(t, "fail", "nat", "masquerade_lab", "labnet run", "daemon")
		found.culprit(t, "fail", "daemon", "no daemon runs", "labnet run", "nat")
	})
	t.Run("two DHCP servers", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		rogue, mac := l.staticGuest(t, "rogue", "vm2", "10.0.0.66")
		rogue.Start(t, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--dhcp-authoritative", "--no-ping",
			"--interface=eth0", "--except-interface=lo", "--dhcp-broadcast", "--dhcp-range=10.0.0.200,10.0.0.220",
			"--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--pid-file=")
		nettest.Eventually(t, limit, func() error { return contains(rogue.Run(t, "ss", "-lnu"), ":67 ") })
		l.newGuest(t, "late", "vm3").udhcpc(t)
		nettest.Eventually(t, limit, func() error { return contains(l.labnet(t, "status"), "another DHCP server on br0: 10.0.0.66 ("+mac) })
		l.doctor(t).culprit(t, "warn", "dhcp", "another DHCP server was heard: 10.0.0.66 ("+mac+") on vm2", "ip link set vm2 down")
	})
	t.Run("wrong static address", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		g := l.newGuest(t, "static", "vm2")
		g.Run(t, "ip", "address", "add", "192.168.9.9/24", "dev", "eth0")
		g.Run(t, "ip", "route", "add", "default", "via", "192.168.9.1")
		g.Start(t, "ping", "-i", "0.2", "192.168.9.1")
		mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
		nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "bridge", "fdb", "show", "br", "br0"), mac+" dev vm2") })
		l.doctor(t, "vm2").culprit(t, "fail", "lease", "it sends from 192.168.9.9, which isn't of 10.0.0.0/24", "DHCP")
	})
	t.Run("a guest that never asked", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		g := l.newGuest(t, "silent", "vm2")
		mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
		nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "bridge", "fdb", "show", "br", "br0"), mac+" dev vm2") })
		l.doctor(t, mac).culprit(t, "fail", "lease", "it never asked for an address; it would get 10.0.0.10", "labnet trace dhcp --mac "+mac)
	})
	t.Run("name conflict", func(t *testing.T) {
		l, first, _ := doctorLab(t)
		g := l.newGuest(t, "web", "vm2")
		g.udhcpc(t)
		addr := g.leased(t)["address"]
		l.doctor(t, addr).culprit(t, "warn", "name", "web is the name of "+first.leased(t)["address"], "host")
	})
	t.Run("full pool", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		for name, port := range map[string]string{"second": "vm2", "third": "vm3"} {
			g := l.newGuest(t, name, port)
			g.udhcpc(t)
			g.leased(t)
		}
		late := l.newGuest(t, "late", "vm4")
		late.udhcpc(t)
		mac := strings.TrimSpace(late.Run(t, "cat", "/sys/class/net/eth0/address"))
		nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "bridge", "fdb", "show", "br", "br0"), mac) })
		l.doctor(t).culprit(t, "fail", "dhcp", "no address is free: 3 of 3 are leased", "range")
		l.doctor(t, mac).culprit(t, "fail", "lease", "would get none: ", "range")
	})
	t.Run("a wrong file", func(t *testing.T) {
		l, _, _ := doctorLab(t)
		l.configure(t, strings.Replace(doctorConfig, "attach", "atach", 1))
		l.doctor(t).culprit(t, "fail", "configuration", "labnet.hcl:4: ", "labnet check")
	})
	t.Run("nothing is up", func(t *testing.T) {
		l := newLab(t)
		l.configure(t, doctorConfig)
		begin := time.Now()
		l.doctor(t).culprit(t, "fail", "bridge", "br0 doesn't exist: the network isn't up", "labnet run", "daemon")
		t.Logf("it took %v", time.Since(begin))
	})
}
