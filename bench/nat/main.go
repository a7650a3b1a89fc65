package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"labnet/bench/report"
	"labnet/bench/stage"
)

func main() {
	if run, ok := helpers[firstArgument()]; ok {
		fail(run(os.Args[2:]))
		return
	}
	opts, err := parseFlags(os.Args[1:])
	fail(err)
	dir, inside := stage.Inside()
	if !inside {
		os.Exit(stage.Outside("bench-nat", opts.dir, opts.cpus, nil))
	}
	if err := stage.Prepare(); err != nil {
		fail(fmt.Errorf("preparing the namespaces: %w", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fail(run(ctx, opts, dir))
}

// helpers are the programs that this one starts of itself.
var helpers = map[string]func(args []string) error{
	acceptorName:  accept,
	connectorName: openConnections,
}

func firstArgument() string {
	if len(os.Args) < 2 {
		return ""
	}
	return os.Args[1]
}

// run measures, and writes what came of it.
func run(ctx context.Context, opts *options, dir string) error {
	b := &bench{opts: opts, dir: dir}
	if err := b.measure(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		return err
	}
	text := b.report()
	fmt.Print(text)
	if opts.write != "" {
		if err := report.Replace(opts.write, "bench-nat", text); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
	}
	return nil
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-nat:", err)
		os.Exit(1)
	}
}
