package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// How many machines the clients of these tests are on, and how many of them the crowd has.
const (
	clientGuests = 4
	crowdSize    = 40
)

// movers are real clients and a crowd of our own, and the addresses that they have.
type movers struct {
	l      *lab
	guests []*guest // udhcpc, dhclient, dhcpcd, and that of the crowd
	kill   []func() // of the clients on guests, without a word to the server
	crowd  *swarm
	addrs  map[string]string // by name
}

func newClients(t *testing.T, l *lab) *movers {
	t.Helper()
	c := &movers{l: l, addrs: map[string]string{}, kill: make([]func(), 3)}
	for i, name := range []string{"udhcpc", "dhclient", "dhcpcd", "crowd"} {
		c.guests = append(c.guests, l.newGuest(t, name, fmt.Sprintf("vm%d", i)))
	}
	c.crowd = newSwarm(t, c.guests[3].Host)
	return c
}

// start starts a client with its memory of leases, if it has one.
func (c *movers) start(t *testing.T, i int) {
	t.Helper()
	g := c.guests[i]
	var args []string
	switch g.name {
	case "udhcpc":
		args = []string{"udhcpc", "-f", "-i", "eth0", "-s", script(t), "-x", "hostname:" + g.name, "-t", "10", "-T", "1", "-A", "1", "-p", filepath.Join(g.dir, "pid")}
	case "dhclient":
		conf := filepath.Join(g.dir, "dhclient.conf")
		write(t, conf, "send host-name \"dhclient\";\nsend dhcp-client-identifier ff:00:00:00:2a:00:01:00:01:2a:00:00:01:52:54:00:aa:00:09;\n"+
			"request subnet-mask, routers, dhcp-lease-time;\ntimeout 20;\nretry 1;\ninitial-interval 1;\nreboot 10;\n")
		args = []string{
			"dhclient", "-4", "-d", "-cf", conf, "-lf", filepath.Join(g.dir, "leases"), "-pf", filepath.Join(g.dir, "pid"),
			"-e", "GUEST_LEASE=" + g.leaseFile, "-e", "GUEST_SETS_ADDRESS=yes", "-sf", script(t), "eth0",
		}
	case "dhcpcd":
		conf, memory := filepath.Join(g.dir, "dhcpcd.conf"), filepath.Join(g.dir, "memory")
		write(t, conf, fmt.Sprintf("hostname dhcpcd\nduid\npersistent\nipv4only\nnoarp\noption routers\nenv GUEST_LEASE=%s\nenv GUEST_SETS_ADDRESS=yes\nscript %s\n", g.leaseFile, script(t)))
		// It keeps its leases where all guests of these tests do: the mount is for it alone.
		args = []string{"sh", "-c", `mkdir -p "$0/lib" "$0/run" /run/dhcpcd && mount --bind "$0/lib" /var/lib/dhcpcd && mount --bind "$0/run" /run/dhcpcd && exec dhcpcd -B -4 -f "$1" eth0`, memory, conf}
	}
	cmd, _ := g.Start(t, append(g.env("yes"), args...)...)
	c.kill[i] = func() {
		_ = cmd.Process.Kill()
		gone(t, g.name, cmd.Process)
	}
}

// lease starts all clients with nothing in mind.
func (c *movers) lease(t *testing.T) {
	t.Helper()
	for i := range c.kill {
		c.start(t, i)
	}
	var addrs []netip.Addr
	for i := range crowdSize {
		m := mover(i)
		ack, err := c.crowd.exchange(m)
		// dnsmasq offers one address to two that ask at once, and refuses the second, who begins anew.
		for try := 0; err == nil && ack.MessageType() == dhcpv4.MessageTypeNak && try < 10; try++ {
			ack, err = c.crowd.exchange(m)
		}
		if err != nil || ack.MessageType() != dhcpv4.MessageTypeAck {
			t.Fatalf("%s: %v, %v", m.name, ack, err)
		}
		addr, _ := netip.AddrFromSlice(ack.YourIPAddr.To4())
		addrs = append(addrs, addr)
		c.addrs[m.name] = addr.String()
	}
	c.crowd.own(t, c.guests[3].Host, addrs...)
	for _, g := range c.guests[:3] {
		c.addrs[g.name] = g.leased(t)["address"]
	}
}

// exchange does the four messages of one of the crowd.
func (s *swarm) exchange(m one) (*dhcpv4.DHCPv4, error) {
	discover, err := dhcpv4.NewDiscovery(m.mac, m.options...)
	if err != nil {
		return nil, err
	}
	offer, err := s.ask(discover, 10)
	if err != nil {
		return nil, err
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, m.options...)
	if err != nil {
		return nil, err
	}
	return s.ask(request, 10)
}

