package dnsserver

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"labnet/internal/succession"
)

// drainFor bounds how long questions under way may still be answered after their listener was told to stop.
const drainFor = 2 * time.Second

// Server answers DNS for every network.
type Server struct {
	names   LeaseNames
	estate  *succession.Estate
	log     *slog.Logger
	snap    atomic.Pointer[snapshot]
	cache   *cache
	flights *flights
	pump    *pump
	ports   *sourcePorts
	limits  *limits
	probes  probes
	stats   counters
	tracer  Tracer
	lost    atomic.Bool // nobody to ask was logged
	collect atomic.Bool // a large block list is no longer used
	tcp     tcpBounds
	rebinds rebindLog
	cookies cookies

	work sync.WaitGroup // the pump, TCP to upstreams, probes, listeners that are being drained
	base context.Context
	halt context.CancelFunc

	mu        sync.Mutex // guards the rest
	cfg       Config
	followed  string // fingerprint of the followed files that snap knows
	blocks    blockFiles
	hosts     hostsFiles
	logs      map[string]*openLog // by path
	known     upstreams
	listeners map[netip.AddrPort]*listener
	retiring  map[netip.AddrPort]chan struct{} // closed when the last listener there has let its address go
	departed  map[string]*departed             // by network
	state     state

	generation uint32 // of the newest snapshot; the first is 1

	leaving atomic.Bool
	former  Left // to begin with; guarded by mu
	left    Left
	leftMu  sync.Mutex // guards left.Connections
}

type state uint8

const (
	idle state = iota
	serving
	stopped
)

var errStopped = errors.New("the DNS server has been stopped")

// Listen opens the sockets of every network; Run serves. It must be called in the network namespace of the networks.
// An address in use gives an error that wraps *PortTakenError. The caller calls Run, or Close if it never will.
func Listen(cfg Config, names LeaseNames, log *slog.Logger) (*Server, error) {
	return ListenWith(cfg, names, nil, log)
}

// ListenWith is Listen for a server that takes over the sockets of a former one, with the questions in them, and leaves its own to the
// next.
func ListenWith(cfg Config, names LeaseNames, estate *succession.Estate, log *slog.Logger) (*Server, error) {
	s := &Server{
		names: names, estate: estate, log: log, cache: newCache(cfg.CacheSize), flights: newFlights(), known: upstreams{},
		listeners: map[netip.AddrPort]*listener{}, retiring: map[netip.AddrPort]chan struct{}{}, departed: map[string]*departed{}, tcp: newTCPBounds(),
		ports: readSourcePorts(), limits: newLimits(), probes: probes{names: map[name]*probed{}},
	}
	var err error
	if s.pump, err = newPump(s); err != nil {
		return nil, err
	}
	s.cookies.renew()
	s.base, s.halt = context.WithCancel(context.Background())
	if err := s.Reconfigure(cfg); err != nil {
		s.halt()
		s.pump.release()
		return nil, err
	}
	return s, nil
}

// Reconfigure swaps the configuration; sockets of networks that stay are kept, and the cache too. After an error nothing
// has changed. It waits, for two seconds at most, for an address that an earlier change took away. Call it in the network namespace
// of the networks; safe for concurrent use.
func (s *Server) Reconfigure(cfg Config) error {
	read := filesRead{blocks: s.readBlocks(cfg.Block.Files), hosts: s.readHosts(cfg.hostsFiles())}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stopped {
		return errStopped
	}
	read.logs = s.queryLogs(&cfg)
	snap, followed, err := s.compile(&cfg, read)
	if err != nil {
		return err
	}
	var opened []*listener
	for at := range snap.views {
		if s.listeners[at] != nil {
			continue
		}
		if gone := s.retiring[at]; gone != nil {
			// An address that comes back, as when a change is taken back: its former sockets answer what they had begun.
			<-gone
		}
		l, err := s.open(at)
		if err != nil {
			for _, l := range opened {
				l.close()
			}
			return err
		}
		opened = append(opened, l)
	}
	s.replaceBlocks(read.blocks)
	s.hosts = read.hosts
	s.replaceLogs(&cfg, read.logs)
	s.cfg, s.followed = cfg, followed
	old := s.snap.Swap(snap)
	s.lost.Store(false)
	s.cache.resize(cfg.CacheSize)
	s.cache.stale.Store(int64(cfg.ServeStale))
	s.forgetUpstreams(snap)
	for _, l := range opened {
		s.listeners[l.at] = l
		if s.state == serving {
			l.start()
		}
	}
	for at, l := range s.listeners {
		if snap.views[at] == nil {
			delete(s.listeners, at)
			s.depart(l, old.views[at].network)
			s.retire(l)
		}
	}
	s.settleDeparted(snap)
	return nil
}

