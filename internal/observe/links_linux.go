package observe

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// link is a port of the bridge. One that was made anew under the same name is another.
type link struct {
	index int
	name  string
}

// openLinks opens a socket to ask for links, and one that hears of their changes.
func openLinks() (links, events *netlink.Conn, err error) {
	if links, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return nil, nil, fmt.Errorf("opening a route netlink socket: %w", err)
	}
	if events, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK}); err != nil {
		_ = links.Close()
		return nil, nil, fmt.Errorf("watching links: %w", err)
	}
	return links, events, nil
}

// lostEvents says whether an error means that there were more events than could be held.
func lostEvents(err error) bool { return errors.Is(err, unix.ENOBUFS) }

// portsOf lists the ports of a bridge; none if there is no such bridge.
func portsOf(conn *netlink.Conn, bridge string) ([]link, error) {
	all, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofIfInfomsg),
	})
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	masters := map[link]int{}
	master := 0
	for _, m := range all {
		l, of, err := readLink(m.Data)
		if err != nil {
			return nil, err
		}
		if l.name == bridge {
			master = l.index
		}
		masters[l] = of
	}
	var ports []link
	for l, of := range masters {
		if of != 0 && of == master {
			ports = append(ports, l)
		}
	}
	return ports, nil
}

// readLink reads a link's message: the link, and the index of what it is a port of, 0 for nothing.
func readLink(data []byte) (l link, master int, err error) {
	if len(data) < unix.SizeofIfInfomsg {
		return l, 0, fmt.Errorf("short message of a link: %d bytes", len(data))
	}
	l.index = int(int32(binary.NativeEndian.Uint32(data[4:])))
	attributes, err := netlink.NewAttributeDecoder(data[unix.SizeofIfInfomsg:])
	if err != nil {
		return l, 0, fmt.Errorf("reading a link's attributes: %w", err)
	}
	for attributes.Next() {
		switch attributes.Type() {
		case unix.IFLA_IFNAME:
			l.name = attributes.String()
		case unix.IFLA_MASTER:
			master = int(attributes.Uint32())
		}
	}
	if err := attributes.Err(); err != nil {
		return l, 0, fmt.Errorf("reading a link's attributes: %w", err)
	}
	return l, master, nil
}
