package dnsserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// gatherBed is a batch whose answers go to clients that are sockets.
type gatherBed struct {
	*batch
	clients []*net.UDPConn
}

func newGatherBed(t *testing.T, clients int, at netip.Addr) *gatherBed {
	t.Helper()
	family, addr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: at.As16()})
	if at.Is4() {
		family, addr = unix.AF_INET, &unix.SockaddrInet4{Addr: at.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, addr); err != nil {
		t.Fatal(err)
	}
	bed := &gatherBed{batch: newBatch(fd)}
	for range clients {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		bed.clients = append(bed.clients, c)
	}
	return bed
}

// send has answers of such lengths sent to the clients in turn of order, and returns each client's.
func (b *gatherBed) send(t *testing.T, order, lengths []int) [][][]byte {
	t.Helper()
	wanted := make([][][]byte, len(b.clients))
	for i, client := range order {
		to := newSockaddr(b.clients[client].LocalAddr().(*net.UDPAddr).AddrPort())
		b.names[i] = to.raw
		b.in[i].hdr.Namelen = uint32(to.size)
		reply := b.room()[:lengths[i]]
		for at := range reply {
			reply[at] = byte(i*7 + at)
		}
		wanted[client] = append(wanted[client], bytes.Clone(reply))
		b.queue(i, reply)
	}
	if lost := b.flush(); lost > 0 {
		t.Fatalf("%d lost", lost)
	}
	return wanted
}

// check compares what each client has got with what it should have, in any order.
func (b *gatherBed) check(t *testing.T, wanted [][][]byte) {
	t.Helper()
	packet := make([]byte, 65536)
	for i, c := range b.clients {
		var got [][]byte
		for range wanted[i] {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, err := c.Read(packet)
			if err != nil {
				t.Fatalf("client %d, with %d of %d answers: %v", i, len(got), len(wanted[i]), err)
			}
			got = append(got, bytes.Clone(packet[:n]))
		}
		slices.SortFunc(got, bytes.Compare)
		slices.SortFunc(wanted[i], bytes.Compare)
		if !slices.EqualFunc(got, wanted[i], bytes.Equal) {
			t.Fatalf("client %d got other answers than its own", i)
		}
	}
}

// Whoever asks, and however long the answers are: each client gets its own, whole and one by one.
func TestGatheredAnswers(t *testing.T) {
	for _, at := range []string{"127.0.0.1", "::1"} {
		t.Run(at, func(t *testing.T) {
			b := newGatherBed(t, 5, netip.MustParseAddr(at))
			r := rand.New(rand.NewPCG(1, 2))
			gathered := 0
			for range 500 {
				var order, lengths []int
				for range 1 + r.IntN(batchSize) {
					order = append(order, r.IntN(1+r.IntN(len(b.clients))))
					// Often as long as each other, now and then as long as can be.
					lengths = append(lengths, []int{40, 40, 40, 63, 63, 64, 12, 1232, 1 + r.IntN(replyRoom-64)}[r.IntN(9)])
				}
				wanted := b.send(t, order, lengths)
				for _, m := range b.gather.messages[:batchSize] {
					gathered = max(gathered, m.count)
				}
				b.check(t, wanted)
			}
			if gathered < 8 {
				t.Errorf("at most %d answers left together", gathered)
			}
		})
	}
}

// An A and an AAAA leave together, whichever was asked for first.
func TestTwoAnswersLeaveTogether(t *testing.T) {
	b := newGatherBed(t, 1, netip.MustParseAddr("127.0.0.1"))
	for _, lengths := range [][]int{{60, 72}, {72, 60}} {
		wanted := b.send(t, []int{0, 0}, lengths)
		if m := b.gather.messages[0]; m.count != 2 || m.size != 72 {
			t.Errorf("%v: %d left together, of %d bytes", lengths, m.count, m.size)
		}
		b.check(t, wanted)
	}
}

// A link whose MTU is below the answers can't have them gathered: they leave one by one, in fragments, and none is lost.
func TestAnswersThatCantBeGathered(t *testing.T) {
	host := nettest.NewHost(t, "small")
	host.Run(t, "ip", "link", "set", "lo", "mtu", "600", "up")
	host.Do(t, func() {
		b := newGatherBed(t, 2, netip.MustParseAddr("127.0.0.1"))
		b.check(t, b.send(t, []int{0, 0, 1, 0}, []int{1000, 1000, 1000, 900}))
		if b.gather.alone != apartFor-1 {
			t.Errorf("gathered again after %d batches", b.gather.alone)
		}
		// The next ones aren't tried that way, until the time is over.
		b.check(t, b.send(t, []int{0, 0, 0}, []int{1000, 1000, 1000}))
		if n := b.gather.messages[0].count; n != 1 || b.gather.alone != apartFor-2 {
			t.Errorf("%d gathered, %d batches to go", n, b.gather.alone)
		}
		b.gather.alone = 0
		b.check(t, b.send(t, []int{0, 0, 0}, []int{50, 50, 50}))
		if n := b.gather.messages[0].count; n != 3 {
			t.Errorf("%d gathered after that", n)
		}
	})
}

func BenchmarkGather(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			batch := newBatch(-1)
			for i := range batchSize {
				batch.names[i].Family, batch.names[i].Port = unix.AF_INET, uint16(i%clients)
				batch.in[i].hdr.Namelen = unix.SizeofSockaddrInet4
			}
			reply := make([]byte, 63)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batchSize {
					batch.queue(i, reply)
				}
				batch.gather.lay(&batch.answers)
				batch.queued = 0
				batch.gather.clear()
			}
		})
	}
}
