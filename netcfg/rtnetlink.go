package netcfg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

func readLinks(conn *netlink.Conn) ([]link, error) {
	messages, err := dump(conn, unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg))
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	var links []link
	for _, m := range messages {
		l, err := readLink(m)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

var errNoLink = errors.New("no such link")

// findLink asks for one link.
func findLink(conn *netlink.Conn, name string) (link, error) {
	messages, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request},
		Data:   append(ifinfo(0, 0, 0), attributes(attrText(unix.IFLA_IFNAME, name))...),
	})
	if errors.Is(err, unix.ENODEV) {
		return link{}, fmt.Errorf("%s: %w", name, errNoLink)
	}
	if err == nil && len(messages) != 1 {
		err = fmt.Errorf("%d answers", len(messages))
	}
	if err != nil {
		return link{}, fmt.Errorf("looking for link %s: %w", name, err)
	}
	return readLink(messages[0])
}

func readLink(m netlink.Message) (link, error) {
	var l link
	elsewhere := false
	if err := eachAttribute(m.Data, unix.SizeofIfInfomsg, func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.name = text(v)
		case unix.IFLA_IFALIAS:
			l.alias = text(v)
		case unix.IFLA_ADDRESS:
			l.mac = net.HardwareAddr(v).String()
		case unix.IFLA_MTU:
			l.mtu = int(native32(v))
		case unix.IFLA_GROUP:
			l.group = native32(v)
		case unix.IFLA_MASTER:
			l.master = int(native32(v))
		case unix.IFLA_LINK:
			l.lower = int(native32(v))
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_LINKINFO:
			l.readInfo(v)
			l.readPort(v)
		case unix.IFLA_CARRIER:
			// A TAP has a carrier while somebody has it open.
			l.tun.used = len(v) > 0 && v[0] != 0
		}
	}); err != nil {
		return link{}, err
	}
	if elsewhere {
		l.lower = 0
	}
	flags := native32(m.Data[8:])
	l.index = int(native32(m.Data[4:]))
	l.up = flags&unix.IFF_UP != 0
	l.carrier = flags&unix.IFF_LOWER_UP != 0
	l.loopback = flags&unix.IFF_LOOPBACK != 0
	return l, nil
}

func (l *link) readInfo(data []byte) {
	var details, ofPort []byte
	portOf := ""
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_INFO_KIND:
			l.kind = text(v)
		case unix.IFLA_INFO_DATA:
			details = v
		case unix.IFLA_INFO_SLAVE_KIND:
			portOf = text(v)
		case unix.IFLA_INFO_SLAVE_DATA:
			ofPort = v
		}
	})
	if portOf == "bridge" {
		l.isolated = readIsolated(ofPort)
	}
	if l.kind == "tun" {
		l.readTUN(details)
	}
	if l.kind != "bridge" {
		return
	}
	_ = eachAttribute(details, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_BR_STP_STATE:
			l.stp = native32(v) != 0
		case unix.IFLA_BR_FORWARD_DELAY:
			l.forwardDelay = native32(v)
		case unix.IFLA_BR_NF_CALL_IPTABLES:
			l.callsIPTables = len(v) > 0 && v[0] != 0
		}
	})
}

// ifaProto is IFA_PROTO of uapi/linux/if_addr.h; kernels before 5.18 pass over it.
const ifaProto = 11

