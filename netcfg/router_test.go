package netcfg

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// again marks a test binary that a test started as a process of its own: it stays where it was started.
const again = "LABNET_TEST_AGAIN"

func TestMain(m *testing.M) {
	if os.Getenv(again) != "" {
		os.Exit(m.Run())
	}
	nettest.Main(m)
}

const patience = 10 * time.Second

// router is the host under test: eth0 leads to a LAN with a peer, and its default route over it.
type router struct {
	*nettest.Host
	lan    *nettest.Host
	record string
}

// newRouter makes a router with an uplink 192.0.2.2 to a LAN whose peer is 192.0.2.1.
func newRouter(t *testing.T) *router {
	t.Helper()
	r := &router{Host: nettest.NewHost(t, "router"), lan: nettest.NewHost(t, "lan"), record: filepath.Join(t.TempDir(), "state", "netcfg.json")}
	nettest.Link(t, r.Host, "eth0", r.lan, "eth0")
	r.lan.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	r.Run(t, "ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
	r.Run(t, "ip", "route", "add", "default", "via", "192.0.2.1")
	return r
}

// open is a process on the router that manages its network.
func (r *router) open(t *testing.T) *Host {
	t.Helper()
	var h *Host
	var err error
	r.Do(t, func() {
		h, err = Open(r.record, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// guest is a machine with a static address and the router as its gateway, on a link of the router's called port.
func (r *router) guest(t *testing.T, port, address string) *nettest.Host {
	t.Helper()
	g := nettest.NewHost(t, "guest")
	nettest.Link(t, r.Host, port, g, "eth0")
	p := netip.MustParsePrefix(address)
	g.Run(t, "ip", "address", "add", address, "dev", "eth0")
	g.Run(t, "ip", "route", "add", "default", "via", p.Masked().Addr().Next().String())
	return g
}

func apply(t *testing.T, h *Host, cfg Config) Plan {
	t.Helper()
	p, err := h.Apply(t.Context(), cfg)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return p
}

func down(t *testing.T, h *Host) Plan {
	t.Helper()
	p, err := h.Down(t.Context())
	if err != nil {
		t.Fatalf("down: %v", err)
	}
	return p
}

// inOrder fails the test if there is anything left to do for cfg.
func inOrder(t *testing.T, h *Host, cfg Config) {
	t.Helper()
	p, err := h.Plan(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Empty() {
		t.Errorf("there is something left to do:\n%s", lines(p))
	}
}

func lines(p Plan) string {
	var b strings.Builder
	for _, c := range slices.Concat(p.Grow, p.Shrink) {
		fmt.Fprintf(&b, "%-10s %s\n", c.Group(), c)
	}
	return b.String()
}

// keep runs Run until the test ends.
func keep(t *testing.T, h *Host) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func lab() Network {
	return Network{
		Name: "lab", Bridge: "br0", Address: netip.MustParsePrefix("10.0.0.1/24"),
		Attach: []string{"tap*"}, Masquerade: true, DHCP: true, DNS: true,
	}
}

func dmz() Network {
	return Network{
		Name: "dmz", Bridge: "br.dmz", MTU: 1400, Address: netip.MustParsePrefix("10.0.1.1/24"),
		Attach: []string{"dmz*"}, Masquerade: true, DHCP: true, DNS: true,
	}
}

func networks(list ...Network) Config { return Config{Networks: list} }

func with(n Network, changes ...func(*Network)) Network {
	for _, change := range changes {
		change(&n)
	}
	return n
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s: run the test with -update if this is meant; got:\n%s", path, got)
	}
}
