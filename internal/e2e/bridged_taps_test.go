package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

const bridgedTAPsConfig = `network "lan" {
  mode = "bridged"
  uplink {
    interface = "eth0"
  }
  tap "tap-one" {
    owner = 65432
    mac   = "52:54:00:aa:00:01"
  }
}
`

// onTheLAN waits until a TAP's guest is known, and returns it.
func (l *lab) onTheLAN(t *testing.T, tap, guest string) (row tapRow) {
	t.Helper()
	nettest.Eventually(t, limit, func() error {
		if row = l.taps(t)[tap]; row.Bridge != "br0" || row.Guest != guest || !ofLANServer(row.Address) || row.Waits != "" {
			return fmt.Errorf("%s: %+v", tap, row)
		}
		return nil
	})
	return row
}

// waiting fails the test unless these TAPs, and no others, are there, down, and say what they wait for.
func (l *lab) waiting(t *testing.T, want string, names ...string) {
	t.Helper()
	taps := l.taps(t)
	if len(taps) != len(names) {
		t.Errorf("there are: %+v", taps)
	}
	for _, name := range names {
		out := l.router.Run(t, "ip", "-o", "link", "show", name)
		if row := taps[name]; row.Bridge != "" || row.Waits != want || strings.Contains(out, "master") || strings.Contains(out, ",UP") {
			t.Errorf("%s: %+v, %s", name, row, out)
		}
	}
}

