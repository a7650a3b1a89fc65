package netcfg

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// Port is a port of a bridge, and what the kernel has counted at it since the link was made.
type Port struct {
	Name     string
	Bridge   string
	Received Traffic            // from what is plugged in there
	Sent     Traffic            // to it
	Dropped  uint64             // frames for it that it didn't take
	MACs     []net.HardwareAddr // that the bridge has heard behind it within the last five minutes; foreign numbers, and as many as somebody makes up
}

// Traffic counts frames.
type Traffic struct{ Packets, Bytes uint64 }

// Ports lists the ports of bridges, by bridge and name. It may be called beside everything else.
func (h *Host) Ports(bridges ...string) ([]Port, error) {
	messages, err := dump(h.ns.route, unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg))
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	type found struct {
		Port
		index, master int
	}
	names := map[int]string{}
	var ports []found
	for _, m := range messages {
		var p found
		if err := eachAttribute(m.Data, unix.SizeofIfInfomsg, func(kind uint16, v []byte) {
			switch {
			case kind == unix.IFLA_IFNAME:
				p.Name = text(v)
			case kind == unix.IFLA_MASTER && len(v) == 4:
				p.master = int(native32(v))
			case kind == unix.IFLA_STATS64:
				p.count(v)
			}
		}); err != nil {
			return nil, err
		}
		p.index = int(native32(m.Data[4:]))
		names[p.index] = p.Name
		if p.master != 0 {
			ports = append(ports, p)
		}
	}
	heard, err := readHeard(h.ns)
	if err != nil {
		return nil, fmt.Errorf("listing what bridges have heard: %w", err)
	}
	var out []Port
	for _, bridge := range bridges {
		from := len(out)
		for _, p := range ports {
			if names[p.master] == bridge {
				p.Bridge, p.MACs = bridge, heard[p.index]
				out = append(out, p.Port)
			}
		}
		slices.SortFunc(out[from:], func(a, b Port) int { return compareNames(a.Name, b.Name) })
	}
	return out, nil
}

// count reads struct rtnl_link_stats64 of linux/if_link.h.
func (p *Port) count(v []byte) {
	if len(v) < 64 {
		return
	}
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(v[8*i:]) }
	p.Received = Traffic{Packets: at(0), Bytes: at(2)}
	p.Sent = Traffic{Packets: at(1), Bytes: at(3)}
	p.Dropped = at(7)
}

// compareNames has tap2 before tap10.
func compareNames(a, b string) int {
	return cmp.Or(cmp.Compare(stem(a), stem(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// stem is a name without the digits at its end.
func stem(name string) string {
	for name != "" && name[len(name)-1] >= '0' && name[len(name)-1] <= '9' {
		name = name[:len(name)-1]
	}
	return name
}
