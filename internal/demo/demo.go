package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"

	"labnet/internal/control"
)

// limit bounds the story; it takes about a second.
const limit = time.Minute

// Run tells the story to out, line by line as it happens. With keep it then leaves everything up until ctx ends. Needs root;
// the network of the caller's namespace isn't touched, and nothing is left behind.
func Run(ctx context.Context, out io.Writer, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the demo makes network namespaces, which needs root; run it with sudo")
	}
	dir, err := os.MkdirTemp("", "labnet-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w; name another place for it by $TMPDIR", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &story{out: out}
	defer func() { err = errors.Join(err, s.end()) }()

	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.build(dir); err != nil {
		return err
	}
	err = s.tell(bounded)
	switch {
	case err == nil && keep:
		s.invite()
		<-ctx.Done()
		return nil
	case err == nil:
		err = s.finish(bounded)
	}
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; nothing is left behind")
	}
	return err
}

// story is the places and how far it is told.
type story struct {
	out      io.Writer
	lines    int
	lanPlace *place
	lan      *lan
	router   *router
	vm1, vm2 *guest
}

// say prints the next line.
func (s *story) say(format string, args ...any) {
	s.lines++
	fmt.Fprintf(s.out, "%2d. %s\n", s.lines, fmt.Sprintf(format, args...))
}

// build makes the places and the cables between them.
func (s *story) build(dir string) (err error) {
	if s.lanPlace, err = newPlace("lan"); err != nil {
		return err
	}
	place, err := newPlace("router")
	if err != nil {
		return err
	}
	s.router = &router{place: place, dir: dir, log: &lockedBuffer{}}
	for _, g := range []struct {
		guest **guest
		name  string
	}{{&s.vm1, "vm1"}, {&s.vm2, "vm2"}} {
		place, err := newPlace(g.name)
		if err != nil {
			return err
		}
		*g.guest = &guest{place: place}
		if err := cable(place, "eth0", s.router.place, g.name); err != nil {
			return err
		}
	}
	if err := cable(s.lanPlace, "eth0", s.router.place, "eth0"); err != nil {
		return err
	}
	mask := net.CIDRMask(24, 32)
	err = s.lanPlace.call(func() error {
		if err := address("eth0", net.ParseIP(lanServer), mask, nil); err != nil {
			return err
		}
		s.lan, err = openLAN()
		return err
	})
	if err != nil {
		return err
	}
	return s.router.call(func() error { return address("eth0", net.ParseIP(lanRouter), mask, net.ParseIP(lanServer)) })
}

// tell is the story up to its end.
func (s *story) tell(ctx context.Context) error {
	s.say("A LAN, a router and two guests, in network namespaces of their own; this machine's network stays as it is.")
	took, err := s.router.start(ctx)
	if err != nil {
		return err
	}
	s.say("labnet runs on the router, told by one block of HCL. It serves after %s.", round(took))
	for _, g := range []*guest{s.vm1, s.vm2} {
		if err := g.join(ctx); err != nil {
			return fmt.Errorf("%w\n%s", err, s.router.log)
		}
	}
	s.say("vm1 and vm2 ask for addresses by DHCP: %v in %s, and %v in %s, each on disk before it was granted.",
		s.vm1.addr(), round(s.vm1.took), s.vm2.addr(), round(s.vm2.took))
	if err := s.names(ctx); err != nil {
		return err
	}
	if err := s.traffic(ctx); err != nil {
		return err
	}
	return s.leases(ctx)
}

func (s *story) names(ctx context.Context) error {
	forward, err := s.vm1.lookUp(ctx, "vm2", dns.TypeA)
	if err != nil {
		return err
	}
	reverse, err := dns.ReverseAddr(forward)
	if err != nil {
		return err
	}
	back, err := s.vm1.lookUp(ctx, reverse, dns.TypePTR)
	if err != nil {
		return err
	}
	s.say("vm1 resolves its neighbour: vm2 is %s, and %s is %s", forward, forward, back)
	outside, err := s.vm1.lookUp(ctx, outsideName, dns.TypeA)
	if err != nil {
		return err
	}
	s.say("vm1 resolves the world: %s is %s, asked of the LAN's server and now cached.", outsideName, outside)
	return nil
}

func (s *story) traffic(ctx context.Context) error {
	var seen string
	err := s.vm1.call(func() (err error) {
		seen, err = seenAs(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if seen != lanRouter {
		return fmt.Errorf("the LAN sees %s, not the router's %s: not masqueraded", seen, lanRouter)
	}
	s.say("vm1 connects to the LAN through the NAT: the LAN sees %s, the router.", seen)
	refused := s.lanPlace.call(func() error {
		// The LAN is told the way, so that it is the firewall that says no.
		_, lab, err := net.ParseCIDR("10.0.0.0/24")
		if err != nil {
			return err
		}
		if err := netlink.RouteReplace(&netlink.Route{Dst: lab, Gw: net.ParseIP(lanRouter)}); err != nil {
			return err
		}
		conn, err := dial(ctx, net.JoinHostPort(s.vm1.addr().String(), "22"))
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if !errors.Is(refused, syscall.EHOSTUNREACH) && !errors.Is(refused, syscall.EACCES) {
		return fmt.Errorf("a connection from the LAN to vm1 should be refused by the firewall, but: %w", refused)
	}
	s.say("The LAN tries to connect to vm1: refused by the router.")
	return nil
}

func (s *story) leases(ctx context.Context) error {
	if err := s.vm2.leave(); err != nil {
		return err
	}
	for {
		_, rcode, err := s.vm1.resolve(ctx, "vm2.lab.internal", dns.TypeA)
		if err != nil {
			return err
		}
		if rcode == "NXDOMAIN" {
			break
		}
		select {
		case <-ctx.Done():
			return errors.New("vm2 has released its lease, and its name still resolves")
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.say("vm2 shuts down and releases its lease: its name is gone with it.")
	for l, err := range s.router.client.Leases(ctx, control.LeaseQuery{}) {
		if err != nil {
			return err
		}
		if l.State == "bound" {
			s.say("`labnet leases` on the router: %s  %s  %s  %s", l.Address, l.Name, l.MAC, l.State)
		}
	}
	return nil
}

// finish takes the network down.
func (s *story) finish(ctx context.Context) error {
	changes, err := s.router.down(ctx)
	if err != nil {
		return err
	}
	s.say("`labnet down`: %d changes, and the router is what it was before. Now yours: labnet init routed", changes)
	return nil
}

// invite tells how to look around.
func (s *story) invite() {
	fmt.Fprintf(s.out, "\nAll of it stays up until Ctrl-C. Look around:\n")
	for _, p := range []*place{s.router.place, s.vm1.place, s.vm2.place, s.lanPlace} {
		fmt.Fprintf(s.out, "  %-7s nsenter --net=%s\n", p.name, p.path())
	}
	fmt.Fprintf(s.out, "  labnet --socket %s status\n", s.router.socket())
}

// end removes everything, however far the story went.
func (s *story) end() error {
	var err error
	if s.router != nil {
		err = s.router.stop()
		s.router.close()
	}
	if s.lan != nil {
		s.lan.close()
	}
	for _, p := range []*place{s.lanPlace} {
		if p != nil {
			p.close()
		}
	}
	for _, g := range []*guest{s.vm1, s.vm2} {
		if g != nil {
			g.close()
		}
	}
	return err
}

func round(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
