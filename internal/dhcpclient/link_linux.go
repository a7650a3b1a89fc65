package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// linkState is what the kernel says of the interface; the zero value if there is none.
type linkState struct {
	index   int
	mac     mac
	carrier bool // it is up, and the LAN can be reached
}

// ifreq is struct ifreq of netdevice(7).
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// lookUp asks for the state of iface, with the carrier of uplink. It works in the socket's namespace, whichever thread calls it.
func lookUp(file *os.File, iface, uplink string) (s linkState, err error) {
	err = control(file, func(fd int) error {
		ask := func(request uintptr, name string) (data [24]byte, err error) {
			var r ifreq
			copy(r.name[:unix.IFNAMSIZ-1], name)
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&r))); errno != 0 {
				return r.data, errno
			}
			return r.data, nil
		}
		ready := func(name string) (bool, error) {
			data, err := ask(unix.SIOCGIFFLAGS, name)
			const want = unix.IFF_UP | unix.IFF_RUNNING
			return *(*uint16)(unsafe.Pointer(&data))&want == want, err
		}
		index, err := ask(unix.SIOCGIFINDEX, iface)
		if err != nil {
			return err
		}
		hardware, err := ask(unix.SIOCGIFHWADDR, iface)
		if err != nil {
			return err
		}
		// A struct sockaddr: the family, which is the kind of hardware, then the address.
		if kind := *(*uint16)(unsafe.Pointer(&hardware)); kind != unix.ARPHRD_ETHER {
			return fmt.Errorf("it isn't Ethernet (hardware type %d)", kind)
		}
		up, err := ready(iface)
		if err != nil {
			return err
		}
		lan := up
		if uplink != iface {
			if lan, err = ready(uplink); err != nil && !errors.Is(err, unix.ENODEV) {
				return err
			}
		}
		s = linkState{int(*(*int32)(unsafe.Pointer(&index))), mac(hardware[2:]), up && lan}
		return nil
	})
	if err != nil {
		return linkState{}, fmt.Errorf("looking at interface %s: %w", iface, err)
	}
	return s, nil
}

// openLinks opens a socket that becomes readable whenever a link changes.
func openLinks() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a route netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watching links: %w", err)
	}
	return os.NewFile(uintptr(fd), "link events of the DHCP client"), nil
}

// readLinks hands every change of links to the loop, until ctx ends. What has changed is looked up then; events that were lost, which the
// kernel says by an error, are a change too.
func (s *sockets) readLinks(ctx context.Context, l *loop) error {
	buf := make([]byte, 64<<10)
	for {
		if _, err := s.links.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
			if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("watching links: %w", err)
		}
		if !l.put(ctx, l.link) {
			return nil
		}
	}
}
