package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

const upstreamConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dns {
    domain  = "lab.internal"
    clients = ["192.0.2.0/24"]
  }
  host "builder" {
    address = "10.0.0.10"
  }
}

resolver {
  upstream "default" {
    servers = ["udp://192.0.2.1:5300"]
  }
}
`

// startDnsmasq runs dnsmasq on a host's port 5300.
func startDnsmasq(t *testing.T, h *nettest.Host, args ...string) *exec.Cmd {
	t.Helper()
	cmd, _ := h.Start(t, append([]string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--port=5300", "--user=root", "--pid-file=",
	}, args...)...)
	return cmd
}

// upstreamLab is a lab whose upstream is on port 5300 of the LAN, and a guest that can ask.
func upstreamLab(t *testing.T) (*lab, *guest) {
	t.Helper()
	l := newLab(t)
	l.configure(t, upstreamConfig)
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.Run(t, "ip", "address", "add", "10.0.0.50/24", "dev", "eth0")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	nettest.Eventually(t, 30*time.Second, func() error { return g.digs("builder.lab.internal", "10.0.0.10") })
	return l, g
}

// digs is an error unless dig says some texts about a name.
func (g *guest) digs(name string, want ...string) error {
	out, _ := g.Try("dig", "+time=6", "+tries=1", "@10.0.0.1", name)
	for _, w := range want {
		if err := wants(out, w); err != nil {
			return err
		}
	}
	return nil
}

// TestUpstreamEnds has what was known serve while the upstream is away.
func TestUpstreamEnds(t *testing.T) {
	nettest.NeedRoot(t)
	l, g := upstreamLab(t)
	server := startDnsmasq(t, l.lan, "--local-ttl=1", "--host-record=www.example.org,192.0.2.80", "--host-record=new.example.org,192.0.2.81")
	nettest.Eventually(t, 30*time.Second, func() error {
		return g.digs("www.example.org", "status: NOERROR", "www.example.org.\t1\tIN\tA\t192.0.2.80")
	})
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 30*time.Second, func() error {
		return g.digs("www.example.org", "status: NOERROR", "www.example.org.\t30\tIN\tA\t192.0.2.80", "EDE: 3 (Stale Answer)")
	})
	nettest.Eventually(t, 30*time.Second, func() error {
		if err := g.digs("new.example.org", "status: SERVFAIL"); err != nil {
			return err
		}
		return wants(l.labnet(t, "status"), "192.0.2.1:5300, not answering")
	})
	if err := g.digs("builder.lab.internal", "10.0.0.10"); err != nil {
		t.Error(err)
	}
	startDnsmasq(t, l.lan, "--local-ttl=1", "--host-record=www.example.org,192.0.2.80", "--host-record=new.example.org,192.0.2.81")
	nettest.Eventually(t, 60*time.Second, func() error {
		if err := g.digs("new.example.org", "status: NOERROR", "192.0.2.81"); err != nil {
			return err
		}
		return wants(l.labnet(t, "status"), "192.0.2.1:5300, healthy")
	})
}

// TestUpstreamLoops has an upstream that asks labnet.
func TestUpstreamLoops(t *testing.T) {
	nettest.NeedRoot(t)
	l, g := upstreamLab(t)
	l.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", uplinkAddr)
	startDnsmasq(t, l.lan, "--server=10.0.0.1")
	nettest.Eventually(t, 60*time.Second, func() error {
		if err := g.digs(fmt.Sprintf("n%d.example.org", time.Now().UnixNano()), "status: SERVFAIL"); err != nil {
			return err
		}
		return wants(l.labnet(t, "status"), "the upstream 192.0.2.1:5300 sends questions back to labnet, in a circle")
	})
	if out := l.labnet(t, "status"); !strings.Contains(out, "asks us what we ask it; not asked") {
		t.Errorf("%s", out)
	}
	if err := g.digs("builder.lab.internal", "10.0.0.10"); err != nil {
		t.Error(err)
	}
}
