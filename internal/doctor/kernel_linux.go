package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// readKernel looks at the links, bridges and neighbours of the calling process's network namespace. It needs no privilege.
func readKernel() (kernel, error) {
	var k kernel
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return k, fmt.Errorf("listing links: %w", err)
	}
	for _, l := range links {
		a := l.Attrs()
		k.links = append(k.links, link{
			index: a.Index, master: a.MasterIndex, name: a.Name, kind: l.Type(), mac: a.HardwareAddr,
			up: a.RawFlags&unix.IFF_UP != 0, carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, noARP: a.RawFlags&unix.IFF_NOARP != 0,
		})
	}
	if err := k.readPorts(); err != nil {
		return k, err
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return k, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addresses {
		for i := range k.links {
			if addr, ok := toAddr(a.IP); ok && k.links[i].index == a.LinkIndex {
				ones, _ := a.Mask.Size()
				k.links[i].addresses = append(k.links[i].addresses, netip.PrefixFrom(addr, ones))
			}
		}
	}
	heard, err := netlink.NeighList(0, unix.AF_BRIDGE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return k, fmt.Errorf("listing what bridges have heard: %w", err)
	}
	for _, h := range heard {
		if h.State&unix.NUD_PERMANENT == 0 && h.MasterIndex != 0 && len(h.HardwareAddr) == 6 {
			k.stations = append(k.stations, station{h.HardwareAddr, h.LinkIndex})
		}
	}
	neighbours, err := netlink.NeighList(0, unix.AF_INET)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return k, fmt.Errorf("listing neighbours: %w", err)
	}
	for _, n := range neighbours {
		if addr, ok := toAddr(n.IP); ok && len(n.HardwareAddr) == 6 && n.State&(unix.NUD_REACHABLE|unix.NUD_STALE|unix.NUD_DELAY|unix.NUD_PROBE) != 0 {
			k.neighbours = append(k.neighbours, neighbour{n.LinkIndex, addr, n.HardwareAddr})
		}
	}
	return k, nil
}

// readPorts adds what bridges know of their ports.
func (k *kernel) readPorts() error {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	request.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
	messages, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("listing the ports of bridges: %w", err)
	}
	for _, m := range messages {
		attributes, err := nl.ParseRouteAttr(m[unix.SizeofIfInfomsg:])
		if err != nil {
			return fmt.Errorf("listing the ports of bridges: %w", err)
		}
		index := int(nl.DeserializeIfInfomsg(m).Index)
		for _, a := range attributes {
			if a.Attr.Type&^unix.NLA_F_NESTED != unix.IFLA_PROTINFO {
				continue
			}
			info, err := nl.ParseRouteAttr(a.Value)
			if err != nil {
				continue // of a bridge itself, which has none
			}
			for i := range k.links {
				if k.links[i].index == index {
					k.links[i].readPort(info)
				}
			}
		}
	}
	return nil
}

func (l *link) readPort(info []syscall.NetlinkRouteAttr) {
	for _, a := range info {
		if len(a.Value) != 1 {
			continue
		}
		switch a.Attr.Type {
		case nl.IFLA_BRPORT_STATE:
			l.state = a.Value[0]
		case nl.IFLA_BRPORT_ISOLATED:
			l.apart = a.Value[0] != 0
		}
	}
}

func toAddr(ip net.IP) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

// somewhere is an address of nobody's, RFC 5737: it stands for the outside.
var somewhere = netip.AddrFrom4([4]byte{203, 0, 113, 1})

// findWay asks the kernel how what a guest sends would leave; where the bridge isn't there, how the host's own would.
func (k *kernel) findWay(n Network, guest netip.Addr) way {
	options := &netlink.RouteGetOptions{}
	if bridge, ok := k.link(n.Bridge); ok && bridge.up && guest.IsValid() {
		options = &netlink.RouteGetOptions{IifIndex: bridge.index, SrcAddr: guest.AsSlice()}
	}
	routes, err := netlink.RouteGetWithOptions(somewhere.AsSlice(), options)
	if err == nil && len(routes) == 0 {
		err = unix.ENETUNREACH
	}
	if err != nil {
		return way{err: err}
	}
	w := way{}
	w.out, _ = k.byIndex(routes[0].LinkIndex)
	w.gateway, _ = toAddr(routes[0].Gw)
	for _, a := range w.out.addresses {
		if !w.source.IsValid() || w.gateway.IsValid() && a.Contains(w.gateway) {
			w.source = a.Addr()
		}
	}
	return w
}

// connections counts what is tracked of an address; -1 where that can't be read.
func connections(addr netip.Addr) int {
	flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
	if err != nil {
		return -1
	}
	count := 0
	for _, f := range flows {
		for _, ip := range []net.IP{f.Forward.SrcIP, f.Forward.DstIP, f.Reverse.SrcIP} {
			if a, ok := toAddr(ip); ok && a == addr {
				count++
				break
			}
		}
	}
	return count
}