func readAddresses(conn *netlink.Conn) ([]linkAddress, error) {
	messages, err := dump(conn, unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	var addresses []linkAddress
	for _, m := range messages {
		var local, peer netip.Addr
		var a linkAddress
		if err := eachAttribute(m.Data, unix.SizeofIfAddrmsg, func(kind uint16, v []byte) {
			switch kind {
			case unix.IFA_LOCAL:
				local, _ = netip.AddrFromSlice(v)
			case unix.IFA_ADDRESS:
				peer, _ = netip.AddrFromSlice(v)
			case ifaProto:
				a.protocol = v[0]
			}
		}); err != nil {
			return nil, err
		}
		if !local.IsValid() {
			local = peer // IPv6
		}
		a.link = int(native32(m.Data[4:]))
		a.prefix = netip.PrefixFrom(local, int(m.Data[1]))
		addresses = append(addresses, a)
	}
	return addresses, nil
}

// readRoutes lists unicast IPv4 routes, the kernel's local table left out.
func readRoutes(conn *netlink.Conn) ([]route, error) {
	request := make([]byte, unix.SizeofRtMsg)
	request[0] = unix.AF_INET
	messages, err := dump(conn, unix.RTM_GETROUTE, request)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	var routes []route
	for _, m := range messages {
		if len(m.Data) < unix.SizeofRtMsg || m.Data[0] != unix.AF_INET || m.Data[7] != unix.RTN_UNICAST {
			continue
		}
		r := route{table: uint32(m.Data[4]), protocol: m.Data[5]}
		dst := netip.IPv4Unspecified()
		if err := eachAttribute(m.Data, unix.SizeofRtMsg, func(kind uint16, v []byte) {
			switch kind {
			case unix.RTA_TABLE:
				r.table = native32(v)
			case unix.RTA_DST:
				dst, _ = netip.AddrFromSlice(v)
			case unix.RTA_GATEWAY:
				r.via, _ = netip.AddrFromSlice(v)
			case unix.RTA_OIF:
				r.links = append(r.links, int(native32(v)))
			case unix.RTA_MULTIPATH:
				r.readHops(v)
			case unix.RTA_METRICS:
				_ = eachAttribute(v, 0, func(metric uint16, v []byte) { // its own attributes, or none that can be read
					if metric == unix.RTAX_MTU {
						r.mtu = int(native32(v))
					}
				})
			}
		}); err != nil {
			return nil, err
		}
		r.dst = netip.PrefixFrom(dst, int(m.Data[1]))
		if r.table != unix.RT_TABLE_LOCAL {
			routes = append(routes, r)
		}
	}
	return routes, nil
}

// readRouted6 tells the links by which IPv6 unicast is routed, other than to the link's own addresses (fe80::/10).
func readRouted6(conn *netlink.Conn) (map[int]bool, error) {
	request := make([]byte, unix.SizeofRtMsg)
	request[0] = unix.AF_INET6
	messages, err := dump(conn, unix.RTM_GETROUTE, request)
	if err != nil {
		return nil, fmt.Errorf("listing IPv6 routes: %w", err)
	}
	links := map[int]bool{}
	for _, m := range messages {
		if len(m.Data) < unix.SizeofRtMsg || m.Data[0] != unix.AF_INET6 || m.Data[7] != unix.RTN_UNICAST || m.Data[4] == unix.RT_TABLE_LOCAL {
			continue
		}
		r, dst := route{}, netip.IPv6Unspecified()
		if err := eachAttribute(m.Data, unix.SizeofRtMsg, func(kind uint16, v []byte) {
			switch kind {
			case unix.RTA_DST:
				dst, _ = netip.AddrFromSlice(v)
			case unix.RTA_OIF:
				r.links = append(r.links, int(native32(v)))
			case unix.RTA_MULTIPATH:
				r.readHops(v)
			}
		}); err != nil {
			return nil, err
		}
		if linkLocal6.Contains(dst) && int(m.Data[1]) >= linkLocal6.Bits() {
			continue
		}
		for _, link := range r.links {
			links[link] = true
		}
	}
	return links, nil
}

// readHops reads the interfaces of a route over several: a list of rtnexthop.
func (r *route) readHops(data []byte) {
	for len(data) >= unix.SizeofRtNexthop {
		size := (int(binary.NativeEndian.Uint16(data)) + 3) &^ 3
		r.links = append(r.links, int(native32(data[4:])))
		if size < unix.SizeofRtNexthop || size > len(data) {
			return
		}
		data = data[size:]
	}
}

// ifinfo is the header of a link message; changed are the flags that the others set.
func ifinfo(index int, flags, changed uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, changed)
}

func request(conn *netlink.Conn, kind uint16, flags netlink.HeaderFlags, header []byte, list ...netlink.Attribute) error {
	_, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(header, attributes(list...)...),
	})
	return err
}

func linkInfo(b bridge) netlink.Attribute {
	stp := uint32(0)
	if b.stp {
		stp = 1
	}
	return attrNested(unix.IFLA_LINKINFO,
		attrText(unix.IFLA_INFO_KIND, "bridge"),
		attrNested(unix.IFLA_INFO_DATA,
			attrNative32(unix.IFLA_BR_FORWARD_DELAY, b.forwardDelay),
			attrNative32(unix.IFLA_BR_STP_STATE, stp)))
}

