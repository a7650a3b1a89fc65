//go:build long

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestKernelsOnTheLAN boots two machines on TAP devices of a bridged network, as a user without privilege: one on a device of the file, the other by
// `labnet taps run`. They lease by udhcpc from the LAN's DHCP server, are reached from the LAN, and are observed until they are gone.
func TestKernelsOnTheLAN(t *testing.T) {
	nettest.NeedRoot(t)
	begin := time.Now()
	l, s := newBridgedLab(t, strings.Replace(bridgedTAPsConfig, "tap-one", "tap-vm1", 1))
	startLANServer(t, l)
	p := newPeople(t, l)
	d, _ := l.start(t)
	l.confirm(t, l.apply(t))
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "is confirmed") })
	kernel, initramfs := bootFiles(t, "")
	for name, source := range map[string]string{"kernel": kernel, "initramfs": initramfs} {
		write(t, filepath.Join(p.dir, name), read(t, source))
	}
	boot := time.Now()
	one := l.bootOnTAP(t, p, "vm1", p.as(alice, nil), strings.Fields(l.labnet(t, "taps", "args", "tap-vm1")))
	two := l.bootOnTAP(t, p, "vm2", p.as(alice, []int{membersGroup}, p.labnet(t, l, "taps", "run", "tap-vm2", "--")...),
		[]string{"-netdev", "tap,id=n0,fd={fd}", "-device", "virtio-net-pci,netdev=n0,mac={mac}"})
	one.ready(t, "192.0.2.1")
	two.ready(t, "192.0.2.1")
	t.Logf("both have their leases after %v", time.Since(boot).Round(time.Second))

	addrs := map[string]string{}
	for tap, guest := range map[string]string{"tap-vm1": "vm1", "tap-vm2": "vm2"} {
		row := l.onTheLAN(t, tap, guest)
		if row.Owner != itoa(alice) || row.Process != "qemu-system-x86" || !strings.HasPrefix(row.MAC, "52:54:00:") {
			t.Errorf("%s: %+v", tap, row)
		}
		addrs[guest] = row.Address
		var seen []sighting
		for _, s := range l.sightings(t, "--filter", "state=observed") {
			if s.Port == tap {
				seen = append(seen, s)
			}
		}
		if len(seen) != 1 || seen[0].Network != "lan" || seen[0].Address != row.Address || seen[0].MAC != row.MAC || seen[0].Hostname != guest {
			t.Errorf("at %s are observed: %+v", tap, seen)
		}
		l.lan.Run(t, "ping", "-c3", "-W5", row.Address)
	}
	one.do(t, "ping-the-other", "ping -c 3 -W 5 "+addrs["vm2"], "3 packets received")
	one.do(t, "ping-the-lan", "ping -c 3 -W 5 "+lanAddr, "3 packets received")
	two.do(t, "ping-the-host", "ping -c 3 -W 5 "+uplinkAddr, "3 packets received")
	two.do(t, "neighbours", "ping -c 1 -W 5 "+lanAddr+"; ip neigh", lanAddr+" dev eth0 lladdr "+macAddress(t, l.lan))
	if out := l.router.Run(t, "sh", "-c", "nft list tables; conntrack -L 2>/dev/null || true"); strings.Contains(out, "labnet") || strings.Contains(out, addrs["vm1"]) {
		t.Errorf("something is translated or filtered:\n%s", out)
	}
	s.lives(t, "beside machines on the bridge")

	if _, err := fmt.Fprintln(two.orders, "off"); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, bootLimit, func() error {
		if _, ok := l.taps(t)["tap-vm2"]; ok {
			return errorOf("tap-vm2 is still there")
		}
		if left := l.sightings(t); len(left) != 1 || left[0].Hostname != "vm1" {
			return fmt.Errorf("still observed: %+v", left)
		}
		return nil
	})
	if row := l.taps(t)["tap-vm1"]; row.Address != addrs["vm1"] || !row.InUse {
		t.Errorf("tap-vm1: %+v", row)
	}
	t.Logf("all of it: %v", time.Since(begin).Round(time.Second))
}
