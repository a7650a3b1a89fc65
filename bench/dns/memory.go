package main

import (
	"context"
	"fmt"
	"time"

	"labnet/bench/dns/answerer"
	"labnet/bench/dns/generator"
)

// memoryRun is what a server needs for many cached names.
type memoryRun struct {
	before, after int64         // resident bytes
	held          float64       // the share of the names that it then answered without asking
	filled        time.Duration // how long it took to ask for all
	lost          int           // questions, in the filling, without a right answer
}

// sampled is how many of the names are asked for again, to see whether they are held.
const sampled = 20000

// memories measures the memory of each server with a cache that is made for the names.
func (b *bench) memories(ctx context.Context) error {
	for _, s := range b.tested {
		if s.echo || s.start == nil {
			continue
		}
		progress("memory: %s", s.title)
		if err := b.remember(ctx, s); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, memoryRunName, err)
		}
	}
	return nil
}

func (b *bench) remember(ctx context.Context, s *subject) error {
	server, err := b.start(ctx, s, setup{cpus: b.opts.serverCPUs, workers: 1, names: b.opts.million + b.opts.names})
	if err != nil {
		return err
	}
	defer server.stop()
	var m memoryRun
	if m.before, err = server.memory(); err != nil {
		return err
	}
	clients, err := generator.Open(generator.Config{Server: server.at(), Sources: server.clients(), Window: missWindow})
	if err != nil {
		return err
	}
	defer clients.Close()
	prefix := b.prefix()
	filled, err := clients.Run(ctx, generator.Load{From: generator.Unique(prefix, outsideDomain), Count: b.opts.million})
	if err != nil {
		return err
	}
	m.filled, m.lost = filled.Elapsed, b.opts.million-filled.Answers
	if _, err := server.process.Calm(ctx); err != nil {
		return err
	}
	if m.after, err = server.memory(); err != nil {
		return err
	}
	before, err := answerer.Count(b.work.counter)
	if err != nil {
		return err
	}
	again := min(sampled, b.opts.million)
	if _, err := clients.Run(ctx, generator.Load{From: generator.Among(prefix, outsideDomain, b.opts.million, again), Count: again}); err != nil {
		return err
	}
	after, err := answerer.Count(b.work.counter)
	if err != nil {
		return err
	}
	m.held = 1 - float64(after-before)/float64(again)
	b.memory[s.name] = m
	return nil
}
