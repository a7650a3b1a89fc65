package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"labnet/bench/dns/generator"
	"labnet/bench/stage"
)

// server is one that runs.
type server struct {
	subject *subject
	bed     *bed
	process *stage.Process // nil: the upstream itself
	local   *generator.Set
	streams bool // it has been asked over TCP
}

// start starts a server, and lets it learn all names.
func (b *bench) start(ctx context.Context, s *subject, with setup) (_ *server, err error) {
	b.beds++
	bed, err := makeBed(b.work, b.beds, with.hosts, s.ownBridge)
	if err != nil {
		return nil, err
	}
	n := &server{subject: s, bed: bed, local: generator.NewSet(max(with.hosts, 1), localName, func(i int, _ []byte) netip.Addr { return bed.host(i) })}
	defer func() {
		if err != nil {
			if n.process != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w; it says:\n%s", err, n.process.LastWords())
			}
			n.stop()
		}
	}()
	if s.start != nil {
		if n.process, err = s.start(bed, with); err != nil {
			return nil, err
		}
	}
	return n, b.warmUp(ctx, n)
}

// at is where the server answers.
func (s *server) at() netip.AddrPort {
	if s.process == nil {
		return netip.AddrPortFrom(s.bed.upstream(), 53)
	}
	return s.bed.at()
}

// clients are the addresses of those who ask.
func (s *server) clients() []netip.Addr {
	if s.process == nil {
		// A reply of the upstream has the address that it is sent to, where that is the host's own.
		return slices.Repeat([]netip.Addr{s.bed.upstream()}, clients)
	}
	return s.bed.clients()
}

// outsideOf is the names that it is asked for again and again.
func (b *bench) outsideOf(s *server) *generator.Set {
	if s.subject.echo {
		return b.echoes
	}
	return b.outside
}

// startLimit is how long a server may take until it answers, and then until it has answered for every name.
const startLimit = 20 * time.Second

// warmUp waits for the first answer, and asks for every name once.
func (b *bench) warmUp(ctx context.Context, s *server) error {
	clients, err := generator.Open(generator.Config{Server: s.at(), Sources: s.clients(), Window: 2})
	if err != nil {
		return err
	}
	defer clients.Close()
	result := &generator.Result{}
	for deadline := time.Now().Add(startLimit); result.Answers == 0; {
		if time.Now().After(deadline) || s.process != nil && s.process.Ended() {
			return fmt.Errorf("the server doesn't serve: %s", result.Example)
		}
		load := generator.Load{From: generator.Each(b.outsideOf(s)), Count: 1, Timeout: 50 * time.Millisecond}
		if result, err = clients.Run(ctx, load); err != nil {
			return err
		}
	}
	for range 3 {
		if result, err = clients.Run(ctx, generator.Load{From: generator.Each(b.outsideOf(s)), Count: b.opts.names, Limit: startLimit}); err != nil {
			return err
		}
		if result.Answers == b.opts.names {
			return nil
		}
	}
	return fmt.Errorf("of %d names only %d have an answer: %s", b.opts.names, result.Answers, result.Example)
}

// warmStreams asks for every name once over TCP, since some servers' caches keep that apart.
func (b *bench) warmStreams(ctx context.Context, k kind, s *server, clients *generator.Clients) error {
	if k.name != tcpRun || s.streams {
		return nil
	}
	s.streams = true
	_, err := clients.Run(ctx, generator.Load{From: generator.Each(b.outsideOf(s)), Count: b.opts.names, Limit: startLimit})
	return err
}

func (s *server) stop() {
	if s.process != nil {
		s.process.Stop()
	}
	s.bed.remove()
}

func (s *server) cpu() (time.Duration, error) {
	if s.process == nil {
		return 0, nil
	}
	return s.process.CPU()
}

// memory is what the server needs, the files in memory included that only it has.
func (s *server) memory() (int64, error) {
	if s.process == nil {
		return 0, nil
	}
	sum, err := s.process.Memory()
	if err != nil {
		return 0, err
	}
	files, err := os.ReadDir(s.bed.inMemory())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, file := range files {
		var stat unix.Stat_t
		if err := unix.Stat(filepath.Join(s.bed.inMemory(), file.Name()), &stat); err != nil {
			return 0, err
		}
		sum += stat.Blocks * 512 // what it takes, not how long it is
	}
	return sum, nil
}

func (s *server) lastWords() string {
	if s.process == nil {
		return ""
	}
	return s.process.LastWords()
}
