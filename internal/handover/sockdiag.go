package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Of uapi/linux/inet_diag.h: the size of a request, and of what an answer has before its attributes.
const (
	sockDiagByFamily = 20
	sizeofDiagReq    = 56
	sizeofDiagMsg    = 72
	tcpEstablished   = 1
)

// connections are the established TCP connections of the namespace, each as its two ends.
func connections() ([]string, error) {
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for the list of connections: %w", err)
	}
	defer func() { _ = c.Close() }()
	var out []string
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, sizeofDiagReq)
		request[0], request[1] = family, unix.IPPROTO_TCP
		binary.NativeEndian.PutUint32(request[4:], 1<<tcpEstablished)
		messages, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump}, Data: request,
		})
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("listing the TCP connections: %w", err)
		}
		for _, m := range messages {
			if len(m.Data) < sizeofDiagMsg {
				return nil, fmt.Errorf("listing the TCP connections: an entry of %d bytes", len(m.Data))
			}
			out = append(out, connectionKey(diagEnd(m.Data, 4, 8), diagEnd(m.Data, 6, 24)))
		}
	}
	return out, nil
}

// diagEnd is one end of a connection, in struct inet_diag_sockid.
func diagEnd(data []byte, port, addr int) netip.AddrPort {
	size := 4
	if data[0] == unix.AF_INET6 {
		size = 16
	}
	a, _ := netip.AddrFromSlice(data[addr : addr+size])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(data[port:]))
}

// connectionKey is a connection by its ends; IPv4 over an IPv6 socket is IPv4, and an interface's name is no part of an address.
func connectionKey(local, remote netip.AddrPort) string {
	plain := func(e netip.AddrPort) string {
		return netip.AddrPortFrom(e.Addr().Unmap().WithZone(""), e.Port()).String()
	}
	return plain(local) + " " + plain(remote)
}
