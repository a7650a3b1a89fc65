package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"labnet/bench/dhcp/generator"
	"labnet/bench/stage"
)

// key names a measurement.
type key struct {
	server   string
	mode     generator.Mode
	workload string // a generator.Workload, or one of the extras
	window   int
}

// sample is what one measurement found.
type sample struct {
	generator.Result
	cpu    time.Duration // of the server, in all
	memory int64         // of the server, afterwards
}

// bench is all measurements.
type bench struct {
	opts     *options
	dir      string
	tested   []*subject
	syncs    []time.Duration // of the disk
	samples  map[key][]sample
	checks   []check // of perfdhcp
	beds     int
	cpus     int               // of the machine
	load     string            // of the machine before anything was measured
	versions map[string]string // of the servers
	wrong    string            // the first thing that a server did and must not
}

// The workloads that aren't generator.Workloads.
const (
	pacedLoad   = "new, 5,000/s"
	renewFew    = "renew, 10 leases"
	renewMany   = "renew, 60,000 leases"
	newFirst    = "new, the first 5,000"
	newLast     = "new, up to 60,000"
	pacedRate   = 5000
	manyLeases  = 60000
	newPart     = 5000
	renewWindow = 8
)

// directRenewals bounds how many clients renew on the link. A server that lets the kernel route its answers has each of
// them in the neighbour table, which holds 1,024 and is not to be enlarged: its size is the whole machine's.
const directRenewals = 900

// slowWindow is the only one at which slow servers are measured, if it is measured at all.
const slowWindow = 32

// warmUp is how many exchanges aren't measured after a start.
const warmUp = 200

// measure makes all measurements: all servers in turn for each, and all of them again for each run.
func (b *bench) measure(ctx context.Context) error {
	if err := onDisk(b.dir); err != nil {
		return err
	}
	for _, name := range b.opts.servers {
		for _, s := range subjects(b.opts) {
			if s.name == name {
				b.tested = append(b.tested, s)
			}
		}
	}
	if err := b.lookAround(); err != nil {
		return err
	}
	for round := range b.opts.runs {
		times, err := measureDisk(b.dir)
		if err != nil {
			return fmt.Errorf("measuring the disk: %w", err)
		}
		b.syncs = append(b.syncs, times...)
		for _, mode := range b.opts.modes {
			for _, window := range b.opts.windows {
				b.progress("run %d of %d: %s, window %d", round+1, b.opts.runs, mode, window)
				if err := b.inTurn(ctx, round, mode, func(p *place) error { return b.workloads(ctx, p, window) }); err != nil {
					return err
				}
			}
		}
		if b.opts.extras {
			b.progress("run %d of %d: at a fixed rate, and with few and many leases", round+1, b.opts.runs)
			if err := b.inTurn(ctx, round, generator.Relay, func(p *place) error { return b.extras(ctx, p) }); err != nil {
				return err
			}
		}
		if b.opts.perfdhcp {
			b.progress("run %d of %d: perfdhcp", round+1, b.opts.runs)
			if err := b.inTurn(ctx, round, generator.Relay, func(p *place) error { return b.perfdhcp(ctx, p) }); err != nil {
				return err
			}
		}
	}
	slices.Sort(b.syncs)
	return nil
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+"bench-dhcp: "+format+"\n", args...)
}

// inTurn calls f with each server, freshly started; the odd runs in reverse, so that none is always behind another.
func (b *bench) inTurn(ctx context.Context, round int, mode generator.Mode, f func(*place) error) error {
	turn := slices.Clone(b.tested)
	if round%2 == 1 {
		slices.Reverse(turn)
	}
	for _, s := range turn {
		if s.relayOnly && mode != generator.Relay {
			continue
		}
		if err := b.with(ctx, s, mode, f); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, mode, err)
		}
	}
	return nil
}

// place is a server that runs, and a crowd of clients of it.
type place struct {
	subject *subject
	mode    generator.Mode
	server  *stage.Process
	crowd   *generator.Crowd
}

