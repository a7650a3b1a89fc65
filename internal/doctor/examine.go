package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/config"
	"labnet/internal/control"
)

// Sources is where facts come from, beside the kernel and the wire.
type Sources struct {
	Config      *config.Config // nil if it doesn't load
	ConfigError string         // why not, one line
	Client      *control.Client
	// Plan says what `labnet run` would change, and what stands against it.
	Plan func() ([]control.Change, []control.Problem, []control.Note, error)
	// Counters are the packets that our rules have counted.
	Counters func() (map[string]uint64, error)
	// StoredLeases are the leases of the store, for when no daemon runs.
	StoredLeases func(ctx context.Context) ([]control.Lease, error)
	// ResolvConf are the host's own resolvers.
	ResolvConf func() []netip.AddrPort
	// Name is what the outside's DNS is asked for.
	Name string
}

// repairTime is how long a daemon that runs may take to repair what somebody has just changed.
const repairTime = 2 * time.Second

// Examine looks at the host and all its networks. It takes some seconds where something doesn't answer.
func Examine(ctx context.Context, s Sources) Report {
	f := s.gather(ctx)
	return report("", f.judge())
}

// gather finds the facts about the host and its networks.
func (s Sources) gather(ctx context.Context) *facts {
	before, counterErr := s.Counters()
	f := s.known(ctx)
	var err error
	if f.kernel, err = readKernel(); err != nil {
		f.planErr = errors.Join(f.planErr, err)
	}
	f.settle()
	s.findWays(f)
	listening := f.listen()
	s.askAll(ctx, f)
	heard := listening()
	// After listening: who was given an address meanwhile has it.
	f.leases, f.leasesErr = s.leases(ctx, f)
	f.judgeSenders(heard)
	f.callPublished(ctx)
	if after, err := s.Counters(); err == nil && counterErr == nil {
		f.moved, f.totals = grown(before, after), after
	}
	return f
}

func grown(before, after map[string]uint64) map[string]uint64 {
	moved := map[string]uint64{}
	for name, now := range after {
		if was := before[name]; now > was {
			moved[name] = now - was
		}
	}
	return moved
}

// known is what the configuration, the daemon and the plan tell.
func (s Sources) known(ctx context.Context) *facts {
	f := &facts{configError: s.ConfigError, name: s.Name, root: os.Geteuid() == 0}
	if status, err := s.Client.Status(ctx); err == nil {
		f.status = &status
	} else {
		f.statusErr = err
	}
	switch {
	case s.Config != nil:
		f.networks = configured(s.Config)
	case f.status != nil:
		f.networks = served(f.status)
	}
	if s.Config == nil {
		if f.status != nil {
			f.problems = f.status.Problems
		}
		return f
	}
	f.changes, f.problems, f.notes, f.planErr = s.Plan()
	if f.planErr == nil && len(f.changes) > 0 && f.status != nil {
		select {
		case <-ctx.Done():
		case <-time.After(repairTime):
		}
		f.changes, f.problems, f.notes, f.planErr = s.Plan()
	}
	f.problems = slices.DeleteFunc(f.problems, func(p control.Problem) bool {
		lacks := strings.Contains(p.Summary, "the capability CAP_")
		if lacks && f.planErr == nil {
			f.planErr = errors.New(p.Summary)
		}
		return lacks
	})
	if f.status != nil {
		for _, p := range f.status.Problems {
			// The same one may have other figures by now.
			if !slices.ContainsFunc(f.problems, func(q control.Problem) bool {
				return p.Network == q.Network && (p.Summary == q.Summary || p.Remedy == q.Remedy && p.Remedy != "")
			}) {
				f.problems = append(f.problems, p)
			}
		}
	}
	return f
}

