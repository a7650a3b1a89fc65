package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// burst is how many frames go with one system call. The kernel carries each through the router to the other end before the next, so that
// the time of the call is theirs.
const burst = 64

// within calls f on a thread that is in a namespace of a name.
func within(namespace string, f func()) error {
	there, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering namespace %s: %w", namespace, err)
	}
	f()
	// A thread that can't be brought back ends with its goroutine.
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leaving namespace %s: %w", namespace, err)
	}
	runtime.UnlockOSThread()
	return nil
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	_      uint32
	_      [4]byte
}

// sender puts frames on a link, a burst at a time.
type sender struct {
	fd       int
	ether    [etherLen]byte
	frames   [burst][]byte
	vectors  [burst]unix.Iovec
	messages [burst]mmsghdr
}

// newSender is for the link eth0 of a namespace, and a MAC address beyond it.
func newSender(namespace string, to net.HardwareAddr) (s *sender, err error) {
	entered := within(namespace, func() { s, err = openSender(to) })
	return s, errors.Join(entered, err)
}

func openSender(to net.HardwareAddr) (*sender, error) {
	link, err := net.InterfaceByName("eth0")
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	// Without a queue between: the frame goes its whole way at once.
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}))
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	s := &sender{fd: fd}
	copy(s.ether[:], to)
	copy(s.ether[6:], link.HardwareAddr)
	binary.BigEndian.PutUint16(s.ether[12:], unix.ETH_P_IP)
	return s, nil
}

func (s *sender) close() { _ = unix.Close(s.fd) }

func (s *sender) fill(i int, p packet) {
	s.frames[i] = p.append(append(s.frames[i][:0], s.ether[:]...))
	s.vectors[i] = unix.Iovec{Base: &s.frames[i][0]}
	s.vectors[i].SetLen(len(s.frames[i]))
	s.messages[i].header.Iov = &s.vectors[i]
	s.messages[i].header.SetIovlen(1)
}

// send sends a burst of a kind of packets, from the i-th on, and tells how long one of them took.
func (s *sender) send(kind func(i int) packet, i int) (time.Duration, error) {
	for j := range burst {
		s.fill(j, kind(i+j))
	}
	start := time.Now()
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[0])), burst, 0, 0, 0)
	took := time.Since(start)
	if errno != 0 || n != burst {
		return 0, fmt.Errorf("sending %d frames, of which %d went: %w", burst, n, errno)
	}
	return took / burst, nil
}
