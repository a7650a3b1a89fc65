package generator

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Respond is a server that leases nothing: it answers relayed messages at once, with an address that is computed from
// chaddr, so that a crowd shows what it can do at most. It returns only with an error.
func Respond(iface string, server, first uint32) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a UDP socket: %w", err)
	}
	defer unix.Close(fd)
	enlarge(fd)
	if err := unix.BindToDevice(fd, iface); err != nil {
		return fmt.Errorf("binding to %s: %w", iface, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: serverPort}); err != nil {
		return fmt.Errorf("binding port %d: %w", serverPort, err)
	}
	in, out := newPackets(fd, true), newPackets(fd, true)
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
			return fmt.Errorf("waiting for messages: %w", err)
		}
		n, err := in.receive()
		if err != nil {
			return err
		}
		for i := range n {
			if b, ok := respond(out.room(), in.data(i), server, first); ok {
				out.names[out.n] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(b[offsetGiaddr:])}
				*(*[2]byte)(unsafe.Pointer(&out.names[out.n].Port)) = [2]byte{0, serverPort}
				out.hdrs[out.n].hdr.Namelen = unix.SizeofSockaddrInet4
				out.push(b)
			}
		}
		if _, err := out.flush(); err != nil {
			return err
		}
	}
}

// respond appends the answer to a message.
func respond(b, asked []byte, server, first uint32) ([]byte, bool) {
	if len(asked) < offsetOptions+3 || asked[0] != 1 || asked[offsetOptions] != optMessageType {
		return b, false
	}
	kind := byte(offer)
	if asked[offsetOptions+2] == request {
		kind = ack
	}
	b = append(b, asked[:offsetOptions]...)
	b[0] = 2
	binary.BigEndian.PutUint32(b[offsetYiaddr:], first+binary.BigEndian.Uint32(asked[offsetChaddr+2:]))
	b = append(b, optMessageType, 1, kind)
	b = binary.BigEndian.AppendUint32(append(b, optServerID, 4), server)
	b = binary.BigEndian.AppendUint32(append(b, optLeaseTime, 4), 3600)
	b = append(b, optEnd)
	for len(b) < minMessage {
		b = append(b, 0)
	}
	return b, true
}
