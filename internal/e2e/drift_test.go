package e2e

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// isolatedConfig has one of everything that can be taken away.
const isolatedConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach         = ["vm*"]
    isolate_guests = true
  }
}
`

// TestEveryObjectComesBack removes each thing that labnet has set up behind its back. The times are for people who read the log: on a
// machine that does nothing else they are far below two seconds, and below ten for settings that the kernel tells nobody of.
func TestEveryObjectComesBack(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, isolatedConfig)
	nettest.Link(t, nettest.NewHost(t, "guest"), "eth0", l.router, "vm1")
	d, _ := l.start(t)
	for _, c := range []struct{ name, harm, says, by string }{
		{"address", "ip address del 10.0.0.1/24 dev br0", "+ address 10.0.0.1/24 on br0", ""},
		{"bridge", "ip link del br0", "+ link br0", ""},
		{"bridge down", "ip link set br0 down", "~ link br0 (down -> up)", ""},
		{"port", "ip link set vm1 nomaster", "+ port vm1 on br0 (isolated)", ""},
		{"port's isolation", "bridge link set dev vm1 isolated off", "~ port vm1 on br0 (isolated off -> on)", ""},
		{"sysctl that the kernel tells of", "sysctl -q -w net.ipv4.conf.eth0.forwarding=0", "~ sysctl net.ipv4.conf.eth0.forwarding 0 -> 1", ""},
		{"sysctl that it doesn't tell of", "sysctl -q -w net.ipv4.conf.br0.promote_secondaries=0", "~ sysctl net.ipv4.conf.br0.promote_secondaries 0 -> 1", ""},
		{"rule", "nft flush chain inet labnet to_lab", "~ chain inet labnet to_lab", `by="nft (pid`},
		{"chain", "nft 'flush chain inet labnet forward; delete element inet labnet to_bridge { br0 }; delete chain inet labnet to_lab'", "+ chain inet labnet to_lab", `by="nft (pid`},
		{"element", "nft flush set inet labnet bridges", "~ set inet labnet bridges (+br0)", `by="nft (pid`},
		{"port's guard", "nft 'delete element bridge labnet guests { vm1 }'", "~ set bridge labnet guests (+vm1)", `by="nft (pid`},
		{"table inet", "nft delete table inet labnet", "+ table inet labnet", `by="nft (pid`},
		{"table bridge", "nft delete table bridge labnet", "+ table bridge labnet", `by="nft (pid`},
		{"ruleset", "nft flush ruleset", "+ table bridge labnet", `by="nft (pid`},
	} {
		// Five repairs in a minute are a fight, and this is more than five: each has a daemon of its own.
		l.restart(t, &d)
		before := d.output()
		start := time.Now()
		l.router.Run(t, "sh", "-c", c.harm)
		nettest.Eventually(t, limit, func() error { return contains(strings.TrimPrefix(d.output(), before), c.says) })
		took := time.Since(start)
		nettest.Eventually(t, limit, func() error {
			if plan := l.labnet(t, "plan"); plan != "" {
				return fmt.Errorf("left to do:\n%s", plan)
			}
			return nil
		})
		line := lineWith(strings.TrimPrefix(d.output(), before), c.says)
		if c.by != "" {
			if err := contains(line, c.by); err != nil {
				t.Errorf("%s: who did it isn't said: %v", c.name, err)
			}
		}
		t.Logf("%-32s back after %v: %s", c.name, took.Round(time.Millisecond), line)
	}
}

// restart ends the daemon, and starts another one over the same network.
func (l *lab) restart(t *testing.T, d **daemon) {
	t.Helper()
	l.stop(t, *d, syscall.SIGKILL)
	*d, _ = l.start(t)
	// What happens before its subscriptions stand is repaired too, but its author isn't known.
	nettest.Eventually(t, limit, func() error {
		if strings.Count((*d).output(), "watching the host's network") < 2 {
			return errors.New("not watching yet")
		}
		return nil
	})
}

func lineWith(text, what string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestTwoManagers has another program take labnet's rules away whenever they are there: labnet says so, and lets it be for a while.
func TestTwoManagers(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	l.router.Start(t, "sh", "-c", "while sleep 0.1; do nft delete table inet labnet 2>/dev/null; done")
	nettest.Eventually(t, 2*limit, func() error { return contains(d.output(), "repairs rest") })
	line := lineWith(d.output(), "repairs rest")
	if err := contains(line, `by="nft (pid`); err != nil {
		t.Errorf("who it is isn't said: %v", err)
	}
	repairs := strings.Count(d.output(), "+ table inet labnet")
	time.Sleep(3 * time.Second)
	if again := strings.Count(d.output(), "+ table inet labnet"); again != repairs {
		t.Errorf("%d repairs, and %d after three seconds of rest", repairs, again)
	}
	nettest.Eventually(t, limit, func() error {
		return contains(l.labnet(t, "status"), "keeps changing what labnet set up")
	})
}
