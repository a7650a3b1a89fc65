package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hostPort is a port of the host.
type hostPort struct {
	proto byte
	addr  netip.Addr // invalid: every one
	port  uint16
}

// movedPorts are those that lead elsewhere than before, and where to; invalid: nowhere.
type movedPorts map[hostPort]netip.AddrPort

// note adds what a change of elements moves.
func (m movedPorts) note(c setElements) {
	if c.table != inetTable {
		return
	}
	for element := range c.del {
		m.add(c.name, element, "")
	}
	for element, value := range c.add {
		m.add(c.name, element, value)
	}
}

func (m movedPorts) add(set, element, value string) {
	var p hostPort
	words := strings.Split(element, between)
	switch set {
	case publishedAt, publishedAtLeased:
		p.addr, _ = netip.ParseAddr(words[0])
		words = words[1:]
	case published, publishedLeased:
	default:
		return
	}
	if len(words) != 2 {
		return
	}
	p.proto = keyProto.encode(words[0])[0]
	port, _ := strconv.ParseUint(words[1], 10, 16)
	p.port = uint16(port)
	to, _ := netip.ParseAddrPort(strings.Replace(value, between, ":", 1))
	if old := m[p]; to.IsValid() || !old.IsValid() {
		m[p] = to
	}
}

// movedBetween is what a plan moves; sets that are there before and after and are followed are the follower's.
func movedBetween(have, want map[tableID]*table) movedPorts {
	m := movedPorts{}
	none := newTable()
	from, to := none, none
	if t, ok := have[inetTable]; ok {
		from = t
	}
	if t, ok := want[inetTable]; ok {
		to = t
	}
	for _, name := range []string{published, publishedAt, publishedLeased, publishedAtLeased} {
		before, was := from.sets[name]
		after, is := to.sets[name]
		if was && is && after.followed {
			continue
		}
		e := edits{}
		e.compare(setID{inetTable, name}, before.elements, after.elements)
		at := e[setID{inetTable, name}]
		m.note(setElements{table: inetTable, name: name, add: at.add, del: at.del})
	}
	return m
}

// ended reports whether a connection goes another way than it would now. Host are the host's addresses.
func (m movedPorts) ended(c connection, host map[netip.Addr]bool) bool {
	if !host[c.dst] || c.dst.IsLoopback() {
		return false
	}
	to, moved := m[hostPort{c.proto, c.dst, c.dport}]
	if !moved {
		to, moved = m[hostPort{c.proto, netip.Addr{}, c.dport}]
	}
	if !moved {
		return false
	}
	if !to.IsValid() {
		to = netip.AddrPortFrom(c.dst, c.dport)
	}
	return netip.AddrPortFrom(c.replySrc, c.replySport) != to
}

// endMoved removes the connections that moved ports end, and returns how many there were.
func (ns *namespace) endMoved(moved movedPorts, host map[netip.Addr]bool) (int, error) {
	if ns.edits == nil {
		return 0, ns.noFilter
	}
	messages, err := dump(ns.edits, ctGet, []byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0})
	if err != nil {
		return 0, fmt.Errorf("listing tracked connections: %w", err)
	}
	ended := 0
	for _, m := range messages {
		c, err := readConnection(m.Data)
		if err != nil {
			return ended, err
		}
		if !moved.ended(c, host) {
			continue
		}
		err = request(ns.edits, ctDelete, 0, []byte{unix.AF_INET, unix.NFNETLINK_V0, 0, 0}, c.key...)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return ended, fmt.Errorf("removing the tracked connection from %s to %s: %w", c.src, c.dst, err)
		}
		ended++
	}
	return ended, nil
}
