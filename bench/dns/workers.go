package main

import (
	"context"
	"slices"

	"labnet/bench/stage"
)

// doubled is a server with two workers, in the results.
func doubled(name string) string { return name + "-2" }

// workers measures labnet with one worker and with two, by turns, and the echo too: it tells what of the difference is the machine's. Where servers
// have but one CPU, the second worker shares that of the clients.
func (b *bench) workers(ctx context.Context, round int) error {
	for _, s := range b.tested {
		if s.name == labnetName || s.name == echoName {
			if err := b.double(ctx, round, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) double(ctx context.Context, round int, s *subject) error {
	one, err := b.start(ctx, s, setup{cpus: b.opts.serverCPUs[:1], workers: 1})
	if err != nil {
		return err
	}
	defer one.stop()
	double := *s
	double.name = doubled(s.name)
	two, err := b.start(ctx, &double, setup{cpus: b.workerCPUs(), workers: 2})
	if err != nil {
		return err
	}
	defer two.stop()
	hits := kinds[0]
	hits.name = workersRun
	return b.beside(ctx, round, hits, one, []*server{two})
}

// workerCPUs are those of two workers: two that the clients don't have, if there are.
func (b *bench) workerCPUs() []int {
	free := slices.Clone(b.opts.serverCPUs)
	if online, err := stage.OnlineCPUs(); err == nil {
		for _, cpu := range online {
			if !slices.Contains(free, cpu) && !slices.Contains(b.opts.generatorCPUs, cpu) {
				free = append(free, cpu)
			}
		}
	}
	if free = append(free, b.opts.generatorCPUs...); len(free) < 2 {
		return free
	}
	return free[:2]
}
