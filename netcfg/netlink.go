package netcfg

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// dump asks for a list of everything of a kind, again while the list changes under the kernel's hands.
func dump(conn *netlink.Conn, kind uint16, request []byte) ([]netlink.Message, error) {
	for try := 1; ; try++ {
		messages, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Dump},
			Data:   request,
		})
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		if err == nil && !interrupted(messages) {
			return messages, nil
		}
		if try == 10 {
			return nil, errors.New("the list kept changing while it was read")
		}
	}
}

func interrupted(messages []netlink.Message) bool {
	for _, m := range messages {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return true
		}
	}
	return false
}

// eachAttribute calls f for each attribute of a message after a fixed header, nested flags removed.
func eachAttribute(data []byte, header int, f func(kind uint16, value []byte)) error {
	if len(data) < header {
		return fmt.Errorf("short netlink message: %d bytes", len(data))
	}
	list, err := netlink.UnmarshalAttributes(data[header:])
	if err != nil {
		return fmt.Errorf("parsing netlink attributes: %w", err)
	}
	for _, a := range list {
		f(a.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), a.Data)
	}
	return nil
}

// text is a string attribute without its closing zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

func native32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func big32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func attr(kind uint16, data []byte) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: data}
}

func attrText(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

func attrNative32(kind uint16, v uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.NativeEndian.AppendUint32(nil, v)}
}

func attrBig32(kind uint16, v uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, v)}
}

func attrBig64(kind uint16, v uint64) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint64(nil, v)}
}

func attrNested(kind uint16, list ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: attributes(list...)}
}
