package dnsserver

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestExplainNamesTheList: a blocked name is explained by the line that blocks it.
func TestExplainNamesTheList(t *testing.T) {
	list := filepath.Join(t.TempDir(), "ads.hosts")
	if err := os.WriteFile(list, []byte("# ads\n0.0.0.0 one.example\n0.0.0.0 ads.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := labs(freePort(t))
	cfg.Block.Files = []string{list}
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Explain(t.Context(), Question{Name: "ads.example", Type: dns.TypeA, Network: "lab"})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	step := got[0].Steps[len(got[0].Steps)-1]
	if step.Stage != stagePolicy || !strings.Contains(step.Says, list+":3: ") || got[0].Reason != "blocked" {
		t.Errorf("%+v", got[0])
	}
}
