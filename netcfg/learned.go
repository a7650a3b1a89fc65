package netcfg

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// edit changes elements; it may be called while the rest of the namespace is looked at or changed, but by one goroutine at a time.
func (ns *namespace) edit(changes []Change) error {
	if ns.edits == nil {
		return ns.noFilter
	}
	tx := &transaction{}
	for _, c := range changes {
		c.(firewallChange).encode(tx)
	}
	return commit(ns.edits, tx)
}

// readSet reads the elements of a set that has the types of s.
func (ns *namespace) readSet(id setID, s set) (map[string]string, error) {
	if ns.edits == nil {
		return nil, ns.noFilter
	}
	s.elements = map[string]string{}
	if err := s.read(ns.edits, id.table, id.name); err != nil {
		return nil, fmt.Errorf("reading set %s %s: %w", id.table, id.name, err)
	}
	return s.elements, nil
}

// portOf returns the index of the port behind which a bridge has seen a MAC address last; errNoLink if there is none.
func (ns *namespace) portOf(bridge int, mac MAC) (int, error) {
	messages, err := ns.places.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETNEIGH, Flags: netlink.Request},
		Data: append(append([]byte{unix.AF_BRIDGE}, make([]byte, unix.SizeofNdMsg-1)...),
			attributes(attr(unix.NDA_LLADDR, mac[:]), attrNative32(unix.NDA_MASTER, uint32(bridge)))...),
	})
	if errors.Is(err, unix.ENOENT) {
		return 0, errNoLink
	}
	if err != nil {
		return 0, fmt.Errorf("asking bridge %d for %s: %w", bridge, mac, err)
	}
	for _, m := range messages {
		if _, index, ok := readLearned(m.Data); ok {
			return index, nil
		}
	}
	return 0, errNoLink
}

// learned returns behind which ports, by index, a bridge has seen which MAC addresses.
func (ns *namespace) learned(bridge int) (map[MAC]int, error) {
	header := append([]byte{unix.AF_BRIDGE}, make([]byte, unix.SizeofIfInfomsg-1)...)
	messages, err := dump(ns.places, unix.RTM_GETNEIGH, append(header, attributes(attrNative32(unix.IFLA_MASTER, uint32(bridge)))...))
	if err != nil {
		return nil, fmt.Errorf("listing what bridge %d has learned: %w", bridge, err)
	}
	found := map[MAC]int{}
	for _, m := range messages {
		if mac, index, ok := readLearned(m.Data); ok {
			found[mac] = index
		}
	}
	return found, nil
}

// readLearned reads an entry of a bridge's table. The bridge's own addresses, and those that somebody has entered by hand, aren't learned.
func readLearned(data []byte) (mac MAC, index int, ok bool) {
	if len(data) < unix.SizeofNdMsg {
		return mac, 0, false
	}
	_ = eachAttribute(data, unix.SizeofNdMsg, func(kind uint16, v []byte) {
		if kind == unix.NDA_LLADDR && len(v) == len(mac) {
			copy(mac[:], v)
			ok = true
		}
	})
	state := uint16(native32(data[8:12]))
	return mac, int(native32(data[4:])), ok && state&unix.NUD_PERMANENT == 0
}
