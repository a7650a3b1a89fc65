package demo

import (
	"errors"
	"fmt"
	"net"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// place is a machine of the story: a network namespace without a name, held by one thread of this process. It is gone with the
// process, however that ends.
type place struct {
	name string
	do   chan func()
	tid  int
}

// newPlace makes a namespace with lo up.
func newPlace(name string) (*place, error) {
	p := &place{name: name, do: make(chan func())}
	ready := make(chan error)
	go func() {
		// The thread is never unlocked: the runtime ends it with the goroutine, and with it the namespace.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			if errors.Is(err, unix.EPERM) {
				err = fmt.Errorf("%w: root lacks CAP_SYS_ADMIN here, as in most containers; run it on the host, or in a privileged container", err)
			}
			ready <- fmt.Errorf("making a network namespace for %s: %w", name, err)
			return
		}
		p.tid = unix.Gettid()
		ready <- nil
		for f := range p.do {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, err
	}
	if err := p.call(func() error { return up("lo") }); err != nil {
		p.close()
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: root lacks CAP_NET_ADMIN here; run it on the host, or in a privileged container", err)
		}
		return nil, err
	}
	return p, nil
}

// close lets the place go.
func (p *place) close() { close(p.do) }

// call runs f in the place, one call at a time. Sockets and processes that f starts belong there; f must not wait for another
// place.
func (p *place) call(f func() error) error {
	done := make(chan error, 1)
	p.do <- func() { done <- f() }
	if err := <-done; err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// path names the namespace for other programs, e.g. nsenter --net=PATH.
func (p *place) path() string { return fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), p.tid) }

// cable joins two places by a veth pair and brings both ends up.
func cable(a *place, aName string, b *place, bName string) error {
	err := a.call(func() error {
		veth := netlink.NewVeth(netlink.LinkAttrs{Name: aName})
		veth.PeerName = bName
		veth.PeerNamespace = netlink.NsPid(b.tid)
		err := netlink.LinkAdd(veth)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("adding %s: %w: the kernel lacks the module veth; load it by `modprobe veth`", aName, err)
		}
		if err != nil {
			return fmt.Errorf("adding %s: %w", aName, err)
		}
		return up(aName)
	})
	if err != nil {
		return err
	}
	return b.call(func() error { return up(bName) })
}

func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// address gives an interface of the current place an address, and a default route if gateway isn't nil.
func address(name string, ip net.IP, mask net.IPMask, gateway net.IP) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: mask}}); err != nil {
		return fmt.Errorf("giving %s the address %v: %w", name, ip, err)
	}
	if gateway == nil {
		return nil
	}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway}); err != nil {
		return fmt.Errorf("routing by %v: %w", gateway, err)
	}
	return nil
}
