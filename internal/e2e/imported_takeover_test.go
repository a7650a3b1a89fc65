package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const takeoverConf = `interface=br0
bind-interfaces
user=root
pid-file=%[1]s/dnsmasq.pid
dhcp-leasefile=%[2]s
dhcp-authoritative
no-ping
no-resolv
server=192.0.2.1
domain=lab.internal
local=/lab.internal/
expand-hosts
dhcp-range=10.0.0.50,%[3]s,1h
dhcp-host=%[4]s,mover1
dhcp-host=id:%[5]s,10.0.0.20
`

// TestTakingOver moves a whole host: dnsmasq's configuration and its leases. Each client keeps its address and its name, whether it renews or restarts, and
// newcomers get none of them.
func TestTakingOver(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	conf := filepath.Join(l.dir, "dnsmasq.conf")
	leases := filepath.Join(l.dir, "dnsmasq.leases")
	kind := rivalKind{"dnsmasq", func(t *testing.T, dir, leases, last string) []string {
		// One machine by its MAC address, one that isn't there by an identifier.
		write(t, conf, fmt.Sprintf(takeoverConf, dir, leases, last, swarmMAC(1), "ff:00:01"))
		return []string{"dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=" + conf}
	}, "DHCP, sockets bound", []string{"invalid", "error"}}
	c := newClients(t, l)
	server := l.startRival(t, kind, leases, "10.0.0.189")
	c.lease(t)
	server.stop(t)

	l.config = filepath.Join(l.dir, "labnet.hcl")
	if out, err := l.tryLabnet(t, "import", "dnsmasq", conf, "-o", l.config, "--address", "br0=10.0.0.1/24"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := l.tryLabnet(t, "import", "dnsmasq", conf, "-o", l.config); err == nil || !strings.Contains(out, "is there already") {
		t.Errorf("a second import says %v, %s", err, out)
	}
	l.labnet(t, "check")
	if out, want := l.labnet(t, "leases", "import", leases), fmt.Sprintf("%d imported, 0 unchanged, 0 refused, 0 bad\n", len(c.addrs)); out != want {
		t.Errorf("import says %q, want %q, of\n%s", out, want, read(t, leases))
	}
	l.start(t)
	for i := range clientGuests {
		l.router.Run(t, "ip", "link", "set", fmt.Sprintf("vm%d", i), "master", "br0")
	}
	c.keepOut(t, "labnet after dnsmasq")
	c.stay(t, "labnet after dnsmasq")
	c.named(t)
	if counters := l.counters(t); counters.sum("nak_") != 0 || counters["ack_adopted"] != 0 || counters.sum("clone_") != 0 {
		t.Errorf("some clients weren't known: %v", counters)
	}
}

// TestImporterKnowsEveryOption asks the real dnsmasq what it knows.
func TestImporterKnowsEveryOption(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	known := 0
	conf := filepath.Join(l.dir, "all.conf")
	var lines []string
	for line := range strings.Lines(l.router.Run(t, "dnsmasq", "--help")) {
		_, rest, ok := strings.Cut(line, "--")
		name := strings.FieldsFunc(rest, func(c rune) bool { return c == '=' || c == ' ' || c == '[' || c == '\n' })
		if before, _, _ := strings.Cut(line, "--"); ok && strings.TrimLeft(before, " ") == "" || len(before) > 2 && before[0] == '-' {
			lines = append(lines, name[0]+"=x")
			known++
		}
	}
	write(t, conf, strings.Join(lines, "\n")+"\nno-such-option\n")
	out, err := l.tryLabnet(t, "import", "dnsmasq", conf)
	if err == nil || known < 180 {
		t.Fatalf("%d options: %v, %s", known, err, out)
	}
	if n := strings.Count(out, "has no option"); n != 1 {
		t.Errorf("%d of %d options aren't known:\n%s", n-1, known, out)
	}
}