// createBridge makes a bridge with its final address. Its MTU is another one at first: only a change of it keeps the kernel
// from following the ports' MTUs ever after.
func createBridge(conn *netlink.Conn, name string, b bridge) error {
	hw, err := net.ParseMAC(b.mac)
	if err != nil {
		return err
	}
	provisional := b.mtu + 1
	if provisional > 65535 {
		provisional = b.mtu - 1
	}
	return request(conn, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, ifinfo(0, 0, 0),
		attrText(unix.IFLA_IFNAME, name),
		attr(unix.IFLA_ADDRESS, hw),
		attrNative32(unix.IFLA_MTU, uint32(provisional)),
		linkInfo(b))
}

// configureBridge sets what differs.
func configureBridge(conn *netlink.Conn, l link, to bridge) error {
	if l.alias != alias {
		if err := request(conn, unix.RTM_SETLINK, 0, ifinfo(l.index, 0, 0), attr(unix.IFLA_IFALIAS, []byte(alias))); err != nil {
			return fmt.Errorf("marking it: %w", err)
		}
	}
	if l.mac != to.mac {
		hw, err := net.ParseMAC(to.mac)
		if err != nil {
			return err
		}
		if err := request(conn, unix.RTM_SETLINK, 0, ifinfo(l.index, 0, 0), attr(unix.IFLA_ADDRESS, hw)); err != nil {
			return fmt.Errorf("setting its mac address: %w", err)
		}
	}
	if l.stp != to.stp || l.forwardDelay != to.forwardDelay {
		// Without spanning tree the kernel takes a delay of 0; while it is on, it doesn't: hence in this order.
		off := to
		off.forwardDelay = max(off.forwardDelay, 200)
		for _, b := range []bridge{off, to} {
			if err := request(conn, unix.RTM_NEWLINK, 0, ifinfo(l.index, 0, 0), linkInfo(b)); err != nil {
				return fmt.Errorf("setting its spanning tree: %w", err)
			}
		}
	}
	if l.mtu != to.mtu {
		if err := request(conn, unix.RTM_SETLINK, 0, ifinfo(l.index, 0, 0), attrNative32(unix.IFLA_MTU, uint32(to.mtu))); err != nil {
			return fmt.Errorf("setting its mtu: %w", err)
		}
	}
	if to.up && !l.up {
		if err := request(conn, unix.RTM_SETLINK, 0, ifinfo(l.index, unix.IFF_UP, unix.IFF_UP)); err != nil {
			return fmt.Errorf("bringing it up: %w", err)
		}
	}
	return nil
}

func deleteLink(conn *netlink.Conn, index int) error {
	return request(conn, unix.RTM_DELLINK, 0, ifinfo(index, 0, 0))
}

// attach puts a link on a bridge and brings it up, in one request.
func attach(conn *netlink.Conn, index, bridge int) error {
	return request(conn, unix.RTM_SETLINK, 0, ifinfo(index, unix.IFF_UP, unix.IFF_UP), attrNative32(unix.IFLA_MASTER, uint32(bridge)))
}

func detach(conn *netlink.Conn, index int, down bool) error {
	changed := uint32(0)
	if down {
		changed = unix.IFF_UP
	}
	return request(conn, unix.RTM_SETLINK, 0, ifinfo(index, 0, changed), attrNative32(unix.IFLA_MASTER, 0))
}

func ifaddr(index int, p netip.Prefix) []byte {
	b := []byte{unix.AF_INET, byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
	return binary.NativeEndian.AppendUint32(b, uint32(index))
}

func createAddress(conn *netlink.Conn, index int, p netip.Prefix) error {
	list := []netlink.Attribute{
		attr(unix.IFA_LOCAL, p.Addr().AsSlice()),
		attr(unix.IFA_ADDRESS, p.Addr().AsSlice()),
		attr(ifaProto, []byte{addressProtocol}),
	}
	if p.Bits() < 31 {
		list = append(list, attr(unix.IFA_BROADCAST, lastOf(p).AsSlice()))
	}
	err := request(conn, unix.RTM_NEWADDR, netlink.Create|netlink.Excl, ifaddr(index, p), list...)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func deleteAddress(conn *netlink.Conn, index int, p netip.Prefix) error {
	err := request(conn, unix.RTM_DELADDR, 0, ifaddr(index, p), attr(unix.IFA_LOCAL, p.Addr().AsSlice()))
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}
