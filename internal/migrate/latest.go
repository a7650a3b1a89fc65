package migrate

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Latest keeps, of the leases of a server, the last one of each address: later ones replace earlier ones, in one file and from one
// to the next.
type Latest struct {
	at  map[netip.Addr]int
	all []Lease
}

// Add takes a lease in the order of the file.
func (c *Latest) Add(l Lease) {
	if c.at == nil {
		c.at = map[netip.Addr]int{}
	}
	if i, ok := c.at[l.Addr]; ok {
		c.all[i] = l
		return
	}
	c.at[l.Addr] = len(c.all)
	c.all = append(c.all, l)
}

// Leases returns what is left, without what was removed, in the order in which addresses came first.
func (c *Latest) Leases() []Lease {
	return slices.DeleteFunc(slices.Clone(c.all), func(l Lease) bool { return l.State == Removed })
}

// Kea's files beside the one that it writes, by age: while old rows are cleaned away there are some of them; and what is no lease file, or
// half of one, but comes along where somebody names all.
var (
	keaSuffixes = []string{".2", ".1", ".completed"}
	keaOthers   = []string{".output", ".pid"}
)

// Groups puts the names of files into the order in which they were written, those of one server together: of Kea's the older ones come
// before the one that it writes, and count no more where there is a complete one. Other files are a group each.
func Groups(names []string) [][]string {
	var out [][]string
	done := map[string]bool{}
	for _, name := range names {
		if slices.ContainsFunc(keaOthers, func(suffix string) bool {
			base, ok := strings.CutSuffix(name, suffix)
			return ok && strings.HasSuffix(base, ".csv") && slices.Contains(names, base)
		}) {
			continue
		}
		base := name
		for _, suffix := range keaSuffixes {
			if trimmed := strings.TrimSuffix(name, suffix); trimmed != name && strings.HasSuffix(filepath.Base(trimmed), ".csv") {
				base = trimmed
			}
		}
		if done[base] {
			continue
		}
		done[base] = true
		var group []string
		for _, suffix := range append(slices.Clone(keaSuffixes), "") {
			if !slices.Contains(names, base+suffix) || suffix != "" && !strings.HasSuffix(filepath.Base(base), ".csv") {
				continue
			}
			if suffix == ".completed" {
				group = nil // made of the older ones
			}
			group = append(group, base+suffix)
		}
		out = append(out, group)
	}
	return out
}
