package observe

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

const patience = 60 * time.Second

// lab is a host with a bridge on a LAN, on which dnsmasq leases addresses.
type lab struct {
	host, lan *nettest.Host
	observer  *Observer
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{host: nettest.NewHost(t, "host"), lan: nettest.NewHost(t, "lan")}
	l.host.Run(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	l.host.Run(t, "ip", "link", "set", "br0", "up")
	nettest.Link(t, l.host, "eth0", l.lan, "eth0")
	l.lan.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	l.plug(t, "eth0")
	_, output := l.lan.Start(t, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
		"--user=root", "--pid-file=", "--dhcp-authoritative", "--no-ping", "--dhcp-range=192.0.2.50,192.0.2.60,1h", "--dhcp-leasefile="+t.TempDir()+"/leases")
	nettest.Eventually(t, patience, func() error {
		if !strings.Contains(output(), "DHCP, sockets bound") {
			return fmt.Errorf("dnsmasq doesn't serve:\n%s", output())
		}
		return nil
	})
	return l
}

// plug puts a link of the host's on the bridge.
func (l *lab) plug(t *testing.T, port string) {
	t.Helper()
	l.host.Run(t, "ip", "link", "set", port, "master", "br0")
	nettest.Eventually(t, patience, func() error {
		if out := l.host.Run(t, "bridge", "link", "show", "dev", port); !strings.Contains(out, "state forwarding") {
			return fmt.Errorf("it doesn't forward: %s", out)
		}
		return nil
	})
}

func (l *lab) guest(t *testing.T, name, port string) *nettest.Host {
	t.Helper()
	g := nettest.NewHost(t, name)
	nettest.Link(t, l.host, port, g, "eth0")
	l.plug(t, port)
	return g
}

// observe runs an observer until the test ends.
func (l *lab) observe(t *testing.T) {
	t.Helper()
	var err error
	l.host.Do(t, func() {
		l.observer, err = Open(Config{Bridge: "br0", Uplink: "eth0", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	})
	if err != nil {
		t.Fatal(err)
	}
	l.observer.inside = func(f func() error) (err error) {
		l.host.Do(t, func() { err = f() })
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.observer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// await waits until the guests are those, each said as "port address name".
func (l *lab) await(t *testing.T, again func(), want ...string) []Guest {
	t.Helper()
	var guests []Guest
	nettest.Eventually(t, patience, func() error {
		again()
		guests = l.observer.Guests(time.Now())
		var got []string
		for _, g := range guests {
			got = append(got, fmt.Sprintf("%s %v %s", g.Port, g.Addr, g.Hostname))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("seen are %q, not %q", got, want)
		}
		return nil
	})
	return guests
}

func TestGuestsAreSeen(t *testing.T) {
	l := newLab(t)
	early := l.guest(t, "early", "tap0")
	early.Run(t, "ip", "address", "add", "192.0.2.20/24", "dev", "eth0")
	l.observe(t)
	arping := func(g *nettest.Host, addr string) func() {
		return func() { _, _ = g.Try("busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", "-s", addr, "192.0.2.1") }
	}
	// By ARP, who was there before. The LAN's server isn't a guest.
	l.await(t, arping(early, "192.0.2.20"), "tap0 192.0.2.20 ")

	// By DHCP, who comes later; the ACK goes to it alone, and never to the bridge itself.
	late := l.guest(t, "late", "tap1")
	lease := func() {
		_, _ = late.Try("busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "3", "-T", "1", "-s", "/bin/true", "-x", "hostname:web", "-r", "192.0.2.55")
	}
	guests := l.await(t, lease, "tap0 192.0.2.20 ", "tap1 192.0.2.55 web")
	if left := time.Until(guests[1].Expires); left < 30*time.Minute || left > time.Hour {
		t.Errorf("its lease ends in %v", left)
	}

	// With its port a guest is forgotten; on another one it is seen anew.
	late.Run(t, "ip", "link", "del", "eth0")
	l.await(t, func() {}, "tap0 192.0.2.20 ")
	nettest.Link(t, l.host, "tap2", late, "eth0")
	l.plug(t, "tap2")
	late.Run(t, "ip", "address", "add", "192.0.2.55/24", "dev", "eth0")
	l.await(t, arping(late, "192.0.2.55"), "tap0 192.0.2.20 ", "tap2 192.0.2.55 ")

	// A bridge that is made anew is another one, with the same name.
	l.host.Run(t, "ip", "link", "del", "br0")
	l.await(t, func() {})
	l.host.Run(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	l.host.Run(t, "ip", "link", "set", "br0", "up")
	l.plug(t, "eth0")
	l.plug(t, "tap0")
	l.await(t, arping(early, "192.0.2.20"), "tap0 192.0.2.20 ")
}
