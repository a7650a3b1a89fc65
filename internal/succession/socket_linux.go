package succession

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Socket is what the kernel says of a socket in the network namespace of the calling thread.
type Socket struct {
	Name                   string         // that the process before gave it, which proves nothing
	Family, Kind, Protocol int            // AF_INET, SOCK_DGRAM, IPPROTO_UDP, …
	Local                  netip.AddrPort // what it is bound to, of the Internet's families; a zone is its interface's number
	Path                   string         // of a Unix socket, if it is what stands there; an abstract name begins with "@"
	Device                 string         // the link that it is bound to, "" for none
	Link                   int            // the index of the link that a packet socket is bound to, 0 for none
	EtherType              uint16         // that a packet socket receives, 0 for none
	Listening              bool           // for connections
	Connected              bool
	Shares                 bool // the port, by SO_REUSEPORT
}

// Look says what a descriptor is. ok is false for what is no socket, or one of another network namespace.
func Look(fd int) (s Socket, ok bool) {
	get := func(option int) int {
		value, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
		if err != nil {
			return 0
		}
		return value
	}
	var err error
	if s.Family, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || elsewhere(fd) {
		return Socket{}, false
	}
	s.Kind, s.Protocol = get(unix.SO_TYPE), get(unix.SO_PROTOCOL)
	s.Listening, s.Shares = get(unix.SO_ACCEPTCONN) != 0, get(unix.SO_REUSEPORT) != 0
	if s.Family == unix.AF_INET || s.Family == unix.AF_INET6 {
		// Without a name if there is none, and also if the link is gone.
		s.Device, _ = unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	}
	switch local, _ := unix.Getsockname(fd); local := local.(type) {
	case *unix.SockaddrInet4:
		s.Local = netip.AddrPortFrom(netip.AddrFrom4(local.Addr), uint16(local.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(local.Addr)
		if local.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(local.ZoneId), 10))
		}
		s.Local = netip.AddrPortFrom(addr, uint16(local.Port))
	case *unix.SockaddrLinklayer:
		s.Link, s.EtherType = local.Ifindex, local.Protocol<<8|local.Protocol>>8
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // a machine that has the network's order
			s.EtherType = local.Protocol
		}
	case *unix.SockaddrUnix:
		if strings.HasPrefix(local.Name, "@") || stands(fd, local.Name) {
			s.Path = local.Name
		}
	}
	_, err = unix.Getpeername(fd)
	s.Connected = err == nil
	return s, true
}

// siocGetNamespace is SIOCGSKNS of linux/sockios.h: a descriptor of the socket's network namespace.
const siocGetNamespace = 0x894C

// elsewhere reports whether a socket belongs to another network namespace. Who may not ask has sockets of its own only.
func elsewhere(fd int) bool {
	namespace, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), siocGetNamespace, 0)
	if errno != 0 {
		return false
	}
	file := os.NewFile(namespace, "netns")
	defer func() { _ = file.Close() }()
	var its, ours unix.Stat_t
	if unix.Fstat(int(namespace), &its) != nil || unix.Stat("/proc/thread-self/ns/net", &ours) != nil {
		return false
	}
	return its.Dev != ours.Dev || its.Ino != ours.Ino
}

// siocUnixFile is SIOCUNIXFILE of linux/un.h: a descriptor (O_PATH) of the file that a Unix socket is bound to.
const siocUnixFile = 0x89E0

// stands reports whether a Unix socket is what stands at path now. It needs CAP_NET_ADMIN, and is false without.
func stands(fd int, path string) bool {
	file, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), siocUnixFile, 0)
	if errno != 0 {
		return false
	}
	defer func() { _ = unix.Close(int(file)) }()
	var its, there unix.Stat_t
	if unix.Fstat(int(file), &its) != nil || unix.Lstat(path, &there) != nil {
		return false
	}
	return its.Dev == there.Dev && its.Ino == there.Ino
}