// TestTAPsOnTheLAN: TAPs of a bridged network are there before its bridge, and follow it to and fro while machines run on them. The machines are of the
// LAN.
func TestTAPsOnTheLAN(t *testing.T) {
	nettest.NeedRoot(t)
	l, s := newBridgedLab(t, bridgedTAPsConfig)
	startLANServer(t, l)
	p := newPeople(t, l)
	pristine := sortedRoutes(settled(t, l.router))
	d, _ := l.start(t)
	const before = "br0, which `labnet apply` makes"
	l.waiting(t, before, "tap-one")
	if out, _ := l.tryLabnet(t, "plan"); strings.Contains(out, "tap-one") || !strings.Contains(out, "pending: labnet apply") {
		t.Errorf("the plan is:\n%s", out)
	}
	if out := l.labnet(t, "taps"); !strings.Contains(out, "waits for "+before) {
		t.Errorf("the list says:\n%s", out)
	}
	out, err := l.tryLabnet(t, "taps", "add", "tap-two", "--mac", "52:54:00:aa:00:02")
	for _, want := range []string{
		"tap-two is down, and waits for " + before + "\n",
		"-netdev tap,id=net0,ifname=tap-two,script=no,downscript=no -device virtio-net-pci,netdev=net0,mac=52:54:00:aa:00:02\n",
	} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("add, without %q: %v %s", want, err, out)
		}
	}
	for complaint, args := range map[string]string{
		`network "lan" has no host "builder"`:      "tap-three --host builder",
		"is the uplink of network":                 "eth0",
		"another guest of network \"lan\" has the": "tap-three --mac 52:54:00:aa:00:01",
	} {
		if out, err := l.tryLabnet(t, append([]string{"taps", "add"}, strings.Fields(args)...)...); err == nil || !strings.Contains(out, complaint) {
			t.Errorf("add %s: %v %s", args, err, out)
		}
	}
	// A machine that starts too early has its cable out.
	_, one := l.router.Start(t, p.as(alice, nil, p.machine(), "tap-one", "52:54:00:aa:00:01", "one")...)
	says(t, one, "as descriptor")
	l.waiting(t, before, "tap-one", "tap-two")
	index := l.router.Run(t, "cat", "/sys/class/net/tap-one/ifindex")

	l.apply(t)
	if row := l.taps(t)["tap-one"]; row.Bridge != "br0" || row.Waits != "" || !row.InUse {
		t.Errorf("after apply: %+v", row)
	}
	says(t, one, "leased 192.0.2.1")
	row := l.onTheLAN(t, "tap-one", "one")
	if row.MAC != "52:54:00:aa:00:01" || row.Process != fakeQEMU {
		t.Errorf("tap-one: %+v", row)
	}
	if !strings.Contains(one(), "leased "+row.Address+"\n") {
		t.Errorf("the machine says:\n%s\nand its address is %s", one(), row.Address)
	}
	s.lives(t, "after the move")
	if out, err := l.tryLabnet(t, "confirm", "WRONG"); err == nil {
		t.Errorf("confirm: %s", out)
	}
	l.labnet(t, "rollback")
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "went back") })
	nettest.Eventually(t, limit, func() error {
		if row := l.taps(t)["tap-one"]; row.Waits != before || row.Address != "" {
			return fmt.Errorf("after the way back: %+v", row)
		}
		return contains(l.router.Run(t, "ip", "-o", "link", "show", "tap-one"), "state DOWN")
	})
	l.waiting(t, before, "tap-one", "tap-two")
	token := l.apply(t)
	acked := func(when string) {
		t.Helper()
		n := strings.Count(one(), "acked")
		nettest.Eventually(t, limit, func() error {
			if strings.Count(one(), "acked") <= n {
				return errorOf(when + " the machine hears nothing")
			}
			return nil
		})
	}
	acked("after another move")
	l.confirm(t, token)
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "is confirmed") })

	// One for the moment, of a name of its own, by a member of the group. QEMU's own device comes by `attach`.
	l.configure(t, strings.Replace(bridgedTAPsConfig, "  tap \"tap-one\"", "  bridge {\n    attach = [\"tap-q*\"]\n  }\n  tap \"tap-one\"", 1))
	l.reload(t, d, "is reloaded")
	_, said := l.router.Start(t, p.as(bob, []int{membersGroup}, p.labnet(t, l, "taps", "run", "tap-run", "--", p.machine(), "{fd}", "{mac}", "passing")...)...)
	says(t, said, "leased 192.0.2.1")
	passing := l.onTheLAN(t, "tap-run", "passing")
	if passing.Origin != "run" || passing.Owner != itoa(bob) {
		t.Errorf("tap-run: %+v", passing)
	}
	if out, err := l.router.Try(p.as(alice, []int{membersGroup}, p.labnet(t, l, "taps", "run", "tap-thief", "--mac", passing.MAC, "--", "true")...)...); err == nil ||
		!strings.Contains(out, "another guest of network") {
		t.Errorf("with another guest's MAC address: %v %s", err, out)
	}
	openTAP(t, l.router, "tap-q1")
	l.attached(t, "tap-q1")
	if row := l.taps(t)["tap-q1"]; row.Origin != "attached" || row.Network != "lan" || row.Bridge != "br0" || !row.InUse {
		t.Errorf("tap-q1: %+v", row)
	}
	if err := syscall.Kill(passing.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		if row, ok := l.taps(t)["tap-run"]; ok {
			return fmt.Errorf("still there: %+v", row)
		}
		for _, s := range l.sightings(t) {
			if s.Port == "tap-run" {
				return fmt.Errorf("still observed: %+v", s)
			}
		}
		return nil
	})

	// Neither a reload nor another daemon changes anything for the machine.
	for _, again := range []func(){
		func() { l.reload(t, d, "is reloaded") },
		func() { l.stop(t, d, syscall.SIGKILL); d, _ = l.start(t) },
		func() { l.stop(t, d, syscall.SIGTERM); d, _ = l.start(t) },
	} {
		again()
		acked("after it")
		if out := l.labnet(t, "plan"); out != "" {
			t.Errorf("the plan isn't empty:\n%s", out)
		}
		if now := l.router.Run(t, "cat", "/sys/class/net/tap-one/ifindex"); now != index {
			t.Errorf("tap-one is another one: %s, not %s", now, index)
		}
	}
	l.onTheLAN(t, "tap-one", "one")
	s.lives(t, "after all that")

	if err := syscall.Kill(l.taps(t)["tap-one"].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.labnet(t, "down")
	if out := l.router.Run(t, "ip", "-o", "link"); strings.Contains(out, "tap-one") || strings.Contains(out, "tap-two") {
		t.Errorf("down leaves TAPs:\n%s", out)
	}
	if out := l.router.Run(t, "ip", "-o", "link", "show", "tap-q1"); strings.Contains(out, "master") {
		t.Errorf("somebody else's TAP is still on a bridge: %s", out)
	}
	l.router.Run(t, "ip", "link", "del", "tap-q1")
	if diff := hostdump.Diff(pristine, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
	// As after a start of the machine: the bridge comes by itself, and the TAPs with it.
	l.start(t)
	nettest.Eventually(t, time.Minute, func() error {
		taps := l.taps(t)
		for _, name := range []string{"tap-one", "tap-two"} {
			if row := taps[name]; row.Bridge != "br0" || row.Waits != "" {
				return fmt.Errorf("%s: %+v", name, row)
			}
		}
		return nil
	})
}
