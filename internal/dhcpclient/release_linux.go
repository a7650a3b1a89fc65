package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// releasePatience is how long a RELEASE may wait for its server's hardware address.
const releasePatience = time.Second

// Release gives an address back to its server (RFC 2131 section 4.4.6): for a lease that is used no more. The interface must still have
// the address, in the network namespace of the calling thread. No server answers a RELEASE, so none is waited for; Release returns when the
// message has left, after a second at most. CAP_NET_RAW and CAP_NET_BIND_SERVICE.
func Release(cfg Config, addr, server netip.Addr) error {
	if err := cfg.check(); err != nil {
		return err
	}
	iface, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return fmt.Errorf("giving %v back: %w", addr, err)
	}
	if len(iface.HardwareAddr) != len(mac{}) {
		return fmt.Errorf("giving %v back: %s isn't Ethernet", addr, cfg.Interface)
	}
	if err := release(cfg, mac(iface.HardwareAddr), addr, server); err != nil {
		return fmt.Errorf("giving %v back to %v: %w", addr, server, err)
	}
	return nil
}

func release(cfg Config, own mac, addr, server netip.Addr) (err error) {
	listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		ctrlErr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.BindToDevice(int(fd), cfg.Interface))
		})
		return errors.Join(err, ctrlErr)
	}}
	conn, err := listen.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(addr, clientPort).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	m := machine{cfg: &cfg, own: own, xid: randomXID()}
	message := m.ending(dhcpv4.MessageTypeRelease, server)
	message.ClientIPAddr = addr.AsSlice()
	if _, err := conn.WriteTo(message.ToBytes(), net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, serverPort))); err != nil {
		return err
	}
	return awaitSent(conn.(*net.UDPConn))
}

// awaitSent waits until the kernel holds back nothing of what was sent: it does while it asks for a hardware address.
func awaitSent(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(releasePatience); ; time.Sleep(time.Millisecond) {
		var waiting int
		ctrlErr := raw.Control(func(fd uintptr) { waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if err = errors.Join(err, ctrlErr); err != nil || waiting == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("nobody says where it is")
		}
	}
}