// one is a client of the crowd.
type one struct {
	name    string
	mac     net.HardwareAddr
	options []dhcpv4.Modifier
}

// mover makes one of several kinds: without an identifier, with that of its MAC, with one of RFC 4361, and with text.
func mover(i int) one {
	m := one{name: fmt.Sprintf("mover%d", i), mac: swarmMAC(i)}
	m.options = []dhcpv4.Modifier{dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName(m.name)), dhcpv4.WithOption(dhcpv4.OptClassIdentifier("moving van, \"4\""))}
	var id []byte
	switch i % 4 {
	case 1:
		id = append([]byte{1}, m.mac...)
	case 2:
		id = append([]byte{255, 0, 0, 0, 42, 0, 1, 0, 1, 42, 0, 0, 1}, m.mac...)
	case 3:
		id = fmt.Appendf([]byte{0}, "guest, \"%d\" \\ {;\n\x80", i)
	}
	if id != nil {
		m.options = append(m.options, dhcpv4.WithOption(dhcpv4.OptClientIdentifier(id)))
	}
	return m
}

// stay lets every client renew, or restart with its address in mind: it must keep it.
func (c *movers) stay(t *testing.T, at string) {
	t.Helper()
	for i, g := range c.guests[:3] {
		// The bridge has another MAC than the one before.
		g.Run(t, "ip", "neigh", "flush", "dev", "eth0")
		if err := os.Remove(g.leaseFile); err != nil {
			t.Fatal(err)
		}
		if g.name == "udhcpc" {
			g.Run(t, "sh", "-c", "kill -USR1 $(cat "+g.dir+"/pid)") // RENEWING
			continue
		}
		c.kill[i]()
		g.Run(t, "ip", "address", "flush", "dev", "eth0")
		c.start(t, i) // INIT-REBOOT
	}
	for i := range crowdSize {
		m := mover(i)
		for _, state := range []string{"REBINDING", "INIT-REBOOT"} {
			options := append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(m.mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest)}, m.options...)
			addr := net.ParseIP(c.addrs[m.name])
			if state == "REBINDING" {
				options = append(options, dhcpv4.WithClientIP(addr))
			} else {
				options = append(options, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr)))
			}
			request, err := dhcpv4.New(options...)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := c.crowd.ask(request, 10)
			if err != nil || reply.MessageType() != dhcpv4.MessageTypeAck || !reply.YourIPAddr.Equal(addr) {
				t.Errorf("%s: %s, %s of %v: %v, %v", at, m.name, state, addr, reply, err)
			}
		}
	}
	for _, g := range c.guests[:3] {
		if got := g.leased(t)["address"]; got != c.addrs[g.name] {
			t.Errorf("%s: %s gets %s, had %s", at, g.name, got, c.addrs[g.name])
		}
	}
}

// keepOut lets newcomers ask for addresses of the others, before those are heard of again: a server that only learns from its clients'
// renewals whose they are would give them away.
func (c *movers) keepOut(t *testing.T, at string) {
	t.Helper()
	taken := map[string]string{}
	for name, addr := range c.addrs {
		taken[addr] = name
	}
	for i, name := range []string{"mover0", "mover1", "mover2", "mover3", "udhcpc", "dhclient", "dhcpcd", "forever"} {
		if c.addrs[name] == "" {
			continue
		}
		discover, err := dhcpv4.NewDiscovery(swarmMAC(crowdSize+i), dhcpv4.WithBroadcast(true),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(c.addrs[name]))))
		if err != nil {
			t.Fatal(err)
		}
		offer, err := c.crowd.ask(discover, 10)
		if err != nil {
			t.Fatal(err)
		}
		if owner := taken[offer.YourIPAddr.String()]; owner != "" {
			t.Errorf("%s: a newcomer that asks for %s of %s is offered %v of %s", at, c.addrs[name], name, offer.YourIPAddr, owner)
		}
	}
}

// named resolves every name.
func (c *movers) named(t *testing.T) {
	t.Helper()
	args := []string{"dig", "+short", "+time=2", "+tries=2", "@10.0.0.1"}
	var want []string
	for name, addr := range c.addrs {
		args, want = append(args, name+".lab.internal"), append(want, addr)
	}
	if got := strings.Fields(c.guests[0].Run(t, args...)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the names resolve to\n%v, want\n%v", got, want)
	}
}
