package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// route is a route of any table but the kernel's own for local addresses.
type route struct{ entry }

// Attributes of routes, uapi/linux/rtnetlink.h.
const (
	rtaNexthopID = 30
	// keptFlags are those flags of a next hop that are asked for; the others say how it is.
	keptFlags = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE
)

func (c conn) routes() ([]route, error) {
	var out []route
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, unix.SizeofRtMsg)
		request[0] = family
		messages, err := c.dump(unix.RTM_GETROUTE, request)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("listing routes: %w", err)
		}
		for _, m := range messages {
			e, err := parse(m.Data, unix.SizeofRtMsg)
			if err != nil {
				return nil, err
			}
			r := route{e}
			if e.header[0] == family && r.table() != unix.RT_TABLE_LOCAL && native32(e.header[8:])&unix.RTM_F_CLONED == 0 {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

func (r route) is4() bool          { return r.header[0] == unix.AF_INET }
func (r route) protocol() byte     { return r.header[5] }
func (r route) kernel() bool       { return r.protocol() == unix.RTPROT_KERNEL }
func (r route) hasNexthopID() bool { return r.get(rtaNexthopID) != nil }

func (r route) table() uint32 {
	if t := r.get(unix.RTA_TABLE); t != nil {
		return native32(t)
	}
	return uint32(r.header[4])
}

func (r route) metric() uint32 { return native32(r.get(unix.RTA_PRIORITY)) }

func (r route) dst() netip.Prefix {
	addr := netip.IPv6Unspecified()
	if r.is4() {
		addr = netip.IPv4Unspecified()
	}
	if dst, ok := netip.AddrFromSlice(r.get(unix.RTA_DST)); ok {
		addr = dst
	}
	return netip.PrefixFrom(addr, int(r.header[1]))
}

// hops are the next hops of a route over several.
func (r route) hops() []entry {
	var out []entry
	data := r.get(unix.RTA_MULTIPATH)
	for len(data) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(data))
		if size < unix.SizeofRtNexthop || size > len(data) {
			break
		}
		if hop, err := parse(data[:size], unix.SizeofRtNexthop); err == nil {
			out = append(out, hop)
		}
		data = data[min(len(data), (size+3)&^3):]
	}
	return out
}

// over reports whether the route leads over a link.
func (r route) over(index int) bool {
	if oif := r.get(unix.RTA_OIF); oif != nil && int(native32(oif)) == index {
		return true
	}
	return slices.ContainsFunc(r.hops(), func(hop entry) bool { return int(native32(hop.header[4:])) == index })
}

// gateway is the next hop over a link, invalid if there is none.
func (r route) gateway(index int) netip.Addr {
	if gw, ok := netip.AddrFromSlice(r.get(unix.RTA_GATEWAY)); ok && int(native32(r.get(unix.RTA_OIF))) == index {
		return gw
	}
	for _, hop := range r.hops() {
		if gw, ok := netip.AddrFromSlice(hop.get(unix.RTA_GATEWAY)); ok && int(native32(hop.header[4:])) == index {
			return gw
		}
	}
	return netip.Addr{}
}

// request is the route as it is asked for, with one link in another's place.
func (r route) request(from, to int) entry {
	out := r.with(unix.RTA_CACHEINFO, nil)
	binary.NativeEndian.PutUint32(out.header[8:], native32(out.header[8:])&keptFlags)
	if oif := r.get(unix.RTA_OIF); oif != nil && int(native32(oif)) == from {
		out = out.with(unix.RTA_OIF, put32(uint32(to)))
	}
	if hops := r.hops(); len(hops) > 0 {
		var data []byte
		for _, hop := range hops {
			hop = entry{slices.Clone(hop.header), hop.attrs}
			hop.header[2] &= keptFlags
			if int(native32(hop.header[4:])) == from {
				binary.NativeEndian.PutUint32(hop.header[4:], uint32(to))
			}
			one := hop.bytes()
			binary.NativeEndian.PutUint16(one, uint16(len(one)))
			data = append(data, append(one, make([]byte, (4-len(one)%4)%4)...)...)
		}
		out = out.with(unix.RTA_MULTIPATH, data)
	}
	// The time that a route learned from router advertisements still has, in clock ticks of which there are 100 a second.
	if info := r.get(unix.RTA_CACHEINFO); !r.is4() && len(info) >= 12 {
		if ticks := int32(native32(info[8:])); ticks > 0 {
			out = out.with(unix.RTA_EXPIRES, put32(uint32(ticks)/100))
		}
	}
	return out
}

// key is what tells the route from others, as it would be over another link.
func (r route) keyOver(from, to int) string {
	return route{r.request(from, to)}.with(unix.RTA_EXPIRES, nil).key()
}

// addRoute makes a route, behind those that are there for the same destination; one that is there already stays.
func (c conn) addRoute(r route, from, to int) error {
	err := c.do(unix.RTM_NEWROUTE, netlink.Create|netlink.Append, r.request(from, to).bytes())
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("adding the route to %v: %w", r.dst(), err)
	}
	return nil
}

func (c conn) delRoute(r route, from, to int) error {
	err := c.do(unix.RTM_DELROUTE, 0, route{r.request(from, to)}.with(unix.RTA_EXPIRES, nil).bytes())
	if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing the route to %v: %w", r.dst(), err)
	}
	return nil
}

// byReach sorts routes so that a gateway's own subnet comes before the routes by the gateway.
func byReach(routes []route) []route {
	out := slices.Clone(routes)
	slices.SortStableFunc(out, func(a, b route) int { return boolInt(a.viaGateway()) - boolInt(b.viaGateway()) })
	return out
}

func (r route) viaGateway() bool {
	return r.get(unix.RTA_GATEWAY) != nil || r.get(unix.RTA_VIA) != nil || len(r.hops()) > 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// defaultBy is an IPv4 default route by a gateway.
func defaultBy(gateway netip.Addr, index int, metric uint32) route {
	e := entry{make([]byte, unix.SizeofRtMsg), nil}
	e.header[0], e.header[4], e.header[5] = unix.AF_INET, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC
	e.header[6], e.header[7] = unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	e = e.with(unix.RTA_TABLE, put32(unix.RT_TABLE_MAIN)).with(unix.RTA_GATEWAY, gateway.AsSlice()).with(unix.RTA_OIF, put32(uint32(index)))
	if metric != 0 {
		e = e.with(unix.RTA_PRIORITY, put32(metric))
	}
	return route{e}
}
