package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"labnet/bench/dns/generator"
)

// key names a measurement.
type key struct{ run, server string }

// sample is what one measurement found.
type sample struct {
	*generator.Result
	cpu    time.Duration // of the server
	memory int64         // of the server, afterwards
}

// pair is two samples that are compared, one right after the other: most often labnet's and another server's.
type pair struct{ first, other sample }

// bench is all measurements.
type bench struct {
	opts     *options
	work     workspace
	tested   []*subject
	draws    generator.Draws
	outside  *generator.Set
	echoes   *generator.Set
	samples  map[key][]sample
	pairs    map[key][]pair // by the other one
	dnsperf  map[string][]dnsperfRun
	memory   map[string]memoryRun
	recorded map[key]bool // by perf
	beds     int
	asked    int               // prefixes of unique names
	cpus     int               // of the machine
	load     string            // of the machine before anything was measured
	versions map[string]string // of the servers
	wrong    string            // the first thing that a server did and must not
}

func newBench(o *options, dir string) (*bench, error) {
	b := &bench{
		opts: o, samples: map[key][]sample{}, pairs: map[key][]pair{}, dnsperf: map[string][]dnsperfRun{}, memory: map[string]memoryRun{}, recorded: map[key]bool{},
		work: workspace{dir: dir, counter: filepath.Join(dir, "asked"), coredns: filepath.Join(dir, corednsName)},
	}
	for _, s := range subjects(o) {
		if slices.Contains(o.subjects, s.name) && (s.name != corednsName || b.corednsMissing() == "") {
			b.tested = append(b.tested, s)
		}
	}
	b.draws = generator.Zipf(o.names)
	b.outside = generator.NewSet(o.names, outsideName, generator.Upstream)
	b.echoes = generator.NewSet(o.names, outsideName, generator.Echo)
	if err := b.lookAround(); err != nil {
		return nil, err
	}
	return b, b.buildEcho()
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+"bench-dns: "+format+"\n", args...)
}

// measure makes all measurements, and all of them again for each run.
func (b *bench) measure(ctx context.Context) error {
	upstream, err := startUpstream(b.opts, b.work)
	if err != nil {
		return err
	}
	defer upstream.Stop()
	for round := range b.opts.runs {
		if err := b.round(ctx, round); err != nil {
			return err
		}
		if b.opts.wants(workersRun) {
			progress("run %d of %d: %s", round+1, b.opts.runs, workersRun)
			if err := b.workers(ctx, round); err != nil {
				return err
			}
		}
	}
	if b.opts.wants(memoryRunName) {
		return b.memories(ctx)
	}
	return nil
}

// round starts all servers, and makes each measurement with each of them.
func (b *bench) round(ctx context.Context, round int) error {
	kinds := b.opts.wanted()
	if len(kinds) == 0 && !b.opts.wants(dnsperfName) {
		return nil
	}
	progress("run %d of %d: starting the servers", round+1, b.opts.runs)
	var started []*server
	defer func() {
		for _, s := range started {
			s.stop()
		}
	}()
	for _, s := range b.tested {
		server, err := b.start(ctx, s, setup{cpus: b.opts.serverCPUs, workers: 1, hosts: b.hosts()})
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		started = append(started, server)
	}
	for _, r := range kinds {
		progress("run %d of %d: %s", round+1, b.opts.runs, r.title)
		if err := b.inTurn(ctx, round, r, started); err != nil {
			return err
		}
		if r.name == localRun {
			if err := b.localBesideHits(ctx, round, started); err != nil {
				return err
			}
		}
	}
	if b.opts.wants(dnsperfName) {
		progress("run %d of %d: dnsperf", round+1, b.opts.runs)
		return b.runDnsperf(ctx, started)
	}
	return nil
}

// hosts is how many names of its own each server has: none, if nobody asks for them.
func (b *bench) hosts() int {
	if b.opts.wants(localRun) {
		return b.opts.names
	}
	return 0
}

