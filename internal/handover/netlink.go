package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// conn is a route netlink socket of the calling thread's namespace.
type conn struct{ *netlink.Conn }

func dial() (conn, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return conn{}, fmt.Errorf("opening a route netlink socket: %w", err)
	}
	return conn{c}, nil
}

// cookie identifies the network namespace, since boot; 0 if the kernel doesn't tell.
func (c conn) cookie() uint64 {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	var cookie uint64
	_ = raw.Control(func(fd uintptr) { cookie, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE) })
	return cookie
}

// dump asks for a list of everything of a kind, again while the list changes under the kernel's hands.
func (c conn) dump(kind uint16, request []byte) ([]netlink.Message, error) {
	for range 10 {
		messages, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Dump}, Data: request,
		})
		interrupted := slices.ContainsFunc(messages, func(m netlink.Message) bool { return m.Header.Flags&netlink.DumpInterrupted != 0 })
		if err == nil && !interrupted {
			return messages, nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
	return nil, errors.New("the list kept changing while it was read")
}

// do sends a request and waits for its acknowledgement.
func (c conn) do(kind uint16, flags netlink.HeaderFlags, data []byte) error {
	_, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Acknowledge | flags}, Data: data,
	})
	return err
}

// entry is an address, a route or a rule as the kernel told it: its header and attributes, so that nothing of it is lost.
type entry struct {
	header []byte
	attrs  []netlink.Attribute
}

func parse(data []byte, header int) (entry, error) {
	if len(data) < header {
		return entry{}, fmt.Errorf("short netlink message: %d bytes", len(data))
	}
	attrs, err := netlink.UnmarshalAttributes(data[header:])
	if err != nil {
		return entry{}, fmt.Errorf("parsing netlink attributes: %w", err)
	}
	return entry{slices.Clone(data[:header]), attrs}, nil
}

// bytes is the entry on the wire.
func (e entry) bytes() []byte { return append(slices.Clone(e.header), marshal(e.attrs)...) }

// marshal fails only for attributes over 64 KiB, which the kernel never gave.
func marshal(attrs []netlink.Attribute) []byte {
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		panic("handover: encoding netlink attributes: " + err.Error())
	}
	return data
}

const attrKind = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)

// get returns an attribute's value, nil if there is none.
func (e entry) get(kind uint16) []byte {
	for _, a := range e.attrs {
		if a.Type&attrKind == kind {
			return a.Data
		}
	}
	return nil
}

// with returns the entry with an attribute set, or without it for nil.
func (e entry) with(kind uint16, value []byte) entry {
	out := entry{slices.Clone(e.header), nil}
	for _, a := range e.attrs {
		if a.Type&attrKind != kind {
			out.attrs = append(out.attrs, a)
		}
	}
	if value != nil {
		out.attrs = append(out.attrs, netlink.Attribute{Type: kind, Data: value})
	}
	return out
}

// key is what tells an entry from another one, whatever the order of its attributes.
func (e entry) key() string {
	attrs := slices.Clone(e.attrs)
	slices.SortStableFunc(attrs, func(a, b netlink.Attribute) int { return int(a.Type&attrKind) - int(b.Type&attrKind) })
	return string(entry{e.header, attrs}.bytes())
}

func native32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func put32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func name(s string) []byte { return append([]byte(s), 0) }

// text is a string attribute without its closing zero.
func text(b []byte) string {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
