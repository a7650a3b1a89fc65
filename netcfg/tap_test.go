package netcfg

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// shown is what `ip` says of a link.
type shown struct {
	IfName, IfAlias, Master string
	IfIndex, MTU            int
	Flags                   []string
	LinkInfo                struct {
		InfoData struct {
			Type              string
			User, Group       any
			Persist           bool
			MultiQueue        bool `json:"multi_queue"`
			VnetHdr           bool `json:"vnet_hdr"`
			PacketInformation bool `json:"pi"`
		} `json:"info_data"`
	}
}

func (r *router) link(t *testing.T, name string) shown {
	t.Helper()
	var links []shown
	if err := json.Unmarshal([]byte(r.Run(t, "ip", "-d", "-n", r.Name, "-j", "link", "show", name)), &links); err != nil || len(links) != 1 {
		t.Fatalf("link %s: %v, %v", name, links, err)
	}
	return links[0]
}

func (l shown) up() bool { return strings.Contains(strings.Join(l.Flags, " "), "UP") }

// open opens a TAP as a hypervisor does.
func (r *router) openTAP(t *testing.T, name string) *os.File {
	t.Helper()
	var file *os.File
	r.Do(t, func() {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Error(err)
			return
		}
		file = os.NewFile(uintptr(fd), name)
		request, err := unix.NewIfreq(name)
		if err != nil {
			t.Error(err)
			return
		}
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// newQuietRouter is newRouter without addresses that change by themselves while the host is looked at.
func newQuietRouter(t *testing.T) *router {
	t.Helper()
	r := newRouter(t)
	r.Run(t, "sh", "-c", "ip link set eth0 addrgenmode none; ip -6 address flush dev eth0")
	return r
}

func withTAPs(n Network, taps ...TAP) Network {
	n.TAPs = taps
	return n
}

func TestTAPs(t *testing.T) {
	r := newQuietRouter(t)
	before := hostdump.Take(t, r.Host)
	h := r.open(t)
	cfg := networks(
		withTAPs(lab(), TAP{Name: "tap0", Owner: "61000"}, TAP{Name: "tap-g", Group: "daemon"}, TAP{Name: "tap-root"}),
		withTAPs(dmz(), TAP{Name: "vm.1", Owner: "nobody", Group: "100", MultiQueue: true, VnetHdr: true}),
	)
	p := apply(t, h, cfg)
	if want := "links      + link tap0 (tap of user 61000, mtu 1500)\n"; !strings.Contains(lines(p), want) {
		t.Errorf("no %q in\n%s", want, lines(p))
	}
	inOrder(t, h, cfg)
	for _, c := range []struct {
		name, master string
		mtu          int
		user, group  string
		multi        bool
	}{
		{"tap0", "br0", 1500, "61000", "<nil>", false},
		{"tap-g", "br0", 1500, "<nil>", "daemon", false},
		{"tap-root", "br0", 1500, "root", "<nil>", false},
		{"vm.1", "br.dmz", 1400, "nobody", "users", true},
	} {
		l := r.link(t, c.name)
		info := l.LinkInfo.InfoData
		if l.Master != c.master || l.MTU != c.mtu || !l.up() || l.IfAlias != alias || info.Type != "tap" || !info.Persist || info.PacketInformation ||
			fmt.Sprint(info.User) != c.user || fmt.Sprint(info.Group) != c.group || info.MultiQueue != c.multi {
			t.Errorf("%s: %+v", c.name, l)
		}
	}
	// What a hypervisor sets for itself is no drift.
	index := r.link(t, "tap0").IfIndex
	file := r.openTAP(t, "tap0")
	inOrder(t, h, cfg)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	// Only what differs is made anew.
	next := networks(
		withTAPs(with(lab(), func(n *Network) { n.MTU = 1450 }), TAP{Name: "tap0", Owner: "61000"}, TAP{Name: "tap-g", Owner: "61000"}),
		withTAPs(dmz(), TAP{Name: "tap-root"}),
	)
	p = apply(t, h, next)
	for _, want := range []string{
		"~ link tap0 (mtu 1500 -> 1450)", "~ link tap-g (tap of group 1 -> of user 61000, made anew)", "+ port tap-g on br0", "+ port tap-root on br.dmz", "- link vm.1",
	} {
		if !strings.Contains(lines(p), want) {
			t.Errorf("no %q in\n%s", want, lines(p))
		}
	}
	inOrder(t, h, next)
	if l := r.link(t, "tap0"); l.IfIndex != index || l.MTU != 1450 {
		t.Errorf("tap0 is another one: %+v", l)
	}
	if l := r.link(t, "tap-root"); l.Master != "br.dmz" || l.MTU != 1400 {
		t.Errorf("tap-root is not moved: %+v", l)
	}

	// Another process, which knows nothing.
	if err := os.Remove(r.record); err != nil {
		t.Fatal(err)
	}
	down(t, r.open(t))
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Errorf("after down without a record:\n%s", diff)
	}
}

// A link that has the name of a TAP is not taken over, and says what it is.
func TestTAPsOfOthers(t *testing.T) {
	for _, c := range []struct{ name, make, want string }{
		{"a TAP", "ip tuntap add tap0 mode tap user 1001", "a TAP of user 1001"},
		{"a TAP with the same attributes", "ip tuntap add tap0 mode tap user 1000", "a TAP of user 1000"},
		{"a tunnel", "ip tuntap add tap0 mode tun", "(tun)"},
		{"another link", "ip link add tap0 type veth peer name x", "(veth)"},
		{"a tunnel with our mark", "ip tuntap add tap0 mode tun; ip link set tap0 alias labnet", "(tun)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newQuietRouter(t)
			r.Run(t, "sh", "-c", c.make)
			before := hostdump.Take(t, r.Host)
			h := r.open(t)
			cfg := networks(withTAPs(lab(), TAP{Name: "tap0", Owner: "1000"}))
			_, err := h.Apply(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), "isn't labnet's") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("apply: %v", err)
			}
			if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A TAP that a machine runs on is not made anew under its hands: the refusal says who has it, and what differs.
func TestTAPInUse(t *testing.T) {
	r := newQuietRouter(t)
	h := r.open(t)
	cfg := networks(withTAPs(lab(), TAP{Name: "tap0", Owner: "1000"}))
	apply(t, h, cfg)
	r.openTAP(t, "tap0")
	before := hostdump.Take(t, r.Host)
	_, err := h.Apply(t.Context(), networks(withTAPs(lab(), TAP{Name: "tap0", Owner: "1001"})))
	comm := strings.TrimSpace(r.Run(t, "cat", fmt.Sprintf("/proc/%d/comm", os.Getpid())))
	for _, want := range []string{fmt.Sprintf("in use by %s (pid %d)", comm, os.Getpid()), "user 1000 instead of user 1001"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q: %v", want, err)
		}
	}
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Error(diff)
	}
	links, err := h.TAPs()
	if err != nil || len(links) != 1 || !links[0].Used || links[0].PID != os.Getpid() || links[0].Process != comm || links[0].Bridge != "br0" || !links[0].Ours {
		t.Errorf("TAPs: %+v, %v", links, err)
	}
}

