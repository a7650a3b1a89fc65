package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/config"
)

// TestCheckSeesAllNetworks: one network has a record for a name that another gives to a host.
func TestCheckSeesAllNetworks(t *testing.T) {
	const text = `
network "a" {
  address = "10.1.0.1/24"
  bridge {
    name = "br1"
  }
  dns {
    domain = "lab.internal"
    record "OWNER" {
      type  = "CNAME"
      value = "www.example.org."
    }
  }
}
network "b" {
  address = "10.2.0.1/24"
  bridge {
    name = "br2"
  }
  dns {
    domain = "b.lab.internal"
  }
  host "db" {
    address = "10.2.0.9"
  }
}`
	for name, wrong := range map[string]bool{"db.b": true, "web.b": false} {
		path := filepath.Join(t.TempDir(), "labnet.hcl")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "OWNER", name)), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, diags := config.Load(path)
		if diags.HasErrors() {
			t.Fatal(diags.All())
		}
		err := Check(cfg)
		if (err != nil) != wrong || wrong && !strings.Contains(err.Error(), "db.b.lab.internal.") {
			t.Errorf("a record %s beside host db of domain b.lab.internal: %v", name, err)
		}
	}
}
