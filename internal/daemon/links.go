package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"labnet/dhcpserver"
	"labnet/internal/control"
	"labnet/internal/succession"
	"labnet/leases"
)

// links is the DHCP servers, one a served link.
type links struct {
	table  *leases.Table
	estate *succession.Estate
	log    *slog.Logger
	tracer dhcpserver.Tracer

	mu      sync.Mutex // guards servers
	servers map[string]*link
}

// link is one network's DHCP server.
type link struct {
	cfg    dhcpserver.Config
	server *dhcpserver.Server
	stop   context.CancelFunc // set while it runs
}

// listenLinks opens the sockets of every link, or of none.
func listenLinks(cfgs []dhcpserver.Config, table *leases.Table, estate *succession.Estate, log *slog.Logger) (*links, error) {
	l := &links{table: table, estate: estate, log: log, servers: map[string]*link{}}
	for _, cfg := range cfgs {
		server, err := l.listen(cfg)
		if err != nil {
			for _, opened := range l.servers {
				_ = opened.server.Close()
			}
			return nil, err
		}
		l.servers[cfg.Network] = server
	}
	return l, nil
}

func (l *links) listen(cfg dhcpserver.Config) (*link, error) {
	server, err := dhcpserver.ListenWith(cfg, l.table, l.estate, l.log)
	if err != nil {
		return nil, fmt.Errorf("serving DHCP on %s: %w", cfg.Interface, err)
	}
	server.TraceTo(&l.tracer)
	return &link{cfg: cfg, server: server}, nil
}

// run starts every server.
func (l *links) run(ctx context.Context, group *errgroup.Group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.servers {
		s.run(ctx, group)
	}
}

func (s *link) run(ctx context.Context, group *errgroup.Group) {
	ctx, s.stop = context.WithCancel(ctx)
	group.Go(func() error { return s.server.Run(ctx) })
}

// reconfigure brings the servers to cfgs: those that stay are given the new configuration, new ones are opened and started,
// the others stopped. New sockets are opened before anything is stopped. The links themselves must exist already.
func (l *links) reconfigure(ctx context.Context, group *errgroup.Group, cfgs []dhcpserver.Config) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	next := make(map[string]*link, len(cfgs))
	for _, cfg := range cfgs {
		old, ok := l.servers[cfg.Network]
		if ok && old.cfg.Interface == cfg.Interface {
			next[cfg.Network] = old
			if err := old.server.Reconfigure(cfg); err != nil {
				errs = append(errs, err)
				continue
			}
			old.cfg = cfg
			continue
		}
		fresh, err := l.listen(cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next[cfg.Network] = fresh
	}
	for name, old := range l.servers {
		if next[name] != old {
			old.stop()
		}
	}
	for name, s := range next {
		if l.servers[name] != s {
			s.run(ctx, group)
		}
	}
	l.servers = next
	return errors.Join(errs...)
}

// unanswered is what still waits for an answer, by network, when the servers have ended.
func (l *links) unanswered() map[string][]dhcpserver.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]dhcpserver.Message{}
	for name, s := range l.servers {
		if waiting := s.server.Unanswered(); len(waiting) > 0 {
			all[name] = waiting
		}
	}
	return all
}

// takeUp has the servers begin with what others have left.
func (l *links) takeUp(left map[string][]dhcpserver.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, messages := range left {
		if s, ok := l.servers[name]; ok {
			s.server.TakeUp(messages)
		}
	}
}

// others returns the other DHCP servers on a network's link.
func (l *links) others(network string) []control.OtherServer {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.servers[network]
	if !ok {
		return nil
	}
	var out []control.OtherServer
	for _, r := range s.server.RogueServers() {
		out = append(out, control.OtherServer{
			Server: r.Server, MAC: r.HWAddr.String(), Offered: r.Offered, Guest: r.Client.String(), Heard: r.Heard.UTC(), Times: r.Times,
		})
	}
	return out
}

// overhear tells a network's server what another one says on its link.
func (l *links) overhear(network string, frame []byte) {
	l.mu.Lock()
	s, ok := l.servers[network]
	l.mu.Unlock()
	if ok {
		s.server.Overhear(frame)
	}
}

// whoUses asks who uses an address of a network; "" for nobody, and where DHCP isn't served.
func (l *links) whoUses(ctx context.Context, network string, addr netip.Addr) (leases.HWAddr, error) {
	l.mu.Lock()
	s, ok := l.servers[network]
	l.mu.Unlock()
	if !ok {
		return "", nil
	}
	return s.server.WhoUses(ctx, addr)
}

// counters returns a network's decisions so far; nil where DHCP is off.
func (l *links) counters(network string) control.Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.servers[network]
	if !ok {
		return nil
	}
	return s.server.Stats()
}

// all returns the links as they are, by the names of their networks.
func (l *links) all() []link {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []link
	for _, name := range slices.Sorted(maps.Keys(l.servers)) {
		out = append(out, *l.servers[name])
	}
	return out
}
