package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"labnet/bench/dhcp/generator"
	"labnet/bench/report"
	"labnet/bench/stage"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == responderName {
		err := generator.Respond(os.Args[2], toUint(serverAddr.Addr()), toUint(poolFirst)-1)
		fail(fmt.Errorf("responding: %w", err))
	}
	opts, err := parseFlags(os.Args[1:])
	if err != nil {
		fail(err)
	}
	dir, inside := stage.Inside()
	if !inside {
		os.Exit(stage.Outside("bench-dhcp", opts.dir, opts.generatorCPUs, nil))
	}
	if err := stage.Prepare(); err != nil {
		fail(fmt.Errorf("preparing the namespaces: %w", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opts, dir); err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		fail(err)
	}
}

// run measures, and writes what came of it.
func run(ctx context.Context, opts *options, dir string) error {
	b := &bench{opts: opts, dir: dir, samples: map[key][]sample{}}
	if err := b.measure(ctx); err != nil {
		return err
	}
	text := b.report()
	fmt.Print(text)
	if opts.write != "" {
		if err := report.Replace(opts.write, "bench-dhcp", text); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
	}
	if b.wrong != "" {
		return fmt.Errorf("a server did what it must not do: %s", b.wrong)
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench-dhcp:", err)
	os.Exit(1)
}

func toUint(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
