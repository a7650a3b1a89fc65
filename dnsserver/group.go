package dnsserver

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// group is the upstreams for some domains, as far as they are known now.
type group struct {
	name    string
	key     uint64 // of its cache: other servers know other names
	servers []*upstream
	// domains tells that it is configured for some domains, and not for every one.
	domains bool
}

// addGroups completes a snapshot by its upstreams. Health survives for servers that known knows.
func (snap *snapshot) addGroups(cfg *Config, known upstreams, log *slog.Logger) error {
	snap.groups = map[name]*group{}
	for i := range cfg.Upstreams {
		u := &cfg.Upstreams[i]
		addrs, err := snap.servers(cfg, u, log)
		if err != nil {
			return fmt.Errorf("upstream %s: %w", u.Name, err)
		}
		g := &group{name: u.Name, key: cacheKey(u.Name, addrs), domains: len(u.Domains) > 0}
		for _, addr := range addrs {
			g.servers = append(g.servers, known.get(addr))
		}
		if len(u.Domains) == 0 {
			if snap.fallback != nil {
				return fmt.Errorf("upstreams %s and %s have no domains: one default is enough", snap.fallback.name, u.Name)
			}
			snap.fallback = g
		}
		for _, d := range u.Domains {
			domain, err := parseName(d)
			if err != nil {
				return fmt.Errorf("upstream %s: %w", u.Name, err)
			}
			if other := snap.groups[domain]; other != nil {
				return fmt.Errorf("upstreams %s and %s are both for %s", other.name, u.Name, domain)
			}
			snap.groups[domain] = g
		}
	}
	return nil
}

// servers returns the addresses of a group. One of ours in the configuration is an error; in a followed file, which
// others write, it is passed over.
func (snap *snapshot) servers(cfg *Config, u *UpstreamGroup, log *slog.Logger) ([]netip.AddrPort, error) {
	if u.Follow == "" {
		for _, addr := range u.Servers {
			switch {
			case !addr.IsValid() || addr.Port() == 0 || addr.Addr().IsUnspecified() || addr.Addr().IsMulticast():
				return nil, fmt.Errorf("%s is not the address of a server", addr)
			case snap.ourselves(cfg, addr):
				return nil, fmt.Errorf("%s is this server itself: every question would go round in a loop", addr)
			}
		}
		return unique(u.Servers), nil
	}
	addrs, err := readResolvConf(u.Follow)
	if err != nil {
		log.Warn("no upstreams from the followed file", "upstream", u.Name, "err", err)
		return nil, nil
	}
	return unique(slices.DeleteFunc(addrs, func(addr netip.AddrPort) bool {
		if snap.ourselves(cfg, addr) {
			log.Warn("the followed file names this server itself; passed over", "upstream", u.Name, "file", u.Follow, "addr", addr)
			return true
		}
		return false
	})), nil
}

func unique(addrs []netip.AddrPort) []netip.AddrPort {
	var all []netip.AddrPort
	for _, addr := range addrs {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
		if !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	return all
}

func (snap *snapshot) ourselves(cfg *Config, addr netip.AddrPort) bool {
	return snap.gateways[addr.Addr().Unmap()] && addr.Port() == cmp.Or(cfg.Port, defaultPort)
}

// cacheKey is the same for the same servers, so that a cache outlives a configuration, and another one for others.
func cacheKey(group string, addrs []netip.AddrPort) uint64 {
	sorted := slices.SortedFunc(slices.Values(addrs), netip.AddrPort.Compare)
	sum := sha256.Sum256(fmt.Append(nil, group, "\x00", sorted))
	return binary.BigEndian.Uint64(sum[:])
}

func (g *group) hasPrivate() bool { return len(g.askable(true)) > 0 }

// askable returns the servers that a question may go to.
func (g *group) askable(lan bool) []*upstream {
	may := func(u *upstream) bool { return !u.looping.Load() && (!lan || private(u.addr.Addr())) }
	for i, u := range g.servers {
		if may(u) {
			continue
		}
		some := slices.Clone(g.servers[:i])
		for _, u := range g.servers[i+1:] {
			if may(u) {
				some = append(some, u)
			}
		}
		return some
	}
	return g.servers
}

// allDown tells that nobody whom a question may go to has answered lately.
func (g *group) allDown(lan bool) bool {
	return !slices.ContainsFunc(g.askable(lan), func(u *upstream) bool { return !u.down() })
}

// UpstreamStatus is how an upstream does.
type UpstreamStatus struct {
	Group string
	Addr  netip.AddrPort
	// RTT is the smoothed round trip; 0 before the first answer.
	RTT time.Duration
	// Failures counts questions without an answer since the last answer.
	Failures int
	// Down tells that the others are asked first, until it answers.
	Down bool
	// Looping tells that it asks us what we ask it; then it isn't asked.
	Looping bool
}

// Upstreams returns the upstreams of every group that is in use, ordered by group and address. Safe for concurrent use.
func (s *Server) Upstreams() []UpstreamStatus {
	snap := s.snap.Load()
	var all []UpstreamStatus
	for g := range snap.allGroups() {
		for _, u := range g.servers {
			status := u.status()
			status.Group = g.name
			all = append(all, status)
		}
	}
	slices.SortFunc(all, func(a, b UpstreamStatus) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), a.Addr.Compare(b.Addr))
	})
	return all
}

// routes yields every group with each domain that it is for.
func (snap *snapshot) routes() iter.Seq2[name, *group] {
	return func(yield func(name, *group) bool) {
		if snap.fallback != nil && !yield(root, snap.fallback) {
			return
		}
		for n, g := range snap.groups {
			if !yield(n, g) {
				return
			}
		}
	}
}

// allGroups yields every group once.
func (snap *snapshot) allGroups() iter.Seq[*group] {
	all := map[*group]bool{}
	for _, g := range snap.groups {
		all[g] = true
	}
	if snap.fallback != nil {
		all[snap.fallback] = true
	}
	return maps.Keys(all)
}

func (snap *snapshot) serverCount() int {
	n := 0
	for g := range snap.allGroups() {
		n += len(g.servers)
	}
	return n
}
