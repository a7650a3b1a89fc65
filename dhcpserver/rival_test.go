package dhcpserver

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"labnet/internal/nettest"
	"labnet/leases"
)

// TestRivals starts dnsmasq beside us, in the ways in which it is found on hosts.
func TestRivals(t *testing.T) {
	for _, tc := range []struct {
		name    string
		args    []string
		refused bool
	}{
		{"on every link, as it comes", []string{"--dhcp-range=10.0.0.100,10.0.0.120"}, true},
		{"on our link", []string{"--bind-interfaces", "--interface=br0", "--except-interface=lo", "--dhcp-range=10.0.0.100,10.0.0.120"}, true},
		{"on another link, as libvirt does", []string{"--bind-dynamic", "--interface=virbr0", "--except-interface=lo", "--dhcp-range=192.168.122.2,192.168.122.254"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := nettest.NewHost(t, "router")
			bridge(t, h, "br0", "10.0.0.1/24")
			bridge(t, h, "virbr0", "192.168.122.1/24")
			dir := t.TempDir()
			args := append([]string{
				"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
				"--dhcp-leasefile=" + dir + "/leases", "--pid-file=" + dir + "/pid",
			}, tc.args...)
			cmd, output := h.Start(t, args...)
			nettest.Eventually(t, patience, func() error {
				if out, err := h.Try("sh", "-c", "ss -Hlnu 'sport = :67' | grep ."); err != nil {
					return fmt.Errorf("dnsmasq isn't there: %v %s\n%s", err, out, output())
				}
				return nil
			})
			table := newTable(t, leases.NewMemory(), nil)
			s, err := listen(t, h, testConfig(), table, slog.New(slog.DiscardHandler))
			if !tc.refused {
				if err != nil {
					t.Fatal(err)
				}
				_ = s.Close()
				return
			}
			taken, ok := errors.AsType[*PortTakenError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if taken.Process != "dnsmasq" || taken.PID != cmd.Process.Pid || taken.Interface != "br0" {
				t.Errorf("got %+v, want dnsmasq with pid %d", taken, cmd.Process.Pid)
			}
			if want := fmt.Sprintf("dnsmasq (pid %d)", cmd.Process.Pid); !strings.Contains(err.Error(), want) {
				t.Errorf("%q doesn't contain %q", err, want)
			}
		})
	}
}

// TestOthersMayStartAfterUs is the other way round: libvirt's dnsmasq must start on its own link.
func TestOthersMayStartAfterUs(t *testing.T) {
	l := newLab(t, nil, nil)
	bridge(t, l.router, "virbr0", "192.168.122.1/24")
	dir := t.TempDir()
	_, output := l.router.Start(t, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
		"--dhcp-leasefile="+dir+"/leases", "--pid-file="+dir+"/pid", "--bind-dynamic", "--interface=virbr0", "--except-interface=lo",
		"--dhcp-range=192.168.122.2,192.168.122.254", "--log-facility=-")
	nettest.Eventually(t, patience, func() error {
		if out, err := l.router.Try("sh", "-c", "ss -Hlnup 'sport = :67' | grep dnsmasq"); err != nil {
			return fmt.Errorf("dnsmasq doesn't start: %v %s\n%s", err, out, output())
		}
		return nil
	})
}

// TestABoundPortNamesItsOwner is the way without sock_diag: the owner of a port that can't be bound.
func TestABoundPortNamesItsOwner(t *testing.T) {
	h := nettest.NewHost(t, "router")
	cmd, output := h.Start(t, "nc", "-u", "-l", "-p", "67")
	nettest.Eventually(t, patience, func() error {
		if out, err := h.Try("sh", "-c", "ss -Hlnu 'sport = :67' | grep ."); err != nil {
			return fmt.Errorf("nc isn't there: %v %s\n%s", err, out, output())
		}
		return nil
	})
	var err error
	h.Do(t, func() { err = portOwner("br0") })
	taken, ok := errors.AsType[*PortTakenError](err)
	if !ok || taken.PID != cmd.Process.Pid || taken.Process != "nc" {
		t.Errorf("got %v, want nc with pid %d", err, cmd.Process.Pid)
	}
}

func TestListenSaysWhatIsMissing(t *testing.T) {
	h := nettest.NewHost(t, "router")
	table := newTable(t, leases.NewMemory(), nil)
	if _, err := listen(t, h, testConfig(), table, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "br0") {
		t.Errorf("no such link: %v", err)
	}
	if _, err := listen(t, h, Config{Interface: "br0"}, table, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "lease time") {
		t.Errorf("an empty configuration: %v", err)
	}
}
