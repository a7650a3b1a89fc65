package e2e

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// openTAP makes a TAP device on a host, as a virtual machine's hypervisor does, and returns the machine's side of it. The device
// is gone when that is closed.
func openTAP(t *testing.T, h *nettest.Host, name string) *os.File {
	t.Helper()
	var file *os.File
	h.Do(t, func() {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Errorf("opening a TAP device: %v", err)
			return
		}
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			t.Errorf("making TAP device %s: %v", name, err)
		}
		file = os.NewFile(uintptr(fd), "tap "+name)
	})
	t.Cleanup(func() { _ = file.Close() })
	if t.Failed() {
		t.FailNow()
	}
	h.Run(t, "ip", "link", "set", name, "up")
	return file
}

// newTAPGuest plugs a machine into the router as a hypervisor does: by a TAP device, whose other side is the machine's card.
func (l *lab) newTAPGuest(t *testing.T, name, port string) *guest {
	t.Helper()
	g := &guest{Host: nettest.NewHost(t, name), name: name, dir: t.TempDir()}
	g.leaseFile = g.dir + "/lease"
	setResolver(t, g.Host, "")
	card, plug := openTAP(t, g.Host, "eth0"), openTAP(t, l.router, port)
	done := make(chan struct{}, 2)
	cable := func(to, from *os.File) {
		defer func() { done <- struct{}{} }()
		frame := make([]byte, 2048)
		for {
			n, err := from.Read(frame)
			if err != nil {
				return
			}
			// A card that is down loses what comes.
			if _, err := to.Write(frame[:n]); err != nil && !errors.Is(err, unix.EIO) {
				return
			}
		}
	}
	go cable(card, plug)
	go cable(plug, card)
	t.Cleanup(func() {
		_, _ = card.Close(), plug.Close()
		<-done
		<-done
	})
	return g
}

// dropped is how many packets a counter of the bridge table has.
func (l *lab) dropped(t *testing.T, counter string) int {
	t.Helper()
	_, text, _ := strings.Cut(l.router.Run(t, "nft", "list", "counter", "bridge", "labnet", counter), "packets ")
	n, err := strconv.Atoi(strings.Fields(text + " ?")[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOneMachineCannotFlood lets a virtual machine send as many DHCP messages as it can: the kernel passes 1,000 a second of them,
// after 2,000 at once, while another machine is served. What isn't one machine may say more.
func TestOneMachineCannotFlood(t *testing.T) {
	nettest.NeedRoot(t)
	const rate, burst = 1000, 2000
	l := newLab(t)
	l.configure(t, strings.Replace(floodConfig, `"vm*"`, `"vm*", "tap*"`, 1))
	l.start(t, "--log-level", "warn")
	v := &invention{rand.New(rand.NewPCG(5, 6)), netip.MustParseAddr("10.0.0.1")}

	rack := newFlooder(t, l.newGuest(t, "rack", "vm1").Host, "eth0")
	l.attached(t, "vm1")
	const boots = 2 * burst
	before := l.counters(t)
	if err := rack.flood(boots, 0, v.discover); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		if c := l.counters(t).since(before); c.sum("") < boots {
			return errorOf("not all are heard of what comes by a port that isn't limited: " + itoa(c.sum("")))
		}
		return nil
	})
	if n := l.dropped(t, "flood"); n != 0 {
		t.Errorf("%d messages of a veth were dropped", n)
	}

	hostile := openTAP(t, l.router, "tap0")
	l.attached(t, "tap0")
	before = l.counters(t)
	began, sent := time.Now(), 0
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		frame := make([]byte, 0, 1514)
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			for i := range floodBatch {
				message := v.discover(frame)
				if i%2 == 0 {
					// A priority tag (IEEE 802.1Q, VLAN 0), which the kernel takes off, makes it no other message.
					message = slices.Insert(message, 12, 0x81, 0, 0, 0)
				}
				if _, err := hostile.Write(message); err != nil {
					ended <- err
					return
				}
				sent++
			}
		}
	}()
	g := l.newTAPGuest(t, "guest", "tap1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	dropped, c := l.dropped(t, "flood"), l.counters(t).since(before)
	t.Logf("%d messages in %v, %d dropped; meanwhile %s was leased", sent, took, dropped, addr)
	// The limit's clock and ours differ by a little.
	if passed := sent - dropped; passed > burst+int(took.Seconds()*rate*1.1)+100 {
		t.Errorf("%d of %d messages pass in %v", passed, sent, took)
	}
	if dropped < burst {
		t.Errorf("only %d of %d messages are dropped: there was no flood", dropped, sent)
	}
	if heard := c.sum("offer_"); heard < burst/2 {
		t.Errorf("of the first %d messages %d are answered: %v", burst, heard, c)
	}
	// The set that keeps account of it is the kernel's to fill.
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("after a flood the plan isn't empty:\n%s", plan)
	}
}