// inTurn makes one measurement with all servers: labnet and another one by turns, now this first and now that.
func (b *bench) inTurn(ctx context.Context, round int, r kind, started []*server) error {
	var labnet *server
	var others []*server
	for _, s := range started {
		switch {
		case s.subject.name == labnetName:
			labnet = s
		case r.can(s.subject):
			others = append(others, s)
		}
	}
	return b.beside(ctx, round, r, labnet, others)
}

// localBesideHits measures labnet's own names and cached ones by turns.
func (b *bench) localBesideHits(ctx context.Context, round int, started []*server) error {
	hits, local := kinds[0], kinds[1]
	for _, s := range started {
		if s.subject.name != labnetName {
			continue
		}
		for turn := range 2 * b.opts.pairs {
			order := []kind{local, hits}
			if (round+turn)%2 == 1 {
				slices.Reverse(order)
			}
			found := map[string]sample{}
			for _, r := range order {
				one, err := b.one(ctx, r, s)
				if err != nil {
					return err
				}
				found[r.name] = one
			}
			k := key{localRun, hitsRun}
			b.pairs[k] = append(b.pairs[k], pair{found[localRun], found[hitsRun]})
		}
	}
	return nil
}

// often is how many times as many pairs there are with a measurement's rival as with the others.
const often = 3

// beside measures each of the others by turns with the first, which may be nil.
func (b *bench) beside(ctx context.Context, round int, r kind, first *server, others []*server) error {
	for turn := range often * b.opts.pairs {
		if first != nil && len(others) == 0 && turn < b.opts.pairs {
			if _, err := b.one(ctx, r, first); err != nil {
				return err
			}
		}
		for _, other := range others {
			if turn >= b.opts.pairs && other.subject.name != r.rival {
				continue
			}
			order := []*server{first, other}
			if (round+turn)%2 == 1 {
				order = []*server{other, first}
			}
			found := map[*server]sample{}
			for _, s := range order {
				if s == nil {
					continue
				}
				one, err := b.one(ctx, r, s)
				if err != nil {
					return err
				}
				found[s] = one
			}
			if first != nil {
				k := key{r.name, other.subject.name}
				b.pairs[k] = append(b.pairs[k], pair{found[first], found[other]})
			}
		}
	}
	return nil
}

// one makes one measurement.
func (b *bench) one(ctx context.Context, r kind, s *server) (sample, error) {
	found, err := b.try(ctx, r, s)
	if err != nil {
		return found, fmt.Errorf("%s, %s: %w; it says:\n%s", s.subject.name, r.name, err, s.lastWords())
	}
	k := key{r.name, s.subject.name}
	b.samples[k] = append(b.samples[k], found)
	return found, nil
}

// try lets the clients of a measurement ask a server.
func (b *bench) try(ctx context.Context, r kind, s *server) (found sample, err error) {
	clients, err := generator.Open(r.clients(b, s))
	if err != nil {
		return found, err
	}
	defer clients.Close()
	if err := b.warmStreams(ctx, r, s, clients); err != nil {
		return found, err
	}
	recording, err := b.record(r.name, s)
	if err != nil {
		return found, err
	}
	defer recording.stop()
	before, err := s.cpu()
	if err != nil {
		return found, err
	}
	found.Result, err = clients.Run(ctx, generator.Load{From: r.source(b, s), Limit: b.opts.limit})
	if err != nil {
		return found, err
	}
	after, err := s.cpu()
	if err != nil {
		return found, err
	}
	found.cpu = after - before
	if found.memory, err = s.memory(); err != nil {
		return found, err
	}
	if found.Answers == 0 {
		return found, fmt.Errorf("no right answer: %s", found.Example)
	}
	if found.Wrong > 0 && b.wrong == "" {
		b.wrong = fmt.Sprintf("%s, %s: %s", s.subject.name, r.name, found.Example)
	}
	return found, nil
}
