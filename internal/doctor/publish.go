package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
)

// Published is a port of the host that leads to a guest.
type Published struct {
	Name     string
	TCP, UDP bool
	Listen   string     // the port of the host, or the range
	Address  netip.Addr // of the host; invalid: every one
	Host     string     // whose address is followed
	Target   netip.Addr // invalid: what Host leases
	Port     uint16     // the guest's first one
}

// call is what came of calling a published guest.
type call struct {
	target  netip.Addr // invalid: it has none
	asked   bool       // by ARP
	there   bool       // it answers that
	dialled bool       // by TCP
	err     error      // what came of that
}

const dialWait = time.Second

// published are the published ports of a network.
func published(n config.Network) (out []Published) {
	for _, p := range n.Publishes {
		out = append(out, Published{
			Name: p.Name, TCP: p.TCP, UDP: p.UDP, Listen: p.Listen.String(), Address: p.Address, Host: p.Host, Target: p.Target, Port: p.Ports.First,
		})
	}
	return out
}

// target is the address that a published port leads to; invalid if its guest leases none.
func (f *facts) target(n Network, p Published) netip.Addr {
	if p.Target.IsValid() {
		return p.Target
	}
	for _, h := range n.Hosts {
		for _, l := range f.leases {
			if h.Name == p.Host && l.Network == n.Name && l.State == "bound" && (l.Name == h.Name || h.MAC != nil && l.MAC == h.MAC.String()) {
				return l.Address
			}
		}
	}
	return netip.Addr{}
}

func callKey(n Network, p Published) string { return n.Name + "/" + p.Name }

// callPublished asks every published guest by ARP, and calls the first TCP port of it that is published; all at once.
func (f *facts) callPublished(ctx context.Context) {
	f.calls = map[string]call{}
	var mu sync.Mutex // guards calls
	var all sync.WaitGroup
	for _, n := range f.networks {
		bridge, _ := f.kernel.link(n.Bridge)
		for _, p := range n.Published {
			c := call{target: f.target(n, p)}
			all.Go(func() {
				if c.target.IsValid() && bridge.up {
					c.dial(ctx, n, bridge, p)
				}
				mu.Lock()
				defer mu.Unlock()
				f.calls[callKey(n, p)] = c
			})
		}
	}
	all.Wait()
}

func (c *call) dial(ctx context.Context, n Network, bridge link, p Published) {
	if owners, err := whoHas(bridge, n.Address.Addr(), c.target); err == nil {
		c.asked, c.there = true, len(owners) > 0
	}
	if !p.TCP || c.asked && !c.there {
		return
	}
	c.dialled = true
	dialer := net.Dialer{Timeout: dialWait}
	conn, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(c.target, p.Port).String())
	if c.err = err; err == nil {
		_ = conn.Close()
	}
}

// publishing judges the published ports of a network. What holds such a port on the host is among the problems.
func (f *facts) publishing(n Network) []Finding {
	out := about("publish", n.Name)
	for _, p := range n.Published {
		c := f.calls[callKey(n, p)]
		ports := p.protocols() + " " + p.Listen
		if p.Address.IsValid() && !f.hasAddress(p.Address) {
			out.warn("ip -4 address show; leave `address` out to publish on every address", "publish %q: the host hasn't the address %s that it is published on", p.Name, p.Address)
		}
		switch {
		case !f.up(n):
		case !c.target.IsValid() && f.leasesErr != nil:
			out.warn("sudo labnet doctor", "publish %q: where it leads isn't known, since leases can't be read: %v", p.Name, f.leasesErr)
		case !c.target.IsValid():
			out.warn("labnet doctor "+p.Host, "publish %q: %s leads nowhere while %s has no lease", p.Name, ports, p.Host)
		case c.asked && !c.there:
			out.warn("start it; labnet doctor "+c.target.String(), "publish %q: %s leads to %s, which doesn't answer ARP", p.Name, ports, c.target)
		case c.dialled && errors.Is(c.err, syscall.ECONNREFUSED):
			out.warn(fmt.Sprintf("in the guest: ss -lnt 'sport = :%d'; not 127.0.0.1 alone", p.Port), "publish %q: nothing listens on TCP port %d of %s", p.Name, p.Port, c.target)
		case c.dialled && c.err != nil:
			out.warn(fmt.Sprintf("the guest's own firewall may drop that; tcpdump -ni %s host %s and port %d", n.Bridge, c.target, p.Port), "publish %q: TCP port %d of %s doesn't answer", p.Name, p.Port, c.target)
		case c.dialled:
			out.ok("%s: %s leads to port %d of %s, which answers", p.Name, ports, p.Port, c.target)
		default:
			out.ok("%s: %s leads to port %d of %s", p.Name, ports, p.Port, c.target)
		}
	}
	return out.list
}

func (p Published) protocols() string {
	switch {
	case p.TCP && p.UDP:
		return "TCP and UDP"
	case p.UDP:
		return "UDP"
	}
	return "TCP"
}

func (f *facts) hasAddress(addr netip.Addr) bool {
	for _, l := range f.kernel.links {
		for _, a := range l.addresses {
			if a.Addr() == addr {
				return true
			}
		}
	}
	return false
}

// publishedAs says which ports of the host lead to a guest.
func (g *guest) publishedAs(f *facts) []Finding {
	out := about("publish", g.networkName())
	var names []string
	for _, p := range g.network.Published {
		if g.addr.IsValid() && f.target(*g.network, p) == g.addr {
			names = append(names, fmt.Sprintf("%s %s (%s)", p.protocols(), p.Listen, p.Name))
		}
	}
	if len(names) > 0 {
		out.ok("these ports of the host lead to it: %s", few(names))
	}
	for _, p := range f.problems {
		if p.Network == g.network.Name && g.publishes(f, p) {
			out.fail(p.Remedy, "%s", p.Summary)
		}
	}
	return out.list
}

// publishes reports whether a problem is one of a published port that leads to the guest.
func (g *guest) publishes(f *facts, problem control.Problem) bool {
	for _, p := range g.network.Published {
		if strings.HasPrefix(problem.Summary, fmt.Sprintf("publish %q:", p.Name)) && g.addr.IsValid() && f.target(*g.network, p) == g.addr {
			return true
		}
	}
	return false
}