func TestTAPForNobodyKnown(t *testing.T) {
	r := newQuietRouter(t)
	h := r.open(t)
	before := hostdump.Take(t, r.Host)
	for _, c := range []struct {
		tap  TAP
		want string
	}{
		{TAP{Name: "tap0", Owner: "nobody-at-all"}, "the user nobody-at-all"},
		{TAP{Name: "tap0", Owner: "root", Group: "no-such-group"}, "the group no-such-group"},
	} {
		cfg := networks(withTAPs(lab(), c.tap))
		if _, err := h.Apply(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("apply: %v, want %q", err, c.want)
		}
		problems, err := h.Check(cfg)
		if err != nil || len(problems) == 0 || !problems[0].Fatal || !strings.Contains(problems[0].Summary, c.want) {
			t.Errorf("check: %+v, %v", problems, err)
		}
	}
	if diff := hostdump.Diff(before, hostdump.Take(t, r.Host)); diff != "" {
		t.Error(diff)
	}
}

func TestTAPDriftIsRepaired(t *testing.T) {
	r := newQuietRouter(t)
	cfg := networks(withTAPs(lab(), TAP{Name: "tap0", Owner: "1000"}, TAP{Name: "vm1", Owner: "1000"}))
	h, log := running(t, r, cfg)
	for _, damage := range []string{
		"ip link del vm1", "ip link set vm1 nomaster", "ip link set vm1 down", "ip link set vm1 alias mine", "ip link set vm1 mtu 1300",
	} {
		r.Run(t, "sh", "-c", damage)
		soon(t, h, cfg)
	}
	if l := r.link(t, "vm1"); l.Master != "br0" || !l.up() || l.IfAlias != alias || l.MTU != 1500 {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(log.String(), "repaired") {
		t.Errorf("nothing is said of the repairs:\n%s", log)
	}
}

// Somebody else's device with the name of a TAP isn't taken, and keeps nothing else from being repaired.
func TestATAPWhoseNameIsTakenKeepsNothingElse(t *testing.T) {
	r := newQuietRouter(t)
	running(t, r, networks(withTAPs(lab(), TAP{Name: "tap0", Owner: "1000"}, TAP{Name: "vm1", Owner: "1000"})))
	nettest.Eventually(t, patience, func() error {
		// By one process: each time that labnet is quicker counts as a repair, of which it makes five a minute.
		r.Run(t, "sh", "-c", "printf 'link del vm1\nlink add vm1 type veth peer name x\n' | ip -force -batch - || true")
		if out := r.Run(t, "ip", "-d", "link", "show", "vm1"); !strings.Contains(out, "veth") {
			return errors.New(out)
		}
		return nil
	})
	r.Run(t, "ip", "link", "del", "tap0")
	nettest.Eventually(t, patience, func() error {
		out, err := r.Try("ip", "link", "show", "tap0")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})
	if out := r.Run(t, "ip", "-d", "link", "show", "vm1"); !strings.Contains(out, "veth") {
		t.Errorf("somebody's device is taken away: %s", out)
	}
}

// As many as a large lab has come and go in the time that a few take.
func TestManyTAPs(t *testing.T) {
	r := newQuietRouter(t)
	h := r.open(t)
	n := lab()
	for i := range 500 {
		n.TAPs = append(n.TAPs, TAP{Name: fmt.Sprintf("vm%d", i), Owner: "1000"})
	}
	cfg := networks(n)
	began := time.Now()
	p := apply(t, h, cfg)
	made := time.Since(began)
	inOrder(t, h, cfg)

	began = time.Now()
	few := networks(with(n, func(n *Network) { n.TAPs = n.TAPs[:100] }))
	removal := apply(t, h, few)
	removed := time.Since(began)
	inOrder(t, h, few)
	if got, want := len(removal.Shrink), 401; got != want || len(removal.steps()) != 2 {
		t.Errorf("%d changes in %d steps instead of %d in 2", got, len(removal.steps()), want)
	}
	began = time.Now()
	down(t, h)
	t.Logf("500 made in %v (%d steps), 400 removed in %v, the rest by down in %v", made, len(p.steps()), removed, time.Since(began))
	if out := r.Run(t, "ip", "-o", "link"); strings.Contains(out, "vm") {
		t.Errorf("left behind:\n%s", out)
	}
}
