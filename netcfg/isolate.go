package netcfg

import (
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Guests that don't reach each other: the kernel passes nothing between isolated ports of a bridge, and nothing is forwarded from
// the bridge back into it, which a guest gets with a route to another one over the gateway.

// setPort isolates a port, or no more.
type setPort struct {
	name, bridge string
	isolated     bool
}

func (c setPort) Group() string { return groupPorts }

func (c setPort) String() string {
	if c.isolated {
		return fmt.Sprintf("~ port %s on %s (isolated off -> on)", c.name, c.bridge)
	}
	return fmt.Sprintf("~ port %s on %s (isolated on -> off)", c.name, c.bridge)
}

// isolates reports whether the guests of a bridge are kept apart.
func (cfg Config) isolates(bridge string) bool {
	return slices.ContainsFunc(cfg.Networks, func(n Network) bool { return n.Bridge == bridge && n.Isolate })
}

// readIsolated finds the flag among the attributes of a bridge's port; kernels before 4.18 have none.
func readIsolated(port []byte) (isolated bool) {
	_ = eachAttribute(port, 0, func(kind uint16, v []byte) {
		if kind == unix.IFLA_BRPORT_ISOLATED && len(v) > 0 {
			isolated = v[0] != 0
		}
	})
	return isolated
}

// isolate sets the flag of a port. The kernel takes it only from a link that is a port already.
func isolate(conn *netlink.Conn, index int, on bool) error {
	flag := []byte{0}
	if on {
		flag[0] = 1
	}
	return request(conn, unix.RTM_NEWLINK, 0, ifinfo(index, 0, 0), attrNested(unix.IFLA_LINKINFO,
		attrText(unix.IFLA_INFO_SLAVE_KIND, "bridge"),
		attrNested(unix.IFLA_INFO_SLAVE_DATA, attr(unix.IFLA_BRPORT_ISOLATED, flag))))
}

// attachIsolated puts a link on a bridge so that it is isolated before anything goes through it; one that is up already is so a moment
// later.
func attachIsolated(conn *netlink.Conn, index, bridge int) error {
	if err := request(conn, unix.RTM_SETLINK, 0, ifinfo(index, 0, 0), attrNative32(unix.IFLA_MASTER, uint32(bridge))); err != nil {
		return err
	}
	if err := isolate(conn, index, true); err != nil {
		return err
	}
	return request(conn, unix.RTM_SETLINK, 0, ifinfo(index, unix.IFF_UP, unix.IFF_UP))
}

// amongGuests are the rules for what goes from a bridge back into it: frames among its guests, which br_netfilter brings here, and
// packets that a guest sent to the gateway for another guest. What may open connections is led on.
func amongGuests(n Network, s separation, onward string) []rule {
	back := oifname(n.Bridge)
	switch {
	case !n.Isolate:
		return []rule{inet("", back, leadTo(onward))}
	case n.Adopt:
		// Ports of others aren't isolated. What is routed was sent to the bridge's own address.
		return []rule{
			inet("guests are kept apart", back, etherDestination(s.mac), counted("kept_apart"), reject()),
			inet("", back, leadTo(onward)),
		}
	}
	return []rule{inet("guests are kept apart", back, counted("kept_apart"), reject())}
}
