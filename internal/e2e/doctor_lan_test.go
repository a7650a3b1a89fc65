package e2e

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// TestDoctorOfABridgedNetwork follows a bridge from what is pending to what is confirmed, and breaks one thing at a time then.
func TestDoctorOfABridgedNetwork(t *testing.T) {
	nettest.NeedRoot(t)
	l, _ := newBridgedLab(t, bridgedConfig)
	d, _ := l.start(t)
	// The LAN has no DNS here: that fails in every report.
	others := []string{"upstream"}
	l.doctor(t).culprit(t, "warn", "handover", "pending: labnet apply", "labnet apply moves the addresses", others...)
	token := l.apply(t)
	l.doctor(t).culprit(t, "warn", "handover", "gives it back in", "labnet confirm "+token, others...)
	l.labnet(t, "rollback")
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "went back") })
	l.doctor(t).culprit(t, "warn", "handover", "The last change of eth0 went back", "labnet apply", others...)
	token = l.apply(t)
	l.labnet(t, "confirm", "--force", token)
	nettest.Eventually(t, limit, func() error { return contains(d.output(), "is confirmed") })

	healthy := l.doctor(t).text("ok")
	for _, want := range []string{"br0 is up, and its port eth0 forwards to the LAN", "confirmed: br0 keeps what eth0 had", "the LAN's router 192.0.2.1 answers over br0"} {
		if !strings.Contains(healthy, want) {
			t.Errorf("no %q in\n%s", want, healthy)
		}
	}
	g := l.newGuest(t, "guest", "vm1")
	mac := macAddress(t, g.Host)
	l.attached(t, "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "bridge", "fdb", "show", "br", "br0"), mac) })
	l.doctor(t, mac).culprit(t, "fail", "lease", "the LAN's DHCP server has given it nothing", "tcpdump -eni eth0")
	g.Run(t, "ip", "address", "add", "192.0.2.77/24", "dev", "eth0")
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	nettest.Eventually(t, limit, func() error { return contains(l.labnet(t, "leases"), "192.0.2.77") })
	for _, key := range []string{mac, "192.0.2.77", "vm1"} {
		found := l.doctor(t, key)
		text := found.text("ok")
		if found.Status != "ok" || !strings.Contains(text, "192.0.2.77 was seen at ") || !strings.Contains(text, "192.0.2.77 answers ARP and ping") {
			t.Errorf("doctor %s:\n%s", key, found.text("ok", "warn", "fail"))
		}
	}
	l.router.Run(t, "bridge", "link", "set", "dev", "vm1", "state", "0")
	l.doctor(t, mac).culprit(t, "fail", "port", "the port vm1 is disabled, not forwarding", "bridge link set dev vm1 state 3", "reach")
	l.router.Run(t, "bridge", "link", "set", "dev", "eth0", "state", "0")
	broken := l.doctor(t)
	broken.culprit(t, "fail", "bridge", "the port eth0 is disabled, not forwarding", "bridge link set dev eth0 state 3", "upstream", "uplink")
	broken.culprit(t, "fail", "uplink", "the LAN's router 192.0.2.1 doesn't answer ARP over br0", "arping -I br0 192.0.2.1", "upstream", "bridge")
	l.router.Run(t, "bridge", "link", "set", "dev", "eth0", "state", "3")
	// The daemon puts it back within a second, which may be before the doctor has looked.
	var apart checkup
	nettest.Eventually(t, limit, func() error {
		_, _ = l.router.Try("ip", "link", "set", "eth0", "nomaster")
		apart = l.doctor(t)
		return contains(apart.text("fail"), "eth0 is no port of br0")
	})
	apart.culprit(t, "fail", "bridge", "eth0 is no port of br0", "ip link set eth0 master br0", "upstream", "uplink")
}

// TestDoctorKnowsWhatIsMeant looks at what is kept apart on purpose, and at published ports.
func TestDoctorKnowsWhatIsMeant(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	web, stray := l.newGuest(t, "web", "vm1"), l.newGuest(t, "stray", "vm2")
	l.configure(t, fmt.Sprintf(`network "lab" {
  address     = "10.0.0.1/24"
  host_access = "services"
  bridge {
    name           = "br0"
    attach         = ["vm*"]
    guard          = "strict"
    isolate_guests = true
  }
  host "web" {
    mac = %q
  }
  publish "www" {
    listen = 8080
    host   = "web"
    port   = 80
  }
}
network "quiet" {
  mode    = "isolated"
  address = "10.0.1.1/24"
  bridge { name = "br1" }
}
`, macAddress(t, web.Host)))
	l.start(t)
	l.attached(t, "vm1")
	l.attached(t, "vm2")
	l.doctor(t).culprit(t, "warn", "publish", `publish "www": TCP 8080 leads nowhere while web has no lease`, "labnet doctor web")
	web.udhcpc(t)
	addr := web.leased(t)["address"]
	l.doctor(t).culprit(t, "warn", "publish", `publish "www": nothing listens on TCP port 80 of `+addr, "ss -lnt")
	answers(t, web.Host, 80, "web")
	found := l.doctor(t)
	if found.Status != "ok" {
		t.Errorf("doctor:\n%s", found.text("warn", "fail"))
	}
	for _, want := range []string{
		"www: TCP 8080 leads to port 80 of " + addr + ", which answers", "guests don't reach one another, as meant", "DHCP, DNS and ping alone, as meant",
		"guests send from what they were given alone", "apart quiet: the network is isolated",
	} {
		if text := found.text("ok"); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := l.doctor(t, "web").text("ok"); !strings.Contains(text, "these ports of the host lead to it: TCP 8080 (www)") || !strings.Contains(text, "it reaches no other guest of lab") {
		t.Errorf("doctor web:\n%s", text)
	}

	stray.Run(t, "ip", "address", "add", "10.0.0.66/24", "dev", "eth0")
	stray.Start(t, "ping", "-i", "0.2", "10.0.0.1")
	mac := macAddress(t, stray.Host)
	l.doctor(t).culprit(t, "warn", "apart", mac+" on vm2 sends from 10.0.0.66, which nothing gives it", `mac = "`+mac+`"`)
	l.doctor(t, "vm2").culprit(t, "fail", "apart", "it sends from 10.0.0.66, which nothing gives it", `address = "10.0.0.66"`, "lease", "reach")
	web.Run(t, "ip", "link", "set", "eth0", "down")
	l.doctor(t).culprit(t, "warn", "publish", "leads to "+addr+", which doesn't answer ARP", "labnet doctor "+addr)
}
