package dhcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"labnet/internal/succession"
)

// receiveBuffer is what the receiving socket may queue, some 25,000 messages: in a flood, what arrives in the time for which a busy
// machine may let us wait for a CPU. The kernel takes the memory only as long as messages wait.
const receiveBuffer = 16 << 20

// sendBuffer is what a sending socket may hold that the link hasn't taken yet.
const sendBuffer = 4 << 20

// sockets are the sockets of a link: one receives, one sends frames, one sends what the kernel shall route, and one hears
// ARP.
type sockets struct {
	iface  string
	udp    *os.File // UDP port 67 on the link
	packet *os.File // AF_PACKET, sends only
	raw    *os.File // raw IPv4 with headers of our own, sends only: see finishFrame about checksums
	relays *os.File // the same, to relays: anybody can name one that isn't there, and fill the queue
	ear    *os.File // AF_PACKET for ARP, so that the kernel shows it nothing else, and nothing that the host sends
	link   atomic.Pointer[linkState]

	estate *succession.Estate // where udp is kept under name, which outlives this process
	name   string
}

// linkState is what the kernel calls the link at the moment.
type linkState struct {
	index int
	mac   [6]byte
}

// open opens those of the sockets that aren't there yet, in the network namespace of the calling thread. After an error all are closed.
func (s *sockets) open() (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	inherited := s.udp != nil
	if !inherited {
		if s.udp, err = s.socket("udp", unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
			return err
		}
	}
	link, err := s.lookUp()
	if err != nil {
		return err
	}
	s.link.Store(&link)
	if err := control(s.udp, s.prepareUDP); err != nil {
		return err
	}
	if !inherited {
		if err := control(s.udp, bindUDP); err != nil {
			return err
		}
	}
	if s.raw, err = s.socket("raw", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW); err != nil {
		return err
	}
	if err := control(s.raw, s.bindToDevice); err != nil {
		return err
	}
	if s.relays, err = s.socket("relay", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW); err != nil {
		return err
	}
	if err := control(s.relays, s.bindToDevice); err != nil {
		return err
	}
	// Protocol 0: nothing is received.
	if s.packet == nil {
		if s.packet, err = s.socket("packet", unix.AF_PACKET, unix.SOCK_RAW, 0); err != nil {
			return err
		}
	}
	if err := s.openEar(); err != nil {
		return err
	}
	return s.hearOn(link.index)
}

func (s *sockets) socket(what string, family, kind, protocol int) (*os.File, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("opening a %s socket: %w: CAP_NET_RAW is missing", what, err)
		}
		return nil, fmt.Errorf("opening a %s socket: %w", what, err)
	}
	if kind == unix.SOCK_RAW {
		// Replies are never waited for, so a burst must fit. Without CAP_NET_ADMIN the usual size has to do.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer)
	}
	return os.NewFile(uintptr(fd), "dhcp "+what+" socket of "+s.iface), nil
}

func (s *sockets) close() {
	for _, f := range []*os.File{s.udp, s.packet, s.raw, s.relays, s.ear} {
		if f != nil {
			_ = f.Close()
		}
	}
	s.estate.Drop(s.name)
}

// prepareUDP sets the options of the receiving socket.
func (s *sockets) prepareUDP(fd int) error {
	// Another server, on another link, must be able to start after us: with this, and the device, it is.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("setting SO_REUSEADDR: %w", err)
	}
	if err := s.bindToDevice(fd); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1); err != nil {
		return fmt.Errorf("setting IP_PKTINFO: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1); err != nil {
		return fmt.Errorf("setting SO_RXQ_OVFL: %w", err)
	}
	// Only CAP_NET_ADMIN may exceed net.core.rmem_max; without it, less will do.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("setting SO_RCVBUF: %w", err)
		}
	}
	return nil
}

func bindUDP(fd int) error {
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: serverPort}); err != nil {
		if errors.Is(err, unix.EACCES) {
			return fmt.Errorf("binding UDP port %d: %w: CAP_NET_BIND_SERVICE is missing", serverPort, err)
		}
		return fmt.Errorf("binding UDP port %d: %w", serverPort, err)
	}
	return nil
}

func (s *sockets) bindToDevice(fd int) error {
	if err := unix.BindToDevice(fd, s.iface); err != nil {
		return fmt.Errorf("binding a socket to %s: %w", s.iface, err)
	}
	return nil
}

// interrupt ends waiting reads, now and from now on.
func (s *sockets) interrupt() {
	for _, f := range []*os.File{s.udp, s.ear} {
		_ = f.SetReadDeadline(time.Unix(1, 0))
	}
}

// refresh follows a link that was made anew under the same name, with another index or another hardware address, and
// says whether its index has changed. It works in the sockets' namespace, whichever thread calls it.
func (s *sockets) refresh() (replaced bool, err error) {
	now, err := s.lookUp()
	if err != nil {
		return false, err
	}
	old := s.link.Load()
	if *old == now {
		return false, nil
	}
	if old.index != now.index {
		if err := errors.Join(control(s.udp, s.bindToDevice), control(s.raw, s.bindToDevice), control(s.relays, s.bindToDevice), s.hearOn(now.index)); err != nil {
			return false, err
		}
	}
	s.link.Store(&now)
	return old.index != now.index, nil
}

// ifreq is struct ifreq of netdevice(7).
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// lookUp asks for the link's index and hardware address.
func (s *sockets) lookUp() (linkState, error) {
	var link linkState
	err := control(s.udp, func(fd int) error {
		var req ifreq
		copy(req.name[:unix.IFNAMSIZ-1], s.iface)
		if err := ioctl(fd, unix.SIOCGIFINDEX, &req); err != nil {
			return fmt.Errorf("looking up interface %s: %w", s.iface, err)
		}
		link.index = int(*(*int32)(unsafe.Pointer(&req.data)))
		if err := ioctl(fd, unix.SIOCGIFHWADDR, &req); err != nil {
			return fmt.Errorf("looking up the hardware address of %s: %w", s.iface, err)
		}
		link.mac = [6]byte(req.data[2:]) // a struct sockaddr: family, then the address
		return nil
	})
	return link, err
}

func ioctl(fd int, request uintptr, req *ifreq) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(req))); errno != 0 {
		return errno
	}
	return nil
}

// control calls f with the descriptor of an open file.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// datagram is one received message. Its data is valid until the next receive.
type datagram struct {
	data      []byte
	from      netip.AddrPort
	broadcast bool // sent to a broadcast address
	truncated bool
}
