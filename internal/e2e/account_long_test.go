//go:build long

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// account is who has which address, by the DHCPACKs and DHCPRELEASEs that go over a link.
type account struct {
	fd   int
	done chan struct{}

	// Until done is closed these belong to the reader.
	owners                  map[netip.Addr]string
	free                    map[netip.Addr]bool // given back, and not given again
	leased, released, again int
	twice                   []string
	lost                    error
}

// newAccount begins to listen at a relay agent's link.
func newAccount(t *testing.T, h *nettest.Host) *account {
	t.Helper()
	a := &account{fd: -1, done: make(chan struct{}), owners: map[netip.Addr]string{}, free: map[netip.Addr]bool{}}
	h.Do(t, func() {
		link, err := net.InterfaceByName("eth0")
		if err == nil {
			a.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = unix.SetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		}
		if err == nil {
			err = unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
		}
		if err == nil {
			const everything = 0x0300 // ETH_P_ALL in network order: what is sent too
			err = unix.Bind(a.fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Index})
		}
		if err != nil {
			t.Errorf("listening: %v", err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	go a.listen()
	return a
}

// listen reads until nothing has come for some seconds, after something did.
func (a *account) listen() {
	defer close(a.done)
	buffer := make([]byte, 2048)
	for heard := false; ; {
		n, err := unix.Read(a.fd, buffer)
		switch {
		case err == unix.EAGAIN && !heard, err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			a.lost = err
			return
		}
		const headers = 28 // IPv4 without options, UDP
		if n < headers || buffer[0] != 0x45 || buffer[9] != unix.IPPROTO_UDP {
			continue
		}
		if m, err := dhcpv4.FromBytes(buffer[headers:n]); err == nil {
			heard = true
			a.enter(m)
		}
	}
}

func (a *account) enter(m *dhcpv4.DHCPv4) {
	who := m.ClientHWAddr.String()
	switch m.MessageType() {
	case dhcpv4.MessageTypeAck:
		addr, _ := netip.AddrFromSlice(m.YourIPAddr.To4())
		switch owner, taken := a.owners[addr]; {
		case taken && owner != who:
			a.twice = append(a.twice, fmt.Sprintf("%v is %s's, and was given to %s", addr, owner, who))
		case !taken:
			a.leased++
			if a.free[addr] {
				a.again++
				delete(a.free, addr)
			}
			a.owners[addr] = who
		}
	case dhcpv4.MessageTypeRelease:
		addr, _ := netip.AddrFromSlice(m.ClientIPAddr.To4())
		if a.owners[addr] == who {
			a.released++
			a.free[addr] = true
			delete(a.owners, addr)
		}
	}
}

// sum waits until nothing comes any more.
func (a *account) sum(t *testing.T) (leased, released, again int, twice []string) {
	t.Helper()
	<-a.done
	_ = unix.Close(a.fd)
	if a.lost != nil {
		t.Fatalf("listening: %v", a.lost)
	}
	return a.leased, a.released, a.again, a.twice
}
