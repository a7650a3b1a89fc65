package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"labnet/bench/stage"
)

// options is what the command line says.
type options struct {
	labnet string // the binary, an absolute path
	dir    string
	write  string // a file whose part between the markers is replaced, or ""
	pairs  int
	each   time.Duration // of a measurement
	rounds int           // of packets
	cpus   []int
}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench-nat", flag.ExitOnError)
	online, err := stage.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	flags.StringVar(&o.labnet, "labnet", "bin/labnet", "labnet's `binary`")
	flags.StringVar(&o.dir, "dir", "/var/tmp", "`directory` for labnet's files")
	flags.StringVar(&o.write, "write", "", "also put the results into this `file`, between its markers")
	flags.IntVar(&o.pairs, "pairs", 20, "how many `times` both are measured, one after the other; the medians count")
	flags.DurationVar(&o.each, "each", 3*time.Second, "`duration` of a router's measurement in a pair")
	flags.IntVar(&o.rounds, "rounds", 60, "how many `times` packets of each kind are sent through both")
	cpus := flags.String("cpus", stage.List(online), "the `CPUs` that everything runs on, as 0,2-3")
	quick := flags.Bool("quick", false, "only try whether everything works")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("what is %q?", flags.Arg(0))
	}
	if *quick {
		o.pairs, o.each, o.rounds = 1, time.Second, 2
	}
	if o.cpus, err = stage.Numbers(*cpus); err != nil {
		return nil, fmt.Errorf("-cpus: %w", err)
	}
	if o.rounds < 1 {
		return nil, errors.New("-rounds must be positive")
	}
	if o.pairs < 1 || o.each < time.Second {
		return nil, errors.New("-pairs must be positive, and -each at least a second, which is iperf3's unit")
	}
	if o.labnet, err = filepath.Abs(o.labnet); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.labnet); err != nil {
		return nil, fmt.Errorf("no labnet to measure, `make build` makes one: %w", err)
	}
	return o, nil
}
