package netcfg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Connection tracking decides once a connection: what is translated stays so, what is established is let through, also after
// the rules have changed, and for as long as packets keep coming. Entries that the present rules would not have made are
// therefore removed after a change; the next packet is decided anew.

// Attributes of a tracked connection, uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaID         = 12
	ctaZone       = 18
	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaProtoNum   = 1
	ctaProtoSrc   = 2
	ctaProtoDst   = 3
	ctaIPv4Src    = 1
	ctaIPv4Dst    = 2

	ctGet    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1
	ctDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2
)

// connection is a tracked one over IPv4: the addresses of its first packet, and those of the answers that are expected.
type connection struct {
	src, dst           netip.Addr
	replySrc, replyDst netip.Addr
	proto              byte
	dport, replySport  uint16
	key                []netlink.Attribute // names it to the kernel
}

// decidesConnections reports whether a plan changes how connections are decided.
func (p Plan) decidesConnections() bool {
	return slices.ContainsFunc(slices.Concat(p.Grow, p.Shrink), func(c Change) bool {
		switch c := c.(type) {
		case addTable:
			return c.id == inetTable
		case addChain:
			return c.table == inetTable
		case setChain:
			return c.table == inetTable
		case setElements:
			return c.table == inetTable && slices.Contains([]string{"from_bridge", "to_bridge", "masquerade4", crossings}, c.name)
		}
		return false
	})
}

// stale reports whether a connection is one that the rules of cfg would not have made so. What the host itself takes part in
// isn't forwarded.
func (cfg Config) stale(c connection, host map[netip.Addr]bool) bool {
	if host[c.src] || host[c.dst] || c.dst.IsMulticast() || limitedBroadcast.Contains(c.dst) {
		return false
	}
	from, isFrom := cfg.containing(c.src)
	to, isTo := cfg.containing(c.dst)
	switch {
	case isFrom && isTo:
		if from.Name == to.Name {
			return from.Isolate
		}
		return !mayEnter(from, to)
	case isFrom && from.Isolated, isTo && to.Isolated:
		return true
	case isFrom:
		return from.Masquerade != (c.replyDst != c.src)
	case isTo:
		return to.Masquerade && c.replySrc == c.dst
	}
	return false
}

func (cfg Config) containing(a netip.Addr) (Network, bool) {
	for _, n := range cfg.Networks {
		if slices.ContainsFunc(n.reach(), func(p netip.Prefix) bool { return p.Contains(a) }) {
			return n, true
		}
	}
	return Network{}, false
}

// endStale removes the stale connections, and returns how many there were.
func (ns *namespace) endStale(cfg Config, f *facts) (int, error) {
	host := map[netip.Addr]bool{}
	for _, a := range f.addresses {
		host[a.prefix.Addr()] = true
	}
	for _, n := range cfg.Networks {
		for _, a := range n.addresses() {
			host[a.Addr()] = true
		}
	}
	messages, err := dump(ns.filter, ctGet, []byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0})
	if err != nil {
		return 0, fmt.Errorf("listing tracked connections: %w", err)
	}
	ended := 0
	for _, m := range messages {
		c, err := readConnection(m.Data)
		if err != nil {
			return ended, err
		}
		if !cfg.stale(c, host) {
			continue
		}
		err = request(ns.filter, ctDelete, 0, []byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0}, c.key...)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return ended, fmt.Errorf("removing the tracked connection from %s to %s: %w", c.src, c.dst, err)
		}
		ended++
	}
	return ended, nil
}

func readConnection(data []byte) (connection, error) {
	var c connection
	err := eachAttribute(data, 4, func(kind uint16, v []byte) {
		switch kind {
		case ctaTupleOrig:
			c.src, c.dst = readTuple(v)
			c.proto, _, c.dport = readTupleProto(v)
			c.key = append(c.key, attr(kind|unix.NLA_F_NESTED, v))
		case ctaTupleReply:
			c.replySrc, c.replyDst = readTuple(v)
			_, c.replySport, _ = readTupleProto(v)
		case ctaID, ctaZone:
			c.key = append(c.key, attr(kind, v))
		}
	})
	return c, err
}

func readTuple(data []byte) (src, dst netip.Addr) {
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		if kind != ctaTupleIP {
			return
		}
		_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
			switch kind {
			case ctaIPv4Src:
				src, _ = netip.AddrFromSlice(v)
			case ctaIPv4Dst:
				dst, _ = netip.AddrFromSlice(v)
			}
		})
	})
	return src, dst
}

// readTupleProto reads the protocol, and the ports of those that have some.
func readTupleProto(data []byte) (proto byte, sport, dport uint16) {
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		if kind != ctaTupleProto {
			return
		}
		_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
			switch {
			case kind == ctaProtoNum && len(v) == 1:
				proto = v[0]
			case kind == ctaProtoSrc && len(v) == 2:
				sport = binary.BigEndian.Uint16(v)
			case kind == ctaProtoDst && len(v) == 2:
				dport = binary.BigEndian.Uint16(v)
			}
		})
	})
	return proto, sport, dport
}
