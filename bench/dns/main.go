package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"labnet/bench/dns/answerer"
	"labnet/bench/report"
	"labnet/bench/stage"
)

func main() {
	if len(os.Args) == 4 && (os.Args[1] == "upstream" || os.Args[1] == "echo") {
		fail(answer(os.Args[1], os.Args[2], os.Args[3]))
	}
	opts, err := parseFlags(os.Args[1:])
	if err != nil {
		fail(err)
	}
	dir, inside := stage.Inside()
	if !inside {
		os.Exit(stage.Outside("bench-dns", opts.dir, opts.generatorCPUs, opts.ready))
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

// answer makes this program the upstream, or the echo; it returns if it fails.
func answer(what, at, argument string) error {
	addr, err := netip.ParseAddrPort(at)
	if err != nil {
		return err
	}
	if what == "upstream" {
		return answerer.Upstream(addr, argument)
	}
	most, err := strconv.Atoi(argument)
	if err != nil {
		return err
	}
	return answerer.Echo(addr, most)
}

// ready builds what needs a network, before there is none: where it fails, a file says why.
func (o *options) ready(dir string) {
	if !slices.Contains(o.subjects, corednsName) {
		return
	}
	progress("building CoreDNS")
	if err := buildCoreDNS(dir); err != nil {
		_ = os.WriteFile(filepath.Join(dir, corednsMissing), []byte(err.Error()), 0o644)
	}
}

// run measures, and writes what came of it.
func run(ctx context.Context, opts *options, dir string) error {
	runtime.LockOSThread() // the clients' thread
	b, err := newBench(opts, dir)
	if err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	text := b.report()
	fmt.Print(text)
	if opts.write != "" {
		if err := report.Replace(opts.write, "bench-dns", text); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
	}
	if b.wrong != "" {
		return fmt.Errorf("a server did what it must not do: %s", b.wrong)
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench-dns:", err)
	os.Exit(1)
}
