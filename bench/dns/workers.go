package main

import (
	"context"
	"slices"

	"labnet/bench/stage"
)

// twoWorkers is labnet with two workers, in the results.
const twoWorkers = "labnet-2"

// workers measures labnet with one worker and with two, by turns. Where servers have but one CPU, the second worker shares that of the clients.
func (b *bench) workers(ctx context.Context, round int) error {
	at := slices.IndexFunc(b.tested, func(s *subject) bool { return s.name == labnetName })
	if at < 0 {
		return nil
	}
	one, err := b.start(ctx, b.tested[at], setup{cpus: b.opts.serverCPUs[:1], workers: 1})
	if err != nil {
		return err
	}
	defer one.stop()
	double := *b.tested[at]
	double.name = twoWorkers
	two, err := b.start(ctx, &double, setup{cpus: b.workerCPUs(), workers: 2})
	if err != nil {
		return err
	}
	defer two.stop()
	hits := kinds[0]
	hits.name, hits.can = workersRun, func(*subject) bool { return true }
	return b.inTurn(ctx, round, hits, []*server{one, two})
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
