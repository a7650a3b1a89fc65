package dhcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ears are the sockets that hear what others say on the link. Each is for one protocol, so that the kernel shows them
// nothing that the host sends, and the rest of its traffic passes a few instructions of a filter at most.
type ears struct {
	arp     *os.File
	servers *os.File // DHCP from servers to clients
}

// arpFilter lets ARP for IPv4 on Ethernet pass.
var arpFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: ethernetHeaderLen},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: hwEthernet<<16 | etherTypeIPv4, Jf: 3},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethernetHeaderLen + 4},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 6<<8 | 4, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 128},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// serverFilter lets UDP from port 67 to port 68 pass, unless it is a later fragment.
var serverFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: ethernetHeaderLen + 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocolUDP, Jf: 6},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethernetHeaderLen + 6},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x1fff, Jt: 4},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: ethernetHeaderLen},
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_IND, K: ethernetHeaderLen},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: serverPort<<16 | clientPort, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: maxFrame},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// earBuffer is what an ear may queue: answers must not be lost in a burst of other ARP.
const earBuffer = 1 << 20

// maxFrame is how much is read of a frame that is heard.
const maxFrame = headersLen + maxMessage

// openEars opens both sockets, deaf until hearOn.
func (s *sockets) openEars() (err error) {
	if s.ears.arp, err = s.openEar(s.ears.arp, "arp", arpFilter); err != nil {
		return err
	}
	s.ears.servers, err = s.openEar(s.ears.servers, "dhcp-servers", serverFilter)
	return err
}

// openEar opens an ear, or has the one of a former server hear what it shall.
func (s *sockets) openEar(file *os.File, what string, filter []unix.SockFilter) (_ *os.File, err error) {
	if file == nil {
		// Protocol 0: it hears nothing before the filter is in place.
		if file, err = s.socket(what, unix.AF_PACKET, unix.SOCK_RAW, 0); err != nil {
			return nil, err
		}
	}
	err = control(file, func(fd int) error {
		// Without CAP_NET_ADMIN the usual size has to do.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, earBuffer)
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
			return fmt.Errorf("attaching the filter of the %s socket: %w", what, err)
		}
		return nil
	})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// hearOn makes the ears hear the link with this index.
func (s *sockets) hearOn(index int) error {
	listen := func(file *os.File, protocol uint16) error {
		return control(file, func(fd int) error {
			if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: index}); err != nil {
				return fmt.Errorf("listening on %s: %w", s.iface, err)
			}
			return nil
		})
	}
	return errors.Join(listen(s.ears.arp, etherTypeARP), listen(s.ears.servers, etherTypeIPv4))
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
