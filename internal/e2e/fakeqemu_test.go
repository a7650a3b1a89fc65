package e2e

import (
	bigendian "encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// fakeQEMU is the name under which the test binary is a virtual machine: a program that has a TAP device, and a guest behind it that leases.
const fakeQEMU = "fake-qemu"

// asFakeQEMU runs the machine, if that is what this process is to be. Its arguments are a descriptor or the name of a TAP device, the guest's MAC, and
// its name. It says what it gets, then renews five times a second, and ends by a signal.
func asFakeQEMU() bool {
	if filepath.Base(os.Args[0]) != fakeQEMU {
		return false
	}
	if err := runMachine(os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return true
}

func runMachine(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: %s FD|NAME MAC HOSTNAME", fakeQEMU)
	}
	mac, err := net.ParseMAC(args[1])
	if err != nil {
		return err
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		if fd, err = openByName(args[0]); err != nil {
			return fmt.Errorf("opening %s: %w", args[0], err)
		}
	}
	g := &machineGuest{fd: fd, mac: mac, name: args[2]}
	request, err := unix.NewIfreq("")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNGETIFF, request); err != nil {
		return fmt.Errorf("descriptor %d is no TAP device: %w", fd, err)
	}
	if request.Uint16()&unix.IFF_VNET_HDR != 0 {
		g.header = 10 // struct virtio_net_hdr
	}
	fmt.Printf("%s with headers of %d bytes, as descriptor %d\n", request.Name(), g.header, fd)
	return g.run()
}

func openByName(name string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	return fd, unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
}

// machineGuest is a guest that does DHCP and nothing else.
type machineGuest struct {
	fd     int
	header int
	mac    net.HardwareAddr
	name   string
}

func (g *machineGuest) run() error {
	offer, err := g.ask(func() (*dhcpv4.DHCPv4, error) {
		return dhcpv4.NewDiscovery(g.mac, dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName(g.name)))
	}, dhcpv4.MessageTypeOffer, 100)
	if err != nil {
		return err
	}
	request := func() (*dhcpv4.DHCPv4, error) {
		return dhcpv4.NewRequestFromOffer(offer, dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName(g.name)))
	}
	for n := 0; ; n++ {
		ack, err := g.ask(request, dhcpv4.MessageTypeAck, 300)
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Printf("leased %s\n", ack.YourIPAddr)
		}
		fmt.Println("acked")
		time.Sleep(200 * time.Millisecond)
	}
}

// ask sends messages until one of a kind comes back, at most tries of them.
func (g *machineGuest) ask(compose func() (*dhcpv4.DHCPv4, error), want dhcpv4.MessageType, tries int) (*dhcpv4.DHCPv4, error) {
	for range tries {
		message, err := compose()
		if err != nil {
			return nil, err
		}
		out := append(make([]byte, g.header), frame(nil, g.mac, func(b []byte) []byte { return append(b, message.ToBytes()...) })...)
		// The device may be down, as a cable may be out.
		if _, err := unix.Write(g.fd, out); err != nil && err != unix.EIO {
			return nil, fmt.Errorf("sending: %w", err)
		}
		for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); {
			answer, err := g.receive(time.Until(deadline))
			if err != nil {
				return nil, err
			}
			if answer != nil && answer.TransactionID == message.TransactionID && answer.MessageType() == want {
				return answer, nil
			}
		}
	}
	return nil, fmt.Errorf("no %s in %d tries", want, tries)
}

// receive waits for a frame, and returns the DHCP message in it; nil for none.
func (g *machineGuest) receive(wait time.Duration) (*dhcpv4.DHCPv4, error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(g.fd), Events: unix.POLLIN}}, int(max(wait.Milliseconds(), 1)))
	if err != nil && err != unix.EINTR || n == 0 {
		return nil, err
	}
	var buffer [4096]byte
	length, err := unix.Read(g.fd, buffer[:])
	if err != nil {
		return nil, fmt.Errorf("receiving: %w", err)
	}
	const ethernet, ip, udp = 14, 20, 8
	b := buffer[g.header:max(length, g.header)]
	if len(b) < ethernet+ip+udp || bigendian.BigEndian.Uint16(b[12:]) != unix.ETH_P_IP || b[ethernet+9] != unix.IPPROTO_UDP ||
		bigendian.BigEndian.Uint16(b[ethernet+ip+2:]) != 68 {
		return nil, nil
	}
	m, err := dhcpv4.FromBytes(b[ethernet+ip+udp:])
	if err != nil {
		return nil, nil
	}
	return m, nil
}

// people are users without privilege, and the programs that they may run.
type people struct{ dir string }

// The users and groups of people: members belong to the group that may open the control socket.
const (
	alice, bob   = 65432, 65433
	membersGroup = 64000
)

// newPeople makes the group labnet, which must be there before the daemon starts, lets everybody open TAP devices, as most systems do, and puts labnet and the machine where all can run them.
func newPeople(t *testing.T, l *lab) *people {
	t.Helper()
	makeLabnetGroup(t)
	dir, err := os.MkdirTemp("/run", "people")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &people{dir}
	for _, open := range []string{dir, filepath.Dir(l.dir), l.dir} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"labnet": binary(t), fakeQEMU: self} {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	letAllOpenTAPs(t, dir)
	return p
}

// makeLabnetGroup makes the group labnet; the tests' /etc is a copy.
func makeLabnetGroup(t *testing.T) {
	t.Helper()
	groups := read(t, "/etc/group")
	if !strings.Contains(groups, "\nlabnet:") {
		write(t, "/etc/group", fmt.Sprintf("%slabnet:x:%d:\n", groups, membersGroup))
	}
}

// letAllOpenTAPs gives the TAPs' device the mode that udev gives it.
func letAllOpenTAPs(t *testing.T, dir string) {
	t.Helper()
	// In the tests' own mount namespace: the machine's device stays as it is.
	node := filepath.Join(dir, "tun")
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(node, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(node, "/dev/net/tun", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount("/dev/net/tun", unix.MNT_DETACH) })
}

// as is a command line for a user, with groups besides its own.
func (p *people) as(uid int, groups []int, args ...string) []string {
	some := []string{"--clear-groups"}
	if len(groups) > 0 {
		list := make([]string, len(groups))
		for i, g := range groups {
			list[i] = strconv.Itoa(g)
		}
		some = []string{"--groups", strings.Join(list, ",")}
	}
	return append(append([]string{"setpriv", "--reuid", strconv.Itoa(uid), "--regid", strconv.Itoa(uid)}, some...), args...)
}

// labnet is a labnet command line for a user.
func (p *people) labnet(t *testing.T, l *lab, args ...string) []string {
	t.Helper()
	line := l.args(t, args...)
	line[0] = filepath.Join(p.dir, "labnet")
	return line
}

func (p *people) machine() string { return filepath.Join(p.dir, fakeQEMU) }