// configured is the networks of a configuration.
func configured(cfg *config.Config) (out []Network) {
	for _, n := range cfg.Networks {
		one := Network{
			Name: n.Name, Bridge: n.Bridge.Name, Domain: n.DNS.Domain, Address: n.Address, Secondary: n.Secondary, Masquerade: n.Uplink.Masquerade,
			DHCP: n.DHCP.Enabled, DNS: n.DNS.Enabled, Attach: n.Bridge.Attach, Mode: n.Mode,
			Isolate: n.Bridge.IsolateGuests, Adopt: n.Bridge.Adopt, Services: n.HostAccess == "services", AllowFrom: n.AllowFrom,
			Strict: n.Bridge.Guard == "strict", Published: published(n),
		}
		if n.Uplink.Interface != "auto" {
			one.Uplink = n.Uplink.Interface
		}
		for _, r := range n.Routes {
			one.Behind = append(one.Behind, r.Subnet)
		}
		for _, h := range n.Hosts {
			one.Hosts = append(one.Hosts, Host{h.Name, net.HardwareAddr(h.MAC), h.Address})
		}
		out = append(out, one)
	}
	return out
}

// served is the networks of a daemon.
func served(status *control.Status) (out []Network) {
	for _, n := range status.Networks {
		one := Network{
			Name: n.Name, Bridge: n.Bridge, Domain: n.Domain, Address: n.Address, Secondary: n.Secondary, Masquerade: n.Masquerade, DHCP: n.DHCP != nil, DNS: n.Domain != "", Mode: n.Mode,
		}
		if n.Uplink != "auto" {
			one.Uplink = n.Uplink
		}
		out = append(out, one)
	}
	return out
}

// findWays asks how guests of each network leave, and whether the gateway there is alive.
func (s Sources) findWays(f *facts) {
	f.ways = map[string]way{}
	for _, n := range f.networks {
		if n.Mode == isolated {
			continue
		}
		w := f.kernel.findWay(n, someGuest(n))
		w.unasked = true
		if w.err == nil && w.gateway.IsValid() && w.source.IsValid() && w.out.up && len(w.out.mac) == 6 && !w.out.noARP {
			if found, err := whoHas(w.out, w.source, w.gateway); err == nil {
				w.unasked, w.answers = false, len(found) > 0
			}
		}
		f.ways[n.Name] = w
	}
}

// someGuest is an address of a network that isn't the gateway's; invalid where the host is no gateway.
func someGuest(n Network) netip.Addr {
	if !n.routed() {
		return netip.Addr{}
	}
	a := n.Address.Masked().Addr().Next()
	if a == n.Address.Addr() {
		a = a.Next()
	}
	return a
}

// askAll asks each gateway for itself and for the outside, and each upstream, all at once.
func (s Sources) askAll(ctx context.Context, f *facts) {
	f.local, f.outside, f.upstreams = map[string]reply{}, map[string]reply{}, s.upstreams()
	var mu sync.Mutex // guards the maps
	var all sync.WaitGroup
	for _, n := range f.networks {
		if !n.DNS {
			continue
		}
		gateway := netip.AddrPortFrom(n.Address.Addr(), 53)
		all.Go(func() {
			r := ask(ctx, gateway, "gateway."+n.Domain, dns.TypeA)
			mu.Lock()
			defer mu.Unlock()
			f.local[n.Name] = r
		})
		all.Go(func() {
			r := ask(ctx, gateway, s.Name, dns.TypeA)
			mu.Lock()
			defer mu.Unlock()
			f.outside[n.Name] = r
		})
	}
	for i := range f.upstreams {
		u := &f.upstreams[i]
		all.Go(func() {
			u.kind = dns.TypeSOA
			if u.name == "" {
				u.name, u.kind = s.Name, dns.TypeA
			}
			u.reply = ask(ctx, u.server, u.name, u.kind)
		})
	}
	all.Wait()
}

// upstreams are the DNS servers that a configuration names, or the host's own resolvers.
func (s Sources) upstreams() (out []upstream) {
	follow := true
	if s.Config != nil {
		for _, u := range s.Config.Resolver.Upstreams {
			name := ""
			if len(u.Domains) > 0 {
				name = strings.TrimPrefix(u.Domains[0], ".")
			}
			follow = follow && name != ""
			for _, server := range u.Servers {
				out = append(out, upstream{group: u.Name, server: server, name: name})
			}
		}
	}
	if follow {
		for _, server := range s.ResolvConf() {
			out = append(out, upstream{group: "host", server: server})
		}
	}
	return out
}
