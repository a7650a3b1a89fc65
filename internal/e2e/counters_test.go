package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// counters are how many messages of the network "lab" were decided for which reason.
type counters map[string]int

func (l *lab) counters(t *testing.T) counters {
	t.Helper()
	var s struct {
		Networks []struct {
			Name string
			DHCP counters
		}
	}
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Networks {
		if n.Name == "lab" {
			return n.DHCP
		}
	}
	t.Fatal("the status has no network \"lab\"")
	return nil
}

// sum adds up the reasons that begin with prefix.
func (c counters) sum(prefix string) int {
	total := 0
	for reason, n := range c {
		if strings.HasPrefix(reason, prefix) {
			total += n
		}
	}
	return total
}

// since is what was counted after before.
func (c counters) since(before counters) counters {
	out := counters{}
	for reason, n := range c {
		if n != before[reason] {
			out[reason] = n - before[reason]
		}
	}
	return out
}