// with calls f with a server that has just been started and served its first clients.
func (b *bench) with(ctx context.Context, s *subject, mode generator.Mode, f func(*place) error) (err error) {
	b.beds++
	bed, err := makeBed(b.dir, fmt.Sprintf("bed%d", b.beds), s.ownBridge)
	if err != nil {
		return err
	}
	defer bed.remove()
	server, err := s.start(bed, mode)
	if err != nil {
		return err
	}
	defer server.Stop()
	crowd, err := generator.Open(generator.Config{
		Interface: clientEnd, Mode: mode, Server: serverAddr.Addr(), Relay: relayAddr.Addr(),
	})
	if err != nil {
		return err
	}
	defer crowd.Close()
	p := &place{subject: s, mode: mode, server: server, crowd: crowd}
	if err = b.warmUp(ctx, p); err == nil {
		err = f(p)
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; it says:\n%s", err, server.LastWords())
	}
	return err
}

// warmUp waits for the first answer, and serves some clients more.
func (b *bench) warmUp(ctx context.Context, p *place) error {
	first, err := p.crowd.Run(ctx, generator.Load{
		Workload: generator.New, Window: 1, Count: 1, Retry: 50 * time.Millisecond, Tries: 200,
	})
	if err != nil {
		return err
	}
	if first.Exchanges == 0 || p.server.Ended() {
		return fmt.Errorf("the server doesn't serve: %+v", first)
	}
	_, err = p.crowd.Run(ctx, generator.Load{Workload: generator.New, Window: 8, Count: warmUp - 1, Limit: time.Second})
	return err
}

// workloads measures each workload with one window.
func (b *bench) workloads(ctx context.Context, p *place, window int) error {
	if p.subject.slow && window != slowWindow {
		return nil
	}
	for _, w := range []generator.Workload{generator.New, generator.Renew, generator.Reboot} {
		load := generator.Load{Workload: w, Window: window, Count: b.opts.count, Limit: b.opts.limit}
		if w != generator.New {
			load.Count = 0
		}
		if w == generator.Renew && p.mode != generator.Relay {
			load.Among = directRenewals
		}
		if err := b.one(ctx, p, string(w), load); err != nil {
			return err
		}
	}
	return nil
}

// extras measures new leases at a fixed rate, and how much slower many leases make the server.
func (b *bench) extras(ctx context.Context, p *place) error {
	if p.subject.slow {
		return nil
	}
	renew := generator.Load{Workload: generator.Renew, Window: renewWindow, Limit: b.opts.limit, Among: 10}
	if err := b.one(ctx, p, renewFew, renew); err != nil {
		return err
	}
	if err := b.one(ctx, p, newFirst, generator.Load{Workload: generator.New, Window: 32, Count: newPart}); err != nil {
		return err
	}
	paced := generator.Load{Workload: generator.New, Window: 4096, Rate: pacedRate, Limit: 2 * time.Second}
	if err := b.one(ctx, p, pacedLoad, paced); err != nil {
		return err
	}
	fill := generator.Load{Workload: generator.New, Window: 128, Count: manyLeases - newPart - p.crowd.Bound()}
	if _, err := p.crowd.Run(ctx, fill); err != nil {
		return err
	}
	if _, err := p.server.Calm(ctx); err != nil {
		return err
	}
	if err := b.one(ctx, p, newLast, generator.Load{Workload: generator.New, Window: 32, Count: newPart}); err != nil {
		return err
	}
	renew.Among = 0
	return b.one(ctx, p, renewMany, renew)
}

// one makes one measurement.
func (b *bench) one(ctx context.Context, p *place, workload string, load generator.Load) error {
	before, err := p.server.CPU()
	if err != nil {
		return err
	}
	result, err := p.crowd.Run(ctx, load)
	if err != nil {
		return fmt.Errorf("%s: %w", workload, err)
	}
	// What a server puts off is its work all the same: leases that go into a database behind the ACKs, an index that is written later.
	after, err := p.server.Calm(ctx)
	if err != nil {
		return err
	}
	memory, err := p.server.Memory()
	if err != nil {
		return err
	}
	if result.Exchanges == 0 {
		return fmt.Errorf("%s: no exchange was completed: %+v", workload, result)
	}
	if result.Wrong > 0 && b.wrong == "" {
		b.wrong = fmt.Sprintf("%s, %s, %s: %s", p.subject.name, p.mode, workload, result.Example)
	}
	k := key{p.subject.name, p.mode, workload, load.Window}
	b.samples[k] = append(b.samples[k], sample{Result: result, cpu: after - before, memory: memory})
	return nil
}
