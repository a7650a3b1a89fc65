package dhcpserver

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arpFilter lets ARP for IPv4 on Ethernet pass.
var arpFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: ethernetHeaderLen},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: hwEthernet<<16 | etherTypeIPv4, Jf: 3},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethernetHeaderLen + 4},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 6<<8 | 4, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 128},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// earBuffer is what the ear may queue: answers must not be lost in a burst of other ARP.
const earBuffer = 1 << 20

// openEar opens the ear, deaf until hearOn, or has the one of a former server hear what it shall.
func (s *sockets) openEar() (err error) {
	if s.ear == nil {
		// Protocol 0: it hears nothing before the filter is in place.
		if s.ear, err = s.socket("arp", unix.AF_PACKET, unix.SOCK_RAW, 0); err != nil {
			return err
		}
	}
	return control(s.ear, func(fd int) error {
		// Without CAP_NET_ADMIN the usual size has to do.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, earBuffer)
		program := unix.SockFprog{Len: uint16(len(arpFilter)), Filter: &arpFilter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
			return fmt.Errorf("attaching the filter of the arp socket: %w", err)
		}
		return nil
	})
}

// hearOn makes the ear hear the link with this index.
func (s *sockets) hearOn(index int) error {
	return control(s.ear, func(fd int) error {
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(etherTypeARP), Ifindex: index}); err != nil {
			return fmt.Errorf("listening on %s: %w", s.iface, err)
		}
		return nil
	})
}

// sendProbe asks for addr by ARP, everybody or, if to isn't the broadcast address, that machine.
func (s *sockets) sendProbe(addr netip.Addr, to [6]byte) error {
	link := s.link.Load()
	var room [arpLen]byte
	frame := appendProbe(room[:0], link.mac, to, addr)
	name := unix.RawSockaddrLinklayer{
		Family: unix.AF_PACKET, Protocol: networkOrder(etherTypeARP), Ifindex: int32(link.index), Halen: uint8(len(to)),
	}
	copy(name.Addr[:], to[:])
	return control(s.packet, func(fd int) error {
		for {
			_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&frame[0])), uintptr(len(frame)),
				unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&name)), unix.SizeofSockaddrLinklayer)
			switch errno {
			case 0:
				return nil
			case unix.EINTR:
			default:
				return errno
			}
		}
	})
}
