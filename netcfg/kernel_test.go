package netcfg

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }

func open(t *testing.T, host *nettest.Host, record string) *Host {
	t.Helper()
	var h *Host
	var err error
	host.Do(t, func() { h, err = Open(record, slog.New(slog.NewTextHandler(t.Output(), nil))) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func lab() Network {
	return Network{
		Name: "lab", Bridge: "br0", MTU: 1500, Address: netip.MustParsePrefix("10.0.0.1/24"),
		Attach: []string{"tap*"}, Masquerade: true, DHCP: true, DNS: true,
	}
}

func TestFirst(t *testing.T) {
	host := nettest.NewHost(t, "router")
	start := time.Now()
	h := open(t, host, filepath.Join(t.TempDir(), "record.json"))
	cfg := Config{Networks: []Network{lab()}}
	p, err := h.Apply(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	for _, c := range p.Grow {
		t.Log(c)
	}
	start = time.Now()
	p, err = h.Plan(cfg)
	t.Log(time.Since(start), err)
	for _, c := range append(p.Grow, p.Shrink...) {
		t.Errorf("left: %s", c)
	}
	t.Log(host.Run(t, "nft", "list", "ruleset"))
	t.Log(host.Run(t, "ip", "-d", "addr"))
	p, err = h.Down(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Shrink {
		t.Log(c)
	}
	t.Log(host.Run(t, "nft", "list", "ruleset"))
}
