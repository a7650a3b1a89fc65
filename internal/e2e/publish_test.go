package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// answers lets a host say a text to whoever calls a port of it.
func answers(t *testing.T, h *nettest.Host, port int, says string) {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	var err error
	h.Do(t, func() {
		address := fmt.Sprintf("0.0.0.0:%d", port)
		if packets, err = net.ListenPacket("udp4", address); err == nil {
			listener, err = net.Listen("tcp4", address)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = packets.Close(), listener.Close() })
	go func() {
		buffer := make([]byte, 64)
		for {
			_, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte(says), from)
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(says))
			_ = conn.Close()
		}
	}()
}

// called is what an address says to a host, "" for nothing.
func called(t *testing.T, h *nettest.Host, network, address string) string {
	t.Helper()
	const wait = time.Second
	var conn net.Conn
	var err error
	h.Do(t, func() { conn, err = net.DialTimeout(network, address, wait) })
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	if network == "udp4" {
		_, _ = conn.Write([]byte("?"))
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	text, err := io.ReadAll(io.LimitReader(conn, 64))
	if network == "udp4" || err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return string(text)
	}
	return ""
}

// leadsTo waits until an address leads to who says a text; over TCP and UDP.
func leadsTo(t *testing.T, h *nettest.Host, address, says string) {
	t.Helper()
	for _, network := range []string{"tcp4", "udp4"} {
		nettest.Eventually(t, 20*time.Second, func() error {
			if got := called(t, h, network, address); got != says {
				return fmt.Errorf("%s calls %s over %s, and hears %q, not %q", h.Name, address, network, got, says)
			}
			return nil
		})
	}
}

// macAddress is that of a host's card.
func macAddress(t *testing.T, h *nettest.Host) string {
	t.Helper()
	return strings.TrimSpace(h.Run(t, "cat", "/sys/class/net/eth0/address"))
}

const publishConfig = `
network "lab" {
  address = "10.0.0.1/24"
  bridge { attach = ["vm*"] }
  host "builder" {
    mac     = %q
    address = "10.0.0.10"
  }
  host "web" {
    hostname = "web"
  }
  publish "builder" {
    protocol = "both"
    listen   = 2222
    host     = "builder"
    port     = 22
  }
}
publish "web" {
  network  = "lab"
  protocol = "both"
  listen   = "8000-8002"
  host     = "web"
  port     = "80-82"
}
`

// TestPublishedPorts calls published ports from everywhere, while the guest behind one gets, loses and gets another address.
func TestPublishedPorts(t *testing.T) {
	for _, on := range []string{"0", "1"} {
		t.Run("bridge-nf-call-iptables "+on, func(t *testing.T) {
			l := newLabWithoutDNS(t)
			if _, err := os.Stat("/proc/sys/net/bridge"); err == nil {
				l.router.Run(t, "sysctl", "-q", "-w", "net.bridge.bridge-nf-call-iptables="+on)
			}
			builder, web := l.newGuest(t, "builder", "vm1"), l.newGuest(t, "web", "vm2")
			l.configure(t, fmt.Sprintf(publishConfig, macAddress(t, builder.Host)))
			d, _ := l.start(t)
			builder.udhcpc(t)
			builder.leased(t)
			answers(t, builder.Host, 22, "builder")
			answers(t, builder.Host, 81, "builder's 81")
			answers(t, web.Host, 81, "web")

			everywhere := map[*nettest.Host][]string{
				l.lan: {uplinkAddr}, l.router: {uplinkAddr, "10.0.0.1"}, builder.Host: {uplinkAddr, "10.0.0.1"},
			}
			for from, hosts := range everywhere {
				for _, host := range hosts {
					leadsTo(t, from, host+":2222", "builder")
				}
			}
			if got := called(t, l.lan, "tcp4", uplinkAddr+":8001"); got != "" {
				t.Errorf("the port of a guest without an address leads to %q", got)
			}
			web.udhcpc(t)
			first := web.leased(t)["address"]
			everywhere[web.Host] = []string{uplinkAddr, "10.0.0.1"}
			for from, hosts := range everywhere {
				for _, host := range hosts {
					leadsTo(t, from, host+":8001", "web")
					leadsTo(t, from, host+":2222", "builder")
				}
			}
			for _, address := range []string{uplinkAddr + ":81", uplinkAddr + ":22", uplinkAddr + ":8003", "10.0.0.10:22"} {
				for _, network := range []string{"tcp4", "udp4"} {
					if got := called(t, l.lan, network, address); got != "" {
						t.Errorf("the LAN reaches %s over %s: %q", address, network, got)
					}
				}
			}
			if plan := l.labnet(t, "plan"); plan != "" {
				t.Errorf("the plan isn't empty:\n%s", plan)
			}

			// The daemon dies, and comes back to what has happened since: the guest's lease has ended, and another machine has the name.
			l.stop(t, d, syscall.SIGKILL)
			leadsTo(t, l.lan, uplinkAddr+":8001", "web")
			l.start(t)
			leadsTo(t, l.lan, uplinkAddr+":8001", "web")
			l.labnet(t, "leases", "release", "--force", first)
			nettest.Eventually(t, 20*time.Second, func() error {
				if got := called(t, l.lan, "tcp4", uplinkAddr+":8001"); got != "" {
					return fmt.Errorf("the port leads to %q", got)
				}
				return nil
			})
			l.router.Run(t, "ip", "link", "set", "vm2", "down")
			other := l.newGuest(t, "web", "vm3")
			answers(t, other.Host, 81, "the other")
			other.udhcpc(t)
			other.leased(t)
			leadsTo(t, l.lan, uplinkAddr+":8001", "the other")
			leadsTo(t, other.Host, uplinkAddr+":8001", "the other")
		})
	}
}

// TestPublishedPortInUse refuses a port that a program of the host listens on, and leaves the host alone.
func TestPublishedPortInUse(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	l.configure(t, fmt.Sprintf(publishConfig, "52:54:00:12:34:56"))
	l.router.Start(t, "nc", "-l", "-k", "0.0.0.0", "2222")
	nettest.Eventually(t, 20*time.Second, func() error {
		out, err := l.tryLabnet(t, "plan")
		if err == nil || !strings.Contains(out, `publish "builder": TCP port 2222 of the host is in use by nc (pid `) {
			return fmt.Errorf("plan: %v\n%s", err, out)
		}
		return nil
	})
	out, err := l.tryLabnet(t, "run")
	if err == nil || !strings.Contains(out, "in use by nc") {
		t.Errorf("run: %v\n%s", err, out)
	}
	if out := l.router.Run(t, "sh", "-c", "ip -o link; nft list ruleset"); strings.Contains(out, "br0") || strings.Contains(out, "labnet") {
		t.Errorf("the host was changed:\n%s", out)
	}
	if out, err := l.tryLabnet(t, "check"); err != nil {
		t.Errorf("check asks the host: %v\n%s", err, out)
	}
}
