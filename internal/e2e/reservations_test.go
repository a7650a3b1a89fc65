package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

type reservation struct{ Network, MAC, Address, Name, Origin, Obstacle string }

func (l *lab) reservations(t *testing.T) (found []reservation) {
	t.Helper()
	if err := json.Unmarshal([]byte(l.labnet(t, "leases", "reservations", "-o", "json")), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestReservedAtRunTime: a program reserves for a guest that is yet to come; the guest gets it, also after kill -9 and a reload; the file
// counts where it disagrees.
func TestReservedAtRunTime(t *testing.T) {
	nettest.NeedRoot(t)
	const mac = "52:54:00:aa:00:05"
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	client := l.newGuest(t, "asks", "vm9")
	client.udhcpc(t)
	client.leased(t)

	if out := l.labnet(t, "leases", "reserve", mac, "--address", "10.0.0.50", "--name", "db"); !strings.HasPrefix(out, "reserved 10.0.0.50 and the name db for "+mac) {
		t.Errorf("reserve says %q", out)
	}
	// The name is there before the guest, as a host block's is.
	if got := client.resolve(t, "db"); !slices.Equal(got, []string{"10.0.0.50"}) {
		t.Errorf("db resolves to %v", got)
	}
	for args, complaint := range map[string]string{
		"52:54:00:aa:00:06 --address 10.0.0.50": "has 10.0.0.50",
		"52:54:00:aa:00:06 --name db":           `has the name "db"`,
		"52:54:00:aa:00:06 --address 10.9.9.9":  "outside network",
		"52:54:00:aa:00:06 --name -x-":          "not a DNS label",
		"52:54:00:aa:00:06":                     "reserve an address, a name, or both",
	} {
		if out, err := l.tryLabnet(t, append([]string{"leases", "reserve"}, strings.Fields(args)...)...); err == nil || !strings.Contains(out, complaint) {
			t.Errorf("reserve %s: %v %s", args, err, out)
		}
	}
	l.stop(t, d, syscall.SIGKILL)
	d, _ = l.start(t)

	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", mac)
	g.udhcpc(t)
	if got := g.leased(t); got["address"] != "10.0.0.50" {
		t.Errorf("the guest gets %s", got["address"])
	}
	if got := client.resolve(t, "-x", "10.0.0.50"); !slices.Equal(got, []string{"db.lab.internal."}) {
		t.Errorf("10.0.0.50 resolves back to %v", got)
	}

	// A running guest's own address and name, by its name.
	l.labnet(t, "leases", "reserve", "asks")
	if found := l.reservations(t); len(found) != 2 || found[1].Name != "asks" || found[1].Obstacle != "" || found[1].Origin != "runtime" {
		t.Errorf("%+v", found)
	}

	// The file gives the name to another, and counts.
	l.configure(t, labConfig+"host \"db\" {\n  network = \"lab\"\n  mac     = \"52:54:00:aa:00:07\"\n  address = \"10.0.0.51\"\n}\n")
	l.reload(t, d, "is reloaded")
	nettest.Eventually(t, limit, func() error {
		if got := client.resolve(t, "db"); !slices.Equal(got, []string{"10.0.0.51"}) {
			return fmt.Errorf("db resolves to %v", got)
		}
		return nil
	})
	found := l.reservations(t)
	if len(found) != 3 || found[0].Origin != "file" || found[0].Name != "db" || !strings.Contains(found[1].Obstacle, `host "db" has the name "db"`) {
		t.Errorf("%+v", found)
	}
	if err := contains(d.output(), "a reservation that was made at run time is not used"); err != nil {
		t.Error(err)
	}
	if out, err := l.tryLabnet(t, "leases", "unreserve", "52:54:00:aa:00:07"); err == nil || !strings.Contains(out, "it is of the file") {
		t.Errorf("unreserve what is the file's: %v %s", err, out)
	}
	l.labnet(t, "leases", "unreserve", mac)
	if found := l.reservations(t); len(found) != 2 {
		t.Errorf("%+v", found)
	}
	// It survives a reload too.
	l.configure(t, labConfig)
	l.reload(t, d, "is reloaded")
	nettest.Eventually(t, limit, func() error {
		if found := l.reservations(t); len(found) != 1 || found[0].Name != "asks" {
			return fmt.Errorf("%+v", found)
		}
		return nil
	})
}

// TestAProgramMakesALab reserves for 100 guests at once, as a program does, while they come; each gets its own.
func TestAProgramMakesALab(t *testing.T) {
	nettest.NeedRoot(t)
	const guests = 100
	l := newLab(t)
	l.configure(t, wideConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	for i := range guests {
		mac, addr := swarmMAC(i).String(), fmt.Sprintf("10.0.2.%d", 100+i)
		l.labnet(t, "leases", "reserve", mac, "--address", addr, "--name", fmt.Sprintf("node%d", i))
		reply, err := s.lease(swarmMAC(i), 10)
		if err != nil {
			t.Fatal(err)
		}
		if reply.YourIPAddr.String() != addr {
			t.Errorf("%s gets %v, want %s", mac, reply.YourIPAddr, addr)
		}
	}
	l.stop(t, d, syscall.SIGKILL)
	l.start(t)
	if found := l.reservations(t); len(found) != guests {
		t.Errorf("%d reservations after kill -9", len(found))
	}
	if _, err := s.lease(swarmMAC(guests-1), 10); err != nil {
		t.Error(err)
	}
	if found := l.leases(t); len(found) != guests {
		t.Errorf("%d leases", len(found))
	}
}

const parentAndChild = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "br0"
    attach = ["vm*"]
  }
  dns {
    domain = "lab.internal"%s
  }
}
network "dev" {
  address = "10.0.1.1/24"
  bridge {
    name = "br1"
  }
  dns {
    domain = "dev.lab.internal"
  }
}
`

// TestNoReservationStopsAStart has the file make a CNAME of a reserved name, in the block of another network: nothing may stand beside it.
func TestNoReservationStopsAStart(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, fmt.Sprintf(parentAndChild, ""))
	d, _ := l.start(t)
	l.labnet(t, "leases", "reserve", "52:54:00:aa:00:05", "--address", "10.0.1.50", "--name", "db")
	l.configure(t, fmt.Sprintf(parentAndChild, "\n    record \"db.dev\" {\n      type  = \"CNAME\"\n      value = \"www.example.org.\"\n    }"))
	l.reload(t, d, "is reloaded")
	l.stop(t, d, syscall.SIGTERM)
	l.start(t)
	if found := l.reservations(t); len(found) != 1 || !strings.Contains(found[0].Obstacle, `a record has the name "db"`) {
		t.Errorf("%+v", found)
	}
}

// TestWhoHangsUpLeavesNoHalfReservation ends the command while its reservation is being written, to a slow disk: what is served must be what
// is stored.
func TestWhoHangsUpLeavesNoHalfReservation(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	mend := l.inject(t, "fdatasync", "delay_enter=3s")
	hasty, _ := l.router.Start(t, l.args(t, "leases", "reserve", "52:54:00:aa:00:05", "--address", "10.0.0.50", "--name", "db")...)
	nettest.Eventually(t, limit, func() error {
		out, err := l.router.Try("dig", "+short", "+time=1", "+tries=1", "@10.0.0.1", "db.lab.internal")
		if err != nil || out != "10.0.0.50\n" {
			return fmt.Errorf("the reservation isn't under way: %v %s", err, out)
		}
		return nil
	})
	if err := hasty.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	l.labnet(t, "leases", "reserve", "52:54:00:aa:00:06", "--address", "10.0.0.51") // its turn comes after that
	mend()
	served := l.reservations(t)
	l.stop(t, d, syscall.SIGKILL)
	l.start(t)
	if diff := cmp.Diff(served, l.reservations(t)); diff != "" {
		t.Errorf("what is stored differs from what was served (-served +stored):\n%s", diff)
	}
}

// TestTheGuidesProgramWaits runs what the guide shows to a program that makes a lab. A reserved name resolves before its guest is there, so that
// waiting for the name is waiting for nothing.
func TestTheGuidesProgramWaits(t *testing.T) {
	nettest.NeedRoot(t)
	var reserve, device, wait []string
	var after [][]string
	for _, s := range snippets(t) {
		if !strings.HasPrefix(s.place, "guide.md") || !strings.HasPrefix(s.text, "labnet leases reserve") {
			continue
		}
		for line := range strings.Lines(s.text) {
			if _, inside, ok := strings.Cut(line, "$(labnet taps "); ok {
				inside, _, _ = strings.Cut(inside, ")")
				device = append([]string{"taps"}, strings.Fields(inside)...)
				continue
			}
			words := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "addr=$("), ")"))
			switch {
			case words[0] != "labnet":
			case reserve == nil:
				reserve = words[1:]
			case wait == nil:
				wait = words[1:]
			default:
				after = append(after, words[1:])
			}
		}
	}
	if len(device) < 3 || len(after) != 3 || wait[1] != "wait" || after[0][1] != "del" || after[1][1] != "unreserve" || after[2][1] != "release" {
		t.Fatalf("the guide's program is %v, %v, %v, %v", reserve, device, wait, after)
	}
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	l.labnet(t, reserve...)
	if out := l.labnet(t, device...); !strings.Contains(out, "mac="+reserve[2]) {
		t.Errorf("QEMU is told %s", out)
	}
	if out, err := l.tryLabnet(t, append(wait, "--timeout", "1s")...); err == nil {
		t.Errorf("without the guest it prints %q", out)
	}
	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", reserve[2])
	g.udhcpc(t)
	if got := strings.TrimSpace(l.labnet(t, wait...)); got != reserve[slices.Index(reserve, "--address")+1] {
		t.Errorf("it waits for %s", got)
	}
	g.leased(t)
	if got := g.resolve(t, "db"); len(got) != 1 {
		t.Errorf("the name resolves to %v", got)
	}
	g.Run(t, "ip", "link", "set", "eth0", "down")
	for _, args := range after {
		l.labnet(t, args...)
	}
	if found := l.reservations(t); len(found) != 0 {
		t.Errorf("it leaves %+v", found)
	}
}
