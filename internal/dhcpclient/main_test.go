package dhcpclient

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// helperInterface makes the test binary a client of this interface, which says what it gets and ends.
const helperInterface = "LABNET_DHCPCLIENT_INTERFACE"

func TestMain(m *testing.M) {
	if iface := os.Getenv(helperInterface); iface != "" {
		os.Exit(helper(iface))
	}
	nettest.Main(m)
}

func helper(iface string) int {
	c, err := Open(Config{Interface: iface})
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		err = c.Run(ctx, func(e Event) error {
			fmt.Println(e.Kind, e.Lease.Addr)
			if e.Kind == Bound {
				cancel()
			}
			return nil
		})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestNeedsOneCapability: CAP_NET_RAW is enough, and without it the error says so.
func TestNeedsOneCapability(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := newLAN(t)
	s, _ := l.host(t, "server", "10.0.0.1/24")
	dnsmasq(t, s, "10.0.0", "50", "50", 3600, 1800, 3000)
	h, _ := l.host(t, "client", "")
	with := func(capabilities string) (string, error) {
		return h.Try("env", helperInterface+"=eth0", "setpriv", "--bounding-set="+capabilities, "--inh-caps=-all", exe)
	}
	if out, err := with("-all,+net_raw"); err != nil || out != "bound 10.0.0.50/24\n" {
		t.Errorf("with CAP_NET_RAW alone: %v\n%s", err, out)
	}
	if out, err := with("-all"); err == nil || !strings.Contains(out, "CAP_NET_RAW is missing") {
		t.Errorf("without any: %v\n%s", err, out)
	}
}

func TestNoSuchInterface(t *testing.T) {
	h := nettest.NewHost(t, "client")
	for name, want := range map[string]string{"eth9": "looking at interface eth9: no such device", "lo": "it isn't Ethernet"} {
		h.Do(t, func() {
			if _, err := Open(Config{Interface: name}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		})
	}
}
