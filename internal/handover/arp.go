package handover

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// arpMessage is an ARP packet in an Ethernet frame to all (RFC 826): 1 asks, 2 answers.
func arpMessage(operation uint16, mac net.HardwareAddr, sender, target netip.Addr) []byte {
	var b bytes.Buffer
	b.Write(bytes.Repeat([]byte{0xff}, 6))
	b.Write(mac)
	for _, v := range []uint16{unix.ETH_P_ARP, 1, unix.ETH_P_IP, 6<<8 | 4, operation} {
		_ = binary.Write(&b, binary.BigEndian, v) // a buffer takes everything
	}
	b.Write(mac)
	b.Write(sender.AsSlice())
	b.Write(make([]byte, 6))
	b.Write(target.AsSlice())
	return b.Bytes()
}

// arpSocket is a socket of a link for ARP, which reads for as long as wait.
func arpSocket(index int, wait time.Duration) (fd int, err error) {
	proto := bits.ReverseBytes16(unix.ETH_P_ARP)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		proto = unix.ETH_P_ARP
	}
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(proto))
	if err != nil {
		return -1, fmt.Errorf("opening a socket for ARP: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(wait))
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: index}))
	if err != nil {
		return -1, errors.Join(fmt.Errorf("preparing a socket for ARP: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// announce tells the neighbours who has the IPv4 addresses (RFC 5227 section 2.3). The switch learns by it too where the MAC address is.
func announce(index int, mac string, addresses []address) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	fd, err := arpSocket(index, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	for _, a := range addresses {
		if a.is4() {
			// A link that is down for a moment is told of by whoever verifies.
			_ = unix.Sendto(fd, arpMessage(1, hw, a.prefix().Addr(), a.prefix().Addr()), 0, &unix.SockaddrLinklayer{Ifindex: index})
		}
	}
	return nil
}

// answersARP asks who has an address over a link, and reports whether somebody says so within wait.
func answersARP(index int, mac string, sender, target netip.Addr, wait time.Duration) (bool, error) {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return false, err
	}
	fd, err := arpSocket(index, 100*time.Millisecond)
	if err != nil {
		return false, err
	}
	defer func() { _ = unix.Close(fd) }()
	deadline, ask := time.Now().Add(wait), time.Now()
	frame := make([]byte, 128)
	for time.Now().Before(deadline) {
		if !time.Now().Before(ask) {
			ask = time.Now().Add(500 * time.Millisecond)
			if err := unix.Sendto(fd, arpMessage(1, hw, sender, target), 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil && !errors.Is(err, unix.ENETDOWN) {
				return false, fmt.Errorf("asking who has %v: %w", target, err)
			}
		}
		n, _, err := unix.Recvfrom(fd, frame, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return false, fmt.Errorf("waiting for %v: %w", target, err)
		}
		if reply, ok := arpSender(frame[:n]); ok && reply == target {
			return true, nil
		}
	}
	return false, nil
}

// arpSender is whom an answer to a question comes from.
func arpSender(frame []byte) (netip.Addr, bool) {
	const header = 14
	if len(frame) < header+28 || binary.BigEndian.Uint16(frame[header+6:]) != 2 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(frame[header+14 : header+18])
}
