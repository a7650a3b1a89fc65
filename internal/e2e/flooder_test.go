package e2e

import (
	bigendian "encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// flooder is a hostile guest: it puts frames on its link as fast as it is told to, and reads nothing.
type flooder struct {
	fd    int
	hdrs  [floodBatch]floodHdr
	iovs  [floodBatch]unix.Iovec
	bufs  [floodBatch][1514]byte
	sent  int
	began time.Time
}

// floodBatch is how many frames go by one system call.
const floodBatch = 64

// floodHdr is struct mmsghdr of sendmmsg(2).
type floodHdr struct {
	hdr unix.Msghdr
	len uint32
}

// newFlooder opens a link of a host.
func newFlooder(t *testing.T, h *nettest.Host, link string) *flooder {
	t.Helper()
	f := &flooder{fd: -1}
	h.Do(t, func() {
		i, err := net.InterfaceByName(link)
		if err == nil {
			// Protocol 0: nothing is received.
			f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = unix.Bind(f.fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
		}
		if err != nil {
			t.Errorf("opening %s for a flood: %v", link, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { _ = unix.Close(f.fd) })
	for i := range f.hdrs {
		f.iovs[i].Base = &f.bufs[i][0]
		f.hdrs[i].hdr.Iov = &f.iovs[i]
		f.hdrs[i].hdr.SetIovlen(1)
	}
	return f
}

// flood sends count frames, at most rate a second (0: as fast as the link takes them). next makes one in an empty buffer.
func (f *flooder) flood(count, rate int, next func(b []byte) []byte) error {
	f.began = time.Now()
	for f.sent = 0; f.sent < count; {
		n := min(floodBatch, count-f.sent)
		for i := range n {
			frame := next(f.bufs[i][:0])
			if &frame[0] != &f.bufs[i][0] {
				return fmt.Errorf("a frame of %d bytes", len(frame))
			}
			f.iovs[i].SetLen(len(frame))
		}
		for done := 0; done < n; {
			sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&f.hdrs[done])), uintptr(n-done), 0, 0, 0)
			switch errno {
			case 0:
				done += int(sent)
			case unix.EINTR, unix.ENOBUFS:
			default:
				return fmt.Errorf("sending: %w", errno)
			}
		}
		f.sent += n
		if rate > 0 {
			time.Sleep(time.Until(f.began.Add(time.Duration(f.sent) * time.Second / time.Duration(rate))))
		}
	}
	return nil
}

// invention is what a hostile guest makes up: hardware addresses that never were, and messages from them.
type invention struct {
	*rand.Rand
	server netip.Addr
}

// frame wraps a DHCP message, or what shall pass for one, into a broadcast from a client without an address. The checksum of
// UDP is left out, as RFC 768 allows.
func frame(b []byte, from net.HardwareAddr, message func(b []byte) []byte) []byte {
	b = append(b, 255, 255, 255, 255, 255, 255)
	b = append(append(b, from...), 0x08, 0x00)
	b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)
	b = append(b, 0, 68, 0, 67, 0, 0, 0, 0)
	b = message(b)
	ip := b[14:]
	bigendian.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	bigendian.BigEndian.PutUint16(ip[24:], uint16(len(ip)-20))
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(bigendian.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	bigendian.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	return b
}

// mac is a locally administered address.
func (v *invention) mac() net.HardwareAddr {
	var b [8]byte
	bigendian.BigEndian.PutUint64(b[:], v.Uint64())
	b[0] = b[0]&^1 | 2
	return b[:6]
}

// message appends the message of an invented client: kind is option 53, more are whole options.
func (v *invention) message(b []byte, mac net.HardwareAddr, kind byte, more ...byte) []byte {
	b = append(b, 1, 1, 6, 0)
	b = bigendian.BigEndian.AppendUint32(b, v.Uint32())
	b = append(b, make([]byte, 20)...)
	b = append(append(b, mac...), make([]byte, 202)...)
	b = append(b, 0x63, 0x82, 0x53, 0x63, 53, 1, kind)
	return append(append(append(b, more...), 55, 3, 1, 3, 6), 255)
}

// discover is a whole frame.
func (v *invention) discover(b []byte) []byte {
	mac := v.mac()
	return frame(b, mac, func(b []byte) []byte { return v.message(b, mac, 1) })
}

// request is a whole frame: a REQUEST for addr in SELECTING state, or in INIT-REBOOT, by turns.
func (v *invention) request(b []byte, addr netip.Addr) []byte {
	mac := v.mac()
	options := append([]byte{50, 4}, addr.AsSlice()...)
	if v.Uint32()%2 == 0 {
		options = append(append(options, 54, 4), v.server.AsSlice()...)
	}
	return frame(b, mac, func(b []byte) []byte { return v.message(b, mac, 3, options...) })
}

// noise appends random bytes.
func (v *invention) noise(b []byte, length int) []byte {
	for range length {
		b = append(b, byte(v.Uint32()))
	}
	return b
}

// damaged is a whole frame: a message that has suffered. Some are cut short, and some bytes aren't what they were, often those
// that decide.
func (v *invention) damaged(b []byte) []byte {
	const headers, cookie, options = 42, 236, 240
	mac := v.mac()
	return frame(b, mac, func(b []byte) []byte {
		kind := byte(1 + v.IntN(8))
		b = v.message(b, mac, kind, append([]byte{50, 4, 10, 0, 2, 3, 61, byte(v.IntN(12))}, v.noise(nil, v.IntN(60))...)...)
		m := b[headers:]
		for range 1 + v.IntN(4) {
			at := []int{0, 1, 2, cookie + v.IntN(4), options + v.IntN(len(m)-options), v.IntN(len(m))}[v.IntN(6)]
			m[at] = []byte{0, 255, 1, byte(v.Uint32())}[v.IntN(4)]
		}
		if v.IntN(4) == 0 {
			b = b[:headers+v.IntN(len(m))]
		}
		return b
	})
}
