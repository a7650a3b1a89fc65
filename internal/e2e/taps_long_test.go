//go:build long

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// booted is an emulated machine with the kernel of the Debian release, on a TAP device.
type booted struct {
	said   func() string
	orders *os.File // what it is to do
}

// TestKernelsOnTAPs boots two machines as a user without privilege: one on a device that `labnet taps add` made for that user, by the arguments
// that it printed, the other by `labnet taps run`. They lease by udhcpc, find each other by name, and reach the LAN through the NAT.
func TestKernelsOnTAPs(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, "network \"lab\" {\n  address = \"10.0.0.1/24\"\n}\n")
	p := newPeople(t, l)
	l.start(t)
	kernel, initramfs := bootFiles(t, "")
	for name, source := range map[string]string{"kernel": kernel, "initramfs": initramfs} {
		write(t, filepath.Join(p.dir, name), read(t, source))
	}
	args := strings.Fields(l.labnet(t, "taps", "add", "tap-vm1", "--owner", itoa(alice)))
	one := l.bootOnTAP(t, p, "vm1", p.as(alice, nil), args)
	two := l.bootOnTAP(t, p, "vm2", p.as(alice, []int{membersGroup}, p.labnet(t, l, "taps", "run", "tap-vm2", "--")...),
		[]string{"-netdev", "tap,id=n0,fd={fd}", "-device", "virtio-net-pci,netdev=n0,mac={mac}"})
	one.ready(t, "10.0.0.")
	two.ready(t, "10.0.0.")

	taps := l.taps(t)
	for name, guest := range map[string]string{"tap-vm1": "vm1", "tap-vm2": "vm2"} {
		if row := taps[name]; row.Guest != guest || row.Owner != itoa(alice) || row.Process != "qemu-system-x86" {
			t.Errorf("%s: %+v", name, row)
		}
	}
	one.do(t, "resolve", "nslookup vm2.lab.internal 10.0.0.1", taps["tap-vm2"].Address)
	two.do(t, "resolve", "nslookup vm1.lab.internal 10.0.0.1", taps["tap-vm1"].Address)
	one.do(t, "ping-the-other", "ping -c 3 -W 5 "+taps["tap-vm2"].Address, "3 packets received")
	two.do(t, "ping-the-lan", "ping -c 3 -W 5 "+lanAddr, "3 packets received")
	one.do(t, "ping-the-lan", "ping -c 3 -W 5 "+lanAddr, "3 packets received")
	if out := l.router.Run(t, "conntrack", "-L", "-p", "icmp"); !strings.Contains(out, "dst="+uplinkAddr) {
		t.Errorf("nothing is masqueraded:\n%s", out)
	}

	// The second one's end takes its device, its lease and its name; the first one's device stays.
	if _, err := fmt.Fprintln(two.orders, "off"); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, bootLimit, func() error {
		if _, ok := l.taps(t)["tap-vm2"]; ok {
			return errorOf("tap-vm2 is still there")
		}
		if out := l.router.Run(t, "dig", "+short", "@10.0.0.1", "vm2.lab.internal"); out != "" {
			return errorOf("vm2 still resolves to " + out)
		}
		return nil
	})
	if row := l.taps(t)["tap-vm1"]; row.Guest != "vm1" || !row.InUse {
		t.Errorf("tap-vm1: %+v", row)
	}
}

// bootOnTAP starts QEMU by a command line before it, with a card. The machine goes off at the order "off".
func (l *lab) bootOnTAP(t *testing.T, p *people, name string, before, card []string) *booted {
	t.Helper()
	line := append(append([]string{}, before...),
		"qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", filepath.Join(p.dir, "kernel"), "-initrd", filepath.Join(p.dir, "initramfs"),
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 random.trust_cpu=on scenario=guest guest="+name)
	line = append(line, card...)
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	from, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.router.Command(t.Context(), line...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = from, console, console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m := &booted{said: func() string { return strings.ReplaceAll(read(t, console.Name()), "\r", "") }, orders: orders}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_, _, _ = orders.Close(), from.Close(), console.Close()
		if t.Failed() {
			t.Logf("the console of %s:\n%s", name, tail(m.said(), 60))
		}
	})
	return m
}

// ready waits until the machine has leased an address that begins so, and takes orders.
func (m *booted) ready(t *testing.T, lease string) {
	t.Helper()
	nettest.Eventually(t, bootLimit, func() error { return contains(m.said(), "@@end 0") })
	nettest.Eventually(t, bootLimit, func() error { return contains(m.said(), "bound to "+lease) })
	nettest.Eventually(t, bootLimit, func() error { return contains(m.said(), "@@begin ready") })
}

// do has the machine run a command that must succeed and say something.
func (m *booted) do(t *testing.T, name, command, want string) {
	t.Helper()
	if _, err := fmt.Fprintf(m.orders, "%s %s\n", name, command); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, bootLimit, func() error {
		_, after, begun := strings.Cut(m.said(), "@@begin "+name+" ")
		text, end, ended := strings.Cut(after, "@@end ")
		switch {
		case !begun || !ended || !strings.Contains(end, "\n"):
			return errorOf(name + " hasn't ended:\n" + tail(m.said(), 20))
		case !strings.HasPrefix(end, "0 ") || !strings.Contains(text, want):
			t.Fatalf("%s, without %q:\n%s", command, want, text+end)
		}
		return nil
	})
}
