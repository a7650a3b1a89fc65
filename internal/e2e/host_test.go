package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// busyRouter gives the router what a host has besides: another LAN, rules, sysctls and a bridge of its own.
func busyRouter(t *testing.T, l *lab) (other *nettest.Host) {
	t.Helper()
	other = nettest.NewHost(t, "other")
	nettest.Link(t, other, "eth0", l.router, "eth1")
	other.Run(t, "ip", "address", "add", "198.51.100.1/24", "dev", "eth0")
	other.Run(t, "ip", "route", "add", "default", "via", "198.51.100.2")
	l.router.Run(t, "ip", "address", "add", "198.51.100.2/24", "dev", "eth1")
	l.router.Run(t, "nft", "add table inet own; add chain inet own in { type filter hook input priority 5; policy accept; }; add rule inet own in tcp dport 9999 drop")
	l.router.Run(t, "ip", "link", "add", "br-own", "type", "bridge")
	l.router.Run(t, "ip", "link", "set", "br-own", "up")
	l.router.Run(t, "ip", "rule", "add", "from", "203.0.113.0/24", "table", "99")
	l.router.Run(t, "ip", "route", "add", "203.0.113.0/24", "via", lanAddr, "table", "99")
	return other
}

// settled waits until the host's dump stays the same: carriers take their time.
func settled(t *testing.T, h *nettest.Host) hostdump.Dump {
	t.Helper()
	last := hostdump.Take(t, h)
	for range 20 {
		time.Sleep(300 * time.Millisecond)
		now := hostdump.Take(t, h)
		if hostdump.Diff(last, now) == "" {
			return now
		}
		last = now
	}
	t.Fatal("the host doesn't settle")
	return nil
}

func TestDownPutsTheHostBack(t *testing.T) {
	nettest.NeedRoot(t)
	for _, how := range []string{"with the daemon", "without the daemon", "after kill -9", "ephemeral"} {
		t.Run(how, func(t *testing.T) {
			l := newLab(t)
			busyRouter(t, l)
			g := l.newGuest(t, "guest", "vm1")
			l.configure(t, labConfig)
			before := settled(t, l.router)

			if plan := l.labnet(t, "plan"); !strings.Contains(plan, "br0") {
				t.Errorf("the plan before says nothing of br0:\n%s", plan)
			}
			if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
				t.Errorf("the plan changed the host:\n%s", diff)
			}
			flags := []string{}
			if how == "ephemeral" {
				flags = append(flags, "--ephemeral")
			}
			d, _ := l.start(t, flags...)
			g.udhcpc(t)
			g.leased(t)
			if plan := l.labnet(t, "plan"); plan != "" {
				t.Errorf("the plan isn't empty after run:\n%s", plan)
			}
			up := settled(t, l.router)
			switch how {
			case "with the daemon":
			case "without the daemon":
				l.stop(t, d, syscall.SIGTERM)
			case "after kill -9":
				l.stop(t, d, syscall.SIGKILL)
			case "ephemeral":
				l.stop(t, d, syscall.SIGTERM)
			}
			if how != "ephemeral" {
				if diff := hostdump.Diff(up, settled(t, l.router)); diff != "" {
					t.Errorf("the daemon's end changed the host:\n%s", diff)
				}
				l.labnet(t, "down")
			}
			if diff := hostdump.Diff(before, settled(t, l.router)); diff != "" {
				t.Errorf("the host isn't what it was before:\n%s", diff)
			}
			if out := l.labnet(t, "down"); !strings.Contains(out, "nothing") {
				t.Errorf("a second down says:\n%s", out)
			}
		})
	}
}

func TestRunTwiceChangesNothing(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	first := settled(t, l.router)
	l.stop(t, d, syscall.SIGTERM)
	d, _ = l.start(t)
	if diff := hostdump.Diff(first, settled(t, l.router)); diff != "" {
		t.Errorf("the second run changed the host:\n%s", diff)
	}
	if strings.Contains(d.output(), "changed the host") {
		t.Errorf("the second run says that it changed the host:\n%s", d.output())
	}
}

const twoConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "br-lab"
    attach = ["lab*"]
  }
}

network "ci" {
  address = "10.0.1.1/24"
  bridge {
    name   = "br-ci"
    attach = ["ci*"]
  }
}
`

func TestTwoNetworksAreApart(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, twoConfig)
	l.start(t)
	a, b := l.newGuest(t, "a", "lab1"), l.newGuest(t, "b", "ci1")
	a.udhcpc(t)
	b.udhcpc(t)
	aAddr, bAddr := a.leased(t)["address"], b.leased(t)["address"]
	if !strings.HasPrefix(aAddr, "10.0.0.") || !strings.HasPrefix(bAddr, "10.0.1.") {
		t.Fatalf("the guests have %s and %s", aAddr, bAddr)
	}
	for _, try := range []struct {
		from   *guest
		to     string
		domain string
	}{{a, bAddr, "b.ci.internal"}, {b, aAddr, "a.lab.internal"}} {
		if out, err := try.from.Try("ping", "-c1", "-W1", try.to); err == nil {
			t.Errorf("%s reaches the other network: %s", try.from.name, out)
		}
		if out, err := try.from.Try("nc", "-z", "-v", "-n", "-w", "2", try.to, "22"); err == nil || strings.Contains(out, "Connection refused") {
			t.Errorf("%s reaches the other network by TCP: %v %s", try.from.name, err, out)
		}
		// The names of both are known in both.
		if got := try.from.resolve(t, try.domain); !slices.Equal(got, []string{try.to}) {
			t.Errorf("%s resolves %s to %v", try.from.name, try.domain, got)
		}
		try.from.Run(t, "ping", "-c1", "-W2", lanAddr)
	}
}

func TestTheLANGetsNoAnswerOfTheGateway(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	l.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", uplinkAddr)
	for _, transport := range []string{"+notcp", "+tcp"} {
		out, err := l.lan.Try("dig", transport, "+time=1", "+tries=2", "@10.0.0.1", "gateway.lab.internal")
		if exitCode(err) != 9 { // dig: no reply from server
			t.Errorf("a question to 10.0.0.1 from the LAN (%s): %v\n%s", transport, err, out)
		}
	}
	// The host itself may ask.
	if out := l.router.Run(t, "dig", "+short", "@10.0.0.1", "gateway.lab.internal"); strings.TrimSpace(out) != "10.0.0.1" {
		t.Errorf("the host asks its own resolver and gets %q", out)
	}
}

func TestNothingElseIsForwarded(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	other := busyRouter(t, l)
	l.lan.Run(t, "ip", "route", "add", "198.51.100.0/24", "via", uplinkAddr)
	reach := func() string {
		var out []string
		for _, try := range []struct {
			from *nettest.Host
			to   string
		}{{l.lan, "198.51.100.1"}, {other, lanAddr}} {
			_, err := try.from.Try("ping", "-c1", "-W1", try.to)
			out = append(out, fmt.Sprintf("to %s: %v", try.to, err == nil))
		}
		return strings.Join(out, ", ")
	}
	before := reach()
	if strings.Contains(before, "true") {
		t.Fatalf("the host forwarded before: %s", before)
	}
	l.configure(t, labConfig)
	l.start(t)
	if now := reach(); now != before {
		t.Errorf("the host forwards between its other interfaces: %s; before: %s", now, before)
	}

	// What the host forwarded by its operator's will goes on.
	l.labnet(t, "down")
	l.router.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	if now := reach(); strings.Contains(now, "false") {
		t.Fatalf("a forwarding host doesn't forward: %s", now)
	}
	l.start(t)
	if now := reach(); strings.Contains(now, "false") {
		t.Errorf("labnet stops what the host forwarded before: %s", now)
	}
}

func TestLateLinksAreAttached(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	nettest.Link(t, nettest.NewHost(t, "guest"), "eth0", l.router, "vm7")
	nettest.Link(t, nettest.NewHost(t, "stranger"), "eth0", l.router, "veth7")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ip", "-o", "link", "show", "vm7"), "master br0") })
	if out := l.router.Run(t, "ip", "-o", "link", "show", "veth7"); strings.Contains(out, "master") {
		t.Errorf("a link that doesn't match is attached: %s", out)
	}
}

func TestReload(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	hup := func(want string) {
		t.Helper()
		before := strings.Count(d.output(), want)
		process, err := os.FindProcess(l.pid(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, limit, func() error {
			if strings.Count(d.output(), want) == before {
				return fmt.Errorf("no new %q in the log", want)
			}
			return nil
		})
	}
	l.configure(t, strings.Replace(labConfig, "address", "adress", 1))
	hup("labnet.hcl:2")
	if got := g.resolve(t, "guest"); !slices.Equal(got, []string{addr}) {
		t.Errorf("after the broken reload the name resolves to %v", got)
	}
	l.configure(t, labConfig+strings.Replace(strings.Replace(labConfig, `"lab"`, `"ci"`, 1), "10.0.0.1/24\"", "10.0.1.1/24\"", 1)+"\n")
	hup("not reloaded") // two networks, one bridge
	two := strings.Replace(labConfig, "  bridge {", "  dns {\n    record \"new\" {\n      type  = \"A\"\n      value = \"10.0.0.200\"\n    }\n  }\n  bridge {\n    name = \"br0\"", 1)
	l.configure(t, two+"network \"ci\" {\n  address = \"10.0.1.1/24\"\n  bridge {\n    name   = \"br-ci\"\n    attach = [\"ci*\"]\n  }\n}\n")
	hup("is reloaded")
	if got := g.resolve(t, "new"); !slices.Equal(got, []string{"10.0.0.200"}) {
		t.Errorf("the new record resolves to %v", got)
	}
	other := l.newGuest(t, "other", "ci1")
	other.udhcpc(t)
	if got := other.leased(t)["address"]; !strings.HasPrefix(got, "10.0.1.") {
		t.Errorf("the new network leases %s", got)
	}
	l.configure(t, labConfig)
	hup("is reloaded")
	if links := l.router.Run(t, "ip", "-o", "link"); strings.Contains(links, "br-ci") {
		t.Errorf("the removed network's bridge is still there:\n%s", links)
	}
	if found := l.leases(t); !slices.ContainsFunc(found, func(x lease) bool { return x.Address == addr && x.State == "bound" }) {
		t.Errorf("the lease didn't survive the reloads: %+v", found)
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("the plan after the reloads isn't empty:\n%s", plan)
	}
}

// TestCheckTellsAPersonAndAProgram runs `check` on every wrong file that the configuration's own tests have.
func TestCheckTellsAPersonAndAProgram(t *testing.T) {
	files, err := filepath.Glob("../config/testdata/wrong/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, file := range files {
		text, err := tryBinary(t, "check", file)
		if strings.Contains(text, "error:") != (exitCode(err) == 1) {
			t.Errorf("%s: exit code %d, but:\n%s", file, exitCode(err), text)
		}
		var report struct {
			Diagnostics []struct{ Severity, Summary string }
		}
		out, sameErr := tryBinary(t, "check", file, "-o", "json")
		if jsonErr := json.Unmarshal([]byte(out), &report); jsonErr != nil || exitCode(sameErr) != exitCode(err) {
			t.Errorf("%s: -o json: %v %v\n%s", file, jsonErr, sameErr, out)
		}
		for _, one := range report.Diagnostics {
			if !strings.Contains(text, one.Severity+": "+one.Summary) {
				t.Errorf("%s: the text doesn't say %q", file, one.Summary)
			}
		}
		if len(report.Diagnostics) > 0 {
			told++
		}
	}
	if told < 15 {
		t.Errorf("only %d wrong files are told of", told)
	}
}