// compile makes the snapshot of a configuration. s.mu is held.
func (s *Server) compile(cfg *Config, read filesRead) (snap *snapshot, followed string, err error) {
	// Before the files are read: a change in between is then seen as one.
	followed = cfg.fingerprint()
	if snap, err = compile(cfg, s.names, time.Now()); err != nil {
		return nil, "", err
	}
	if snap.block, err = newBlocking(&cfg.Block, read.blocks); err != nil {
		return nil, "", err
	}
	snap.addHostsFiles(cfg, read.hosts)
	snap.logTo(cfg, read.logs)
	s.generation++
	snap.generation = s.generation
	return snap, followed, snap.addGroups(cfg, s.known, s.log)
}

// filesRead is what a snapshot has of files.
type filesRead struct {
	blocks blockFiles
	hosts  hostsFiles
	logs   map[string]*openLog
}

// fileLooks is how files were at the last look.
type fileLooks struct{ blocks, hosts map[string]string }

// refollow reads the followed files, the block lists and the hosts files again if they have changed.
func (s *Server) refollow(looks fileLooks) error {
	s.mu.Lock()
	read := filesRead{blocks: s.blocks, hosts: s.hosts}
	s.mu.Unlock()
	var rereadBlocks, rereadHosts bool
	now := time.Now()
	read.blocks, rereadBlocks = read.blocks.changed(looks.blocks, now, s.readBlock)
	read.hosts, rereadHosts = read.hosts.changed(looks.hosts, now, s.readHostsFile)
	s.mu.Lock()
	defer s.mu.Unlock()
	moved := s.cfg.fingerprint() != s.followed
	if s.state == stopped || !rereadBlocks && !rereadHosts && !moved {
		return nil
	}
	// The configuration may have changed meanwhile.
	if !rereadBlocks || !read.blocks.covers(s.cfg.Block.Files) {
		read.blocks = s.blocks
	}
	if !rereadHosts || !read.hosts.covers(s.cfg.hostsFiles()) {
		read.hosts = s.hosts
	}
	read.logs = s.logs
	snap, followed, err := s.compile(&s.cfg, read)
	if err != nil {
		return err
	}
	s.replaceBlocks(read.blocks)
	s.hosts = read.hosts
	s.followed = followed
	s.snap.Store(snap)
	s.forgetUpstreams(snap)
	if moved {
		s.lost.Store(false)
		s.log.Info("upstreams changed", "servers", snap.serverCount())
	}
	return nil
}

// forgetUpstreams drops what is known of servers that no group names any more. s.mu is held.
func (s *Server) forgetUpstreams(snap *snapshot) {
	known := upstreams{}
	for g := range snap.allGroups() {
		for _, u := range g.servers {
			known[u.addr] = u
		}
	}
	s.known = known
}

// lonely notes that there is no upstream to ask: once, until that changes.
func (s *Server) lonely(g *group) {
	if s.lost.CompareAndSwap(false, true) {
		n := ""
		if g != nil {
			n = g.name
		}
		s.log.Warn("no upstream to ask; names of the outside get SERVFAIL", "upstream", n)
	}
}

// Run serves until ctx ends, then answers what is under way, for two seconds at most, and closes the sockets. It may be
// called once, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.state != idle {
		s.mu.Unlock()
		return errors.New("the DNS server runs already, or has been stopped")
	}
	s.state = serving
	s.work.Go(s.pump.run)
	s.writeLogs()
	for _, l := range s.listeners {
		l.start()
	}
	s.takeUp()
	s.mu.Unlock()

	s.work.Go(func() { s.cookies.keepRenewing(ctx) })
	s.follow(ctx)
	s.stop()
	return nil
}

// Close closes the sockets of a server that Run was never called for.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == idle {
		s.state = stopped
		s.halt()
		s.pump.release()
		for _, l := range s.listeners {
			l.close()
		}
	}
}

func (s *Server) stop() {
	s.mu.Lock()
	s.state = stopped
	end := (*listener).drain
	if s.leaving.Load() {
		s.leave()
		end = (*listener).finish
	}
	var drained sync.WaitGroup
	for _, l := range s.listeners {
		drained.Go(func() { end(l) })
	}
	s.mu.Unlock()
	patience := time.AfterFunc(drainFor, s.halt)
	defer patience.Stop()
	drained.Wait()
	s.halt()
	s.pump.stop()
	s.work.Wait()
	s.pump.release()
}

// retire lets a listener finish what it has begun, in the background, within drainFor. s.mu is held.
func (s *Server) retire(l *listener) {
	if s.state != serving {
		l.close() // nothing has begun
		l.gone.Store(true)
		return
	}
	gone := make(chan struct{})
	s.retiring[l.at] = gone
	s.work.Go(func() {
		defer close(gone)
		l.drain()
		l.gone.Store(true)
	})
}
