package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const reloadedConfig = `
network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
    guard  = %q
  }
  dhcp { conflict_probe = false }
  host "builder" {
    mac     = %q
    address = "10.0.0.10"
  }
}
`

func publishBlock(name string, listen, port int) string {
	return fmt.Sprintf("publish %q {\n  network  = \"lab\"\n  protocol = \"both\"\n  listen   = %d\n  host     = \"builder\"\n  port     = %d\n}\n", name, listen, port)
}

// TestPublishedPortsByReload adds, changes and removes published ports, and changes the guard, while a connection of what stays goes on.
func TestPublishedPortsByReload(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	g, mallory := l.newGuest(t, "builder", "vm1"), l.newGuest(t, "mallory", "vm2")
	config := func(guard string, blocks ...string) {
		t.Helper()
		l.configure(t, fmt.Sprintf(reloadedConfig, guard, macAddress(t, g.Host))+strings.Join(blocks, ""))
	}
	stays := publishBlock("stays", 2000, 20)
	config("subnet", stays, publishBlock("goes", 2300, 23), publishBlock("changes", 2500, 25))
	l.start(t)
	g.udhcpc(t)
	g.leased(t)
	mallory.udhcpc(t)
	mallory.leased(t)
	for port, says := range map[int]string{23: "goes", 24: "comes", 25: "before", 26: "after"} {
		answers(t, g.Host, port, says)
	}
	s := l.publishedSession(t, g, 20, 2000)
	s.lives(t, "before the reload")
	leadsTo(t, l.lan, uplinkAddr+":2300", "goes")
	leadsTo(t, l.lan, uplinkAddr+":2500", "before")
	known := func(port string) string {
		return l.router.Run(t, "conntrack", "-L", "-p", "udp", "--orig-src", lanAddr, "--orig-port-dst", port)
	}
	if known("2300") == "" || known("2500") == "" {
		t.Fatal("no connection is known: nothing is proved")
	}

	config("subnet", stays, publishBlock("comes", 2400, 24), publishBlock("changes", 2500, 26))
	l.labnet(t, "apply")
	s.lives(t, "after the reload")
	if out := known("2300"); out != "" {
		t.Errorf("a connection to what went is still known: %s", out)
	}
	if out := known("2500"); strings.Contains(out, "sport=25 ") {
		t.Errorf("a connection to where it led is still known: %s", out)
	}
	leadsTo(t, l.lan, uplinkAddr+":2400", "comes")
	leadsTo(t, l.lan, uplinkAddr+":2500", "after")
	for _, network := range []string{"tcp4", "udp4"} {
		if got := called(t, l.lan, network, uplinkAddr+":2300"); got != "" {
			t.Errorf("what went is reached over %s: %q", network, got)
		}
	}

	// An address of nobody's, under each guard.
	mallory.Run(t, "ip", "address", "add", "10.0.0.77/24", "dev", "eth0")
	for _, c := range []struct {
		guard string
		gets  bool
	}{{"subnet", true}, {"strict", false}, {"off", true}, {"strict", false}, {"subnet", true}} {
		config(c.guard, stays)
		l.labnet(t, "apply")
		nettest.Eventually(t, limit, func() error {
			out, err := mallory.Try("ping", "-n", "-c1", "-W1", "-I", "10.0.0.77", "10.0.0.1")
			if (err == nil) != c.gets {
				return fmt.Errorf("with guard %s an invented address is answered: %v\n%s", c.guard, err == nil, out)
			}
			return nil
		})
		s.lives(t, "with guard "+c.guard)
		if plan := l.labnet(t, "plan"); plan != "" {
			t.Errorf("with guard %s the plan isn't empty:\n%s", c.guard, plan)
		}
	}
	config("subnet")
	l.labnet(t, "apply")
	if out := l.router.Run(t, "nft", "list", "ruleset"); strings.Contains(out, "publish") {
		t.Errorf("without a block, something of publishing is left:\n%s", out)
	}
}

// publishedSession is a connection from the LAN to an echo of a guest, over a published port.
func (l *lab) publishedSession(t *testing.T, g *guest, port, listen int) *session {
	t.Helper()
	var listener net.Listener
	var err error
	g.Do(t, func() { listener, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	s := &session{}
	nettest.Eventually(t, limit, func() error {
		l.lan.Do(t, func() {
			s.conn, err = net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.ParseIP(uplinkAddr), Port: listen})
		})
		return err
	})
	t.Cleanup(func() { _ = s.conn.Close() })
	s.reader = bufio.NewReader(s.conn)
	return s
}
