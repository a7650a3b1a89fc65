package netcfg

import (
	"strings"
	"testing"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// foreignBridge gives the router a bridge of its own, with a port, an address and settings.
func foreignBridge(t *testing.T, r *router) {
	t.Helper()
	r.Run(t, "sh", "-c", `
		sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
		ip link add br0 address 02:00:00:00:00:99 type bridge; ip link set br0 up; ip address add 203.0.113.1/24 dev br0
		ip tuntap add own0 mode tap; ip link set own0 master br0; bridge link set dev own0 isolated on
		ip tuntap add tap9 mode tap; ip link set tap9 master br0`)
	noCarrier(t, r)
}

// noCarrier waits until the kernel has noticed that no port of the bridge is connected, as it is before us and after.
func noCarrier(t *testing.T, r *router) {
	t.Helper()
	nettest.Eventually(t, patience, func() error { return has(r.Run(t, "ip", "-o", "-4", "route", "show", "dev", "br0"), "linkdown") })
}

func adopting(change ...func(*Network)) Config {
	return networks(with(lab(), append([]func(*Network){func(n *Network) { n.Adopt = true }}, change...)...))
}

func TestAdoptedBridge(t *testing.T) {
	for _, c := range []struct {
		name   string
		before string // what else there is
		change func(*Network)
	}{
		{"as it is", "true", func(*Network) {}},
		{"with the gateway's address already", "ip address add 10.0.0.1/24 dev br0", func(*Network) {}},
		{"with isolated guests", "true", func(n *Network) { n.Isolate = true }},
		{"isolated", "true", func(n *Network) { n.Isolated, n.Masquerade = true, false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			foreignBridge(t, r)
			r.Run(t, "sh", "-c", c.before)
			g := nettest.NewHost(t, "guest")
			nettest.Link(t, r.Host, "tap0", g, "eth0")
			g.Run(t, "ip", "address", "add", "10.0.0.10/24", "dev", "eth0")
			before := hostdump.Take(t, r.Host)
			h := r.open(t)

			if _, err := h.Apply(t.Context(), networks(lab())); err == nil || !strings.Contains(err.Error(), "adopt = true") {
				t.Errorf("someone else's bridge, not adopted: %v", err)
			}
			if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
				t.Errorf("the refusal changed the host: %s", diff)
			}

			cfg := adopting(c.change)
			p := apply(t, h, cfg)
			if got := lines(p); strings.Contains(got, "link br0") || strings.Contains(got, "own0") || !strings.Contains(got, "+ port tap0 on br0") {
				t.Errorf("adopting changed:\n%s", got)
			}
			inOrder(t, h, cfg)
			inOrder(t, r.open(t), cfg)
			echo(t, r.Host, "10.0.0.1:7")
			reaches(t, g, "10.0.0.1:7", "10.0.0.10")
			if out := r.Run(t, "nft", "list", "map", "bridge", "labnet", "guests"); !strings.Contains(out, `"tap0"`) || !strings.Contains(out, `"tap9"`) || strings.Contains(out, `"own0"`) {
				t.Errorf("guarded ports:\n%s", out)
			}
			mac := strings.TrimSpace(r.Run(t, "cat", "/sys/class/net/br0/address"))
			if out := r.Run(t, "nft", "list", "chain", "bridge", "labnet", "guest_lab"); !strings.Contains(out, "ether saddr "+mac) {
				t.Errorf("the bridge's own address isn't guarded:\n%s", out)
			}

			down(t, r.open(t))
			noCarrier(t, r)
			if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
				t.Errorf("after down: %s", diff)
			}
		})
	}
}

func TestNothingToAdopt(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	if _, err := h.Apply(t.Context(), adopting()); err == nil || !strings.Contains(err.Error(), "there is no bridge br0 to adopt") {
		t.Errorf("apply: %v", err)
	}
	r.Run(t, "ip", "link", "add", "br0", "type", "veth", "peer", "name", "br9")
	if _, err := h.Apply(t.Context(), adopting()); err == nil || !strings.Contains(err.Error(), "(veth) that isn't labnet's") {
		t.Errorf("apply: %v", err)
	}
}

// An adopted bridge that goes and comes back, as its owner does it, is followed.
func TestAdoptedBridgeComesBack(t *testing.T) {
	r := newRouter(t)
	foreignBridge(t, r)
	h, log := running(t, r, adopting())
	r.Run(t, "ip", "link", "del", "br0")
	soon(t, h, adopting())
	foreignAgain := "ip link add br0 type bridge; ip link set br0 up"
	r.Run(t, "sh", "-c", foreignAgain)
	soon(t, h, adopting())
	nettest.Eventually(t, patience, func() error {
		return has(r.Run(t, "ip", "-o", "-4", "address", "show", "br0"), "10.0.0.1/24")
	})
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("log:\n%s", log)
	}
	down(t, h)
	if out := r.Run(t, "ip", "-o", "link", "show", "br0"); !strings.Contains(out, "br0") {
		t.Errorf("the bridge is gone: %s", out)
	}
}

// A step that fails leaves someone else's bridge as it was.
func TestFailedAdoptionGoesBack(t *testing.T) {
	for failAt := 1; ; failAt++ {
		m := newMemory()
		m.links = append(m.links, link{index: 9, name: "br0", kind: "bridge", up: true, mtu: 1500, mac: "02:00:00:00:00:99"})
		for i, key := range bridgeKeys("br0") {
			m.sysctls[key] = []string{"0", "0", "1"}[i]
		}
		before := m.String()
		h := m.host(t, t.TempDir())
		m.failAt = failAt
		_, err := h.Apply(t.Context(), adopting(func(n *Network) { n.Isolate = true }))
		m.failAt = 0
		if err == nil {
			down(t, h)
		}
		if got := m.String(); got != before {
			t.Fatalf("failure of step %d (%v): was\n%s\nis\n%s", failAt, err, before, got)
		}
		if err == nil {
			return
		}
	}
}
