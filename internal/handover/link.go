package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// link is a network interface.
type link struct {
	index, master, lower  int
	name, kind, alias     string
	mac                   string // as net.HardwareAddr prints it
	mtu                   int
	up, carrier, ethernet bool
	loopback              bool
	portState             byte // of a bridge's port, BR_STATE_FORWARDING is 3
}

const stateForwarding = 3

func (c conn) links() ([]link, error) {
	messages, err := c.dump(unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg))
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	var links []link
	for _, m := range messages {
		e, err := parse(m.Data, unix.SizeofIfInfomsg)
		if err != nil {
			return nil, err
		}
		links = append(links, readLink(e))
	}
	return links, nil
}

func readLink(e entry) link {
	flags := native32(e.header[8:])
	l := link{
		index:    int(native32(e.header[4:])),
		name:     text(e.get(unix.IFLA_IFNAME)),
		alias:    text(e.get(unix.IFLA_IFALIAS)),
		mac:      net.HardwareAddr(e.get(unix.IFLA_ADDRESS)).String(),
		mtu:      int(native32(e.get(unix.IFLA_MTU))),
		master:   int(native32(e.get(unix.IFLA_MASTER))),
		lower:    int(native32(e.get(unix.IFLA_LINK))),
		up:       flags&unix.IFF_UP != 0,
		carrier:  flags&unix.IFF_LOWER_UP != 0,
		loopback: flags&unix.IFF_LOOPBACK != 0,
		ethernet: binary.NativeEndian.Uint16(e.header[2:]) == unix.ARPHRD_ETHER,
	}
	if e.get(unix.IFLA_LINK_NETNSID) != nil {
		l.lower = 0
	}
	info, err := parse(e.get(unix.IFLA_LINKINFO), 0)
	if err != nil {
		return l
	}
	l.kind = text(info.get(unix.IFLA_INFO_KIND))
	if port, err := parse(info.get(unix.IFLA_INFO_SLAVE_DATA), 0); err == nil && text(info.get(unix.IFLA_INFO_SLAVE_KIND)) == "bridge" {
		if state := port.get(unix.IFLA_BRPORT_STATE); len(state) == 1 {
			l.portState = state[0]
		}
	}
	return l
}

// find returns the link of a name; the zero link if there is none.
func find(links []link, name string) (link, bool) {
	for _, l := range links {
		if l.name == name {
			return l, true
		}
	}
	return link{}, false
}

func byIndex(links []link, index int) (link, bool) {
	for _, l := range links {
		if l.index == index {
			return l, true
		}
	}
	return link{}, false
}

// ifinfo is the header of a link message; changed are the flags that the others set.
func ifinfo(index int, flags, changed uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, changed)
}

func (c conn) setLink(index int, flags, changed uint32, attrs ...netlink.Attribute) error {
	return c.do(unix.RTM_SETLINK, 0, append(ifinfo(index, flags, changed), marshal(attrs)...))
}

// makeBridge makes a bridge, down, with the uplink's address. Its MTU is another one at first: only a change of it keeps the kernel
// from following the ports' MTUs ever after. One that is there already, from a start that was killed, is as good.
func (c conn) makeBridge(bridge string, uplink link) error {
	hw, err := net.ParseMAC(uplink.mac)
	if err != nil {
		return err
	}
	provisional := uplink.mtu + 1
	if provisional > 65535 {
		provisional = uplink.mtu - 1
	}
	kind := marshal([]netlink.Attribute{
		{Type: unix.IFLA_INFO_KIND, Data: name("bridge")},
		{Type: unix.NLA_F_NESTED | unix.IFLA_INFO_DATA, Data: marshal([]netlink.Attribute{
			{Type: unix.IFLA_BR_FORWARD_DELAY, Data: put32(0)},
			{Type: unix.IFLA_BR_STP_STATE, Data: put32(0)},
		})},
	})
	err = c.do(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, append(ifinfo(0, 0, 0), marshal([]netlink.Attribute{
		{Type: unix.IFLA_IFNAME, Data: name(bridge)},
		{Type: unix.IFLA_ADDRESS, Data: hw},
		{Type: unix.IFLA_MTU, Data: put32(uint32(provisional))},
		{Type: unix.NLA_F_NESTED | unix.IFLA_LINKINFO, Data: kind},
	})...))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("making the bridge %s: %w", bridge, err)
	}
	return nil
}

// current returns the link of a name as it is now.
func (c conn) current(name string) (link, error) {
	links, err := c.links()
	if err != nil {
		return link{}, err
	}
	l, ok := find(links, name)
	if !ok {
		return link{}, fmt.Errorf("%s: %w", name, unix.ENODEV)
	}
	return l, nil
}
