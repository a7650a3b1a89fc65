package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestBreachesAreFound is for the comparison that the proofs of durability stand on.
func TestBreachesAreFound(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	granted := map[string]acked{"a": {netip.MustParseAddr("192.0.2.10"), until}}
	has := func(mac, addr, state string, expires time.Time) lease {
		return lease{MAC: mac, Address: addr, State: state, Expires: expires}
	}
	for _, c := range []struct {
		name  string
		found []lease
		want  string // of the only breach
	}{
		{"kept", []lease{has("a", "192.0.2.10", "bound", until), has("b", "192.0.2.11", "bound", until)}, ""},
		{"longer", []lease{has("a", "192.0.2.10", "bound", until.Add(time.Second))}, ""},
		{"lost", nil, "is lost"},
		{"given back by nobody", []lease{has("a", "192.0.2.10", "released", until)}, "is lost"},
		{"somebody else's", []lease{has("b", "192.0.2.10", "bound", until)}, `had by "b"`},
		{"moved", []lease{has("a", "192.0.2.11", "bound", until)}, "and has 192.0.2.11"},
		{"shortened", []lease{has("a", "192.0.2.10", "bound", until.Add(-time.Second))}, "and has it until"},
		{"doubled", []lease{has("b", "192.0.2.10", "bound", until), has("a", "192.0.2.10", "bound", until)}, "is held by b and a"},
		{"two addresses", []lease{has("a", "192.0.2.11", "bound", until), has("a", "192.0.2.10", "bound", until)}, "a has 192.0.2.10 and 192.0.2.11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := breaches(c.found, granted)
			if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
