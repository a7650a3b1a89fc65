package dhcpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"labnet/internal/succession"
	"labnet/leases"
)

// Bounds of what waits for the disk: above the first newcomers are shed, at the second all that needs a commit.
const (
	maxUnderway = 4096
	shedAbove   = maxUnderway * 3 / 4
)

// drainTime is how long a stopping server waits for commits that are under way.
const drainTime = 5 * time.Second

// linkInterval is how often a server looks whether its link was made anew.
const linkInterval = time.Second

// Server serves one link.
type Server struct {
	settings  atomic.Pointer[settings]
	table     *leases.Table
	journal   *journal
	counters  counters
	traffic   traffics
	sockets   *sockets
	pools     *pools
	tracer    *Tracer
	committed chan *batch  // from the committer to the acknowledger
	underway  atomic.Int64 // packets that wait for a commit
	stopping  chan struct{}
	probe     *prober
	rogues    rogues
	clones    warnings[clonePair]
	crowds    warnings[struct{}]
	pulse     atomic.Uint64 // see Pulse; only the receiver writes it
	former    []Message     // to begin with; the receiver's, once it runs
}

// clonePair is two machines with one client identifier.
type clonePair struct {
	id             leases.ClientID
	holder, second leases.HWAddr
}

// Listen opens the sockets of a link and returns its server; Run serves. It must be called in the network namespace of
// the link, with CAP_NET_RAW and CAP_NET_BIND_SERVICE (and CAP_NET_ADMIN for large queues). Another process that serves
// DHCP on the link is a *PortTakenError; one that is bound to another link of the host is none of our business.
func Listen(cfg Config, table *leases.Table, log *slog.Logger) (*Server, error) {
	return ListenWith(cfg, table, nil, log)
}

// ListenWith is Listen for a server that takes over what a former one received by, with the messages in it, and leaves it to the next.
func ListenWith(cfg Config, table *leases.Table, estate *succession.Estate, log *slog.Logger) (*Server, error) {
	settings, err := compile(cfg)
	if err != nil {
		return nil, fmt.Errorf("configuring DHCP on %s: %w", cfg.Interface, err)
	}
	link, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return nil, fmt.Errorf("looking up interface %s: %w", cfg.Interface, err)
	}
	sockets := &sockets{iface: cfg.Interface}
	sockets.inherit(estate, link.Index)
	if sockets.udp == nil { // who inherits was there before any rival
		if err := findRival(cfg.Interface, link.Index, settings.server); err != nil {
			sockets.close()
			return nil, err
		}
	}
	err = sockets.open()
	if err == nil {
		if err = sockets.keep(estate, cfg.Network); err != nil {
			sockets.close()
		}
	}
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = errors.Join(err, portOwner(cfg.Interface))
		}
		return nil, fmt.Errorf("opening the DHCP sockets of %s: %w", cfg.Interface, err)
	}
	s := &Server{
		table:     table,
		journal:   newJournal(log, cfg.Interface, cfg.Network),
		counters:  newCounters(),
		tracer:    new(Tracer),
		sockets:   sockets,
		committed: make(chan *batch, maxUnderway+batchSize),
		stopping:  make(chan struct{}),
		probe:     newProber(sockets.sendProbe),
	}
	s.settings.Store(settings)
	s.pools = newPools(s.committed)
	return s, nil
}

// Run serves the link until ctx ends, then answers what is under way, waiting up to five seconds for the disk, and closes
// the sockets. It is called once. The table's Run must go on until this one has returned.
func (s *Server) Run(ctx context.Context) error {
	defer s.sockets.close()
	receiver, err := s.newReceiver()
	if err != nil {
		return err
	}
	acknowledger, err := s.newAcknowledger()
	if err != nil {
		return err
	}
	replayer, err := s.newReplayer()
	if err != nil {
		return err
	}
	s.journal.log.Info("serving DHCP", "addr", s.settings.Load().cfg.Address)
	received, drained, abandon := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		s.watchLink(ctx)
		s.stop(drained, abandon)
		return nil
	})
	var receivers sync.WaitGroup
	receivers.Go(func() { s.probe.run(s.stopping, replayer.replay, s.probeFailed) })
	g.Go(func() error {
		defer close(received)
		defer receivers.Wait()
		return receiver.run()
	})
	g.Go(func() error { s.sweep(); return nil })
	g.Go(func() error { s.listenARP(); return nil })
	g.Go(func() error {
		defer close(drained)
		acknowledger.run(received, abandon)
		return nil
	})
	return g.Wait()
}

// stop ends the receiver, and the acknowledger when it has nothing more to do or has waited for the disk long enough.
func (s *Server) stop(drained <-chan struct{}, abandon chan<- struct{}) {
	close(s.stopping)
	s.sockets.interrupt()
	select {
	case <-drained:
	case <-time.After(drainTime):
		close(abandon)
	}
}

// Close closes the sockets of a server whose Run was never called.
func (s *Server) Close() error {
	s.sockets.close()
	return nil
}

// Reconfigure swaps the configuration for the next message on; the interface and the network stay the same. An error
// leaves the old configuration in force. It may be called by any goroutine.
func (s *Server) Reconfigure(cfg Config) error {
	now, err := compile(cfg)
	if err != nil {
		return fmt.Errorf("configuring DHCP on %s: %w", cfg.Interface, err)
	}
	old := s.settings.Load().cfg
	if cfg.Interface != old.Interface || cfg.Network != old.Network {
		return fmt.Errorf("configuring DHCP on %s: network %q on %s is another server's affair", old.Interface, cfg.Network, cfg.Interface)
	}
	s.settings.Store(now)
	return nil
}

// send sends replies and counts those that the kernel refuses.
func (s *Server) send(t *transmitter, packets []*packet, now time.Time) {
	if failed, err := t.send(packets); failed > 0 {
		s.counters.add(ReasonSendFailed, failed)
		s.journal.event(ReasonSendFailed, now, "replies could not be sent", slog.Int("lost", failed), slog.String("err", err.Error()))
	}
}

// watchLink follows the link when it is made anew, until ctx ends.
func (s *Server) watchLink(ctx context.Context) {
	ticker := time.NewTicker(linkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// An error is a link that isn't there: netcfg or the operator says so, and it may come back.
		if replaced, err := s.sockets.refresh(); err == nil && replaced {
			s.counters.add(ReasonLinkReplaced, 1)
			s.journal.event(ReasonLinkReplaced, time.Now(), "the interface was made anew: serving the new one")
		}
	}
}

// pause waits, and says whether the server is stopping.
func (s *Server) pause(d time.Duration) (stopping bool) {
	select {
	case <-s.stopping:
		return true
	case <-time.After(d):
		return false
	}
}
