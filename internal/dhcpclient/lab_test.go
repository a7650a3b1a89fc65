package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// patience is for what takes seconds by its nature, on a machine that is slow.
const patience = 90 * time.Second

// lan is a LAN: a switch, to which hosts are plugged.
type lan struct {
	hub   *nettest.Host
	ports int
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{hub: nettest.NewHost(t, "hub")}
	l.hub.Run(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	l.hub.Run(t, "ip", "link", "set", "br0", "up")
	return l
}

// host plugs a host in; its eth0 has the address, if it isn't "". port is the switch's.
func (l *lan) host(t *testing.T, name, addr string) (h *nettest.Host, port string) {
	t.Helper()
	h = nettest.NewHost(t, name)
	port = l.plug(t, h)
	if addr != "" {
		h.Run(t, "ip", "address", "add", addr, "dev", "eth0")
	}
	return h, port
}

func (l *lan) plug(t *testing.T, h *nettest.Host) (port string) {
	t.Helper()
	l.ports++
	port = fmt.Sprintf("port%d", l.ports)
	nettest.Link(t, l.hub, port, h, "eth0")
	l.hub.Run(t, "ip", "link", "set", port, "master", "br0")
	awaitUp(t, h, "eth0")
	return port
}

// awaitUp waits until the link takes packets, which the kernel does in its own time.
func awaitUp(t *testing.T, h *nettest.Host, iface string) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		if out := h.Run(t, "ip", "-o", "link", "show", iface); !strings.Contains(out, "state UP") {
			return fmt.Errorf("it isn't up: %s", out)
		}
		return nil
	})
}

// daemon is a DHCP server that runs.
type daemon struct {
	leases string // its file
	output func() string
	cmd    *exec.Cmd
}

// stop ends it, and returns when it has ended.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	_ = d.cmd.Process.Signal(unix.SIGTERM)
	nettest.Eventually(t, patience, func() error {
		if err := d.cmd.Process.Signal(unix.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("the server still runs (%v)", err)
		}
		return nil
	})
}

// serve starts a server; see dnsmasq and dhcpd.
type serve func(t *testing.T, h *nettest.Host, subnet, first, last string, lease int, t1, t2 int) *daemon

// dnsmasq serves addresses of a /24, as 10.0.0, with times in seconds, of which dnsmasq makes the lease 120 at least.
func dnsmasq(t *testing.T, h *nettest.Host, subnet, first, last string, lease, t1, t2 int) *daemon {
	t.Helper()
	d := &daemon{leases: filepath.Join(t.TempDir(), "leases")}
	d.cmd, d.output = h.Start(t, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
		"--bind-interfaces", "--user=root", "--pid-file=", "--dhcp-authoritative", "--no-ping", "--dhcp-leasefile="+d.leases,
		fmt.Sprintf("--dhcp-range=%s.%s,%s.%s,%ds", subnet, first, subnet, last, lease), "--domain=example.org",
		fmt.Sprintf("--dhcp-option=option:T1,%d", t1), fmt.Sprintf("--dhcp-option=option:T2,%d", t2),
		"--dhcp-option=option:mtu,1400", "--dhcp-option=option:dns-server,192.0.2.53")
	d.await(t, "DHCP, sockets bound")
	return d
}

// dhcpd is dnsmasq by ISC's server.
func dhcpd(t *testing.T, h *nettest.Host, subnet, first, last string, lease, t1, t2 int) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{leases: filepath.Join(dir, "leases")}
	conf := filepath.Join(dir, "dhcpd.conf")
	text := fmt.Sprintf(`authoritative;
ddns-update-style none;
ping-check false;
default-lease-time %d; min-lease-time %d; max-lease-time %d;
option dhcp-renewal-time %d;
option dhcp-rebinding-time %d;
option domain-name "example.org";
option domain-name-servers 192.0.2.53;
option interface-mtu 1400;
subnet %s.0 netmask 255.255.255.0 { range %s.%s %s.%s; option routers %s.1; }
`, lease, lease, lease, t1, t2, subnet, subnet, first, subnet, last, subnet)
	for name, content := range map[string]string{conf: text, d.leases: ""} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.cmd, d.output = h.Start(t, "dhcpd", "-4", "-f", "-d", "-cf", conf, "-lf", d.leases, "-pf", filepath.Join(dir, "dhcpd.pid"), "eth0")
	d.await(t, "Server starting service.")
	return d
}

func (d *daemon) await(t *testing.T, text string) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		if !strings.Contains(d.output(), text) {
			return fmt.Errorf("it doesn't say %q:\n%s", text, d.output())
		}
		return nil
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server says:\n%s", d.output())
		}
	})
}

// client is a client of the package, whose host does what it is told.
type client struct {
	t      *testing.T
	host   *nettest.Host
	cfg    Config
	cancel context.CancelFunc
	ended  chan error
	log    logBuffer

	mu     sync.Mutex
	events []Event // guarded by mu
	seen   int     // of them, by await; belongs to the test
}

// run starts a client with an identifier of its own.
func run(t *testing.T, h *nettest.Host, change func(*Config)) *client {
	t.Helper()
	cfg := Config{Interface: "eth0", ClientID: []byte{0xff, 1, 2, 3, 4, 5}, Hostname: "vmhost"}
	if change != nil {
		change(&cfg)
	}
	c := &client{t: t, host: h, cfg: cfg, ended: make(chan error, 1)}
	cfg.Log = slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var dc *Client
	var err error
	h.Do(t, func() { dc, err = Open(cfg) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() { c.ended <- dc.Run(ctx, c.handle) }()
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("the client says:\n%s", c.log.String())
		}
	})
	return c
}

// stop ends the client.
func (c *client) stop() {
	c.t.Helper()
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.cancel = nil
	if err := <-c.ended; err != nil {
		c.t.Errorf("the client ended with %v", err)
	}
}

// handle puts addresses on the interface, and takes them off.
func (c *client) handle(e Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case Bound, Changed:
		if out, err := c.host.Try("ip", "address", "replace", e.Lease.Addr.String(), "dev", c.cfg.Interface); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	case Lost:
		_, _ = c.host.Try("ip", "address", "del", e.Lease.Addr.String(), "dev", c.cfg.Interface) // it may be gone with its interface
	}
	c.events = append(c.events, e)
	return nil
}

// await is the next event of a kind; others before it are passed over, but for those that are named.
func (c *client) await(kind Kind, not ...Kind) Event {
	c.t.Helper()
	var found Event
	nettest.Eventually(c.t, patience, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for c.seen < len(c.events) {
			e := c.events[c.seen]
			c.seen++
			for _, k := range not {
				if e.Kind == k {
					c.t.Fatalf("%v (%s) before %v", k, e.Reason, kind)
				}
			}
			if e.Kind == kind {
				found = e
				return nil
			}
		}
		return fmt.Errorf("no event %v; there are %v", kind, c.events)
	})
	return found
}

// soFar is the events that there have been.
func (c *client) soFar() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// logBuffer is a log that a test can read.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
