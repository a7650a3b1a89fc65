package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"labnet/bench/dns/batch"
	"labnet/bench/stage"
)

// options is what the command line says.
type options struct {
	labnet        string // the binary, an absolute path
	dir           string // where the servers' files are
	write         string // a file whose part between the markers is replaced, or ""
	perf          string // the beginning of the names of perf's files, or ""
	subjects      []string
	only          []string // the measurements
	runs          int
	pairs         int
	limit         time.Duration // of one measurement
	window        int           // questions in flight of each client
	echoBatch     int
	names         int // that are asked for again and again, and as many of the server's own
	million       int // names of the measurement of memory
	serverCPUs    []int
	generatorCPUs []int
}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench-dns", flag.ExitOnError)
	online, err := stage.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	servers, clients := stage.Halves(online)
	flags.StringVar(&o.labnet, "labnet", "bin/labnet", "labnet's `binary`")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for the servers' files")
	flags.StringVar(&o.write, "write", "", "also put the results into this `file`, between its markers")
	flags.StringVar(&o.perf, "perf", "", "let perf record each server in its first measurement of a kind, into `FILE`.MEASUREMENT.SERVER; such a measurement counts, but it is slower")
	subjects := flags.String("subjects", strings.Join(subjectNames(o), ","), "the `servers`, separated by commas")
	only := flags.String("only", strings.Join(runNames(), ","), "the `measurements`, separated by commas")
	flags.IntVar(&o.runs, "runs", 3, "how many `times` everything is measured, with servers that are started anew")
	flags.IntVar(&o.pairs, "pairs", 2, "how many `times` labnet and another server are measured by turns in a run")
	flags.DurationVar(&o.limit, "limit", 2*time.Second, "`duration` of one measurement")
	flags.IntVar(&o.window, "window", 8, "`questions` in flight of each of the 16 clients")
	flags.IntVar(&o.echoBatch, "batch", batch.Size, "datagrams that the echo receives at a `time`, as many as labnet does")
	flags.IntVar(&o.names, "names", 10_000, "`names` that are asked for again and again, and as many of the servers' own")
	flags.IntVar(&o.million, "memory-names", 1_000_000, "`names` that are cached to measure the memory")
	serverCPUs := flags.String("server-cpus", stage.List(servers[:1]), "the `CPU` of the servers")
	generatorCPUs := flags.String("generator-cpus", stage.List(clients[len(clients)-1:]), "the `CPU` of clients and upstream")
	quick := flags.Bool("quick", false, "only a rough measurement: what isn't said otherwise is brief, CoreDNS, dnsperf and memory are left out")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("what is %q?", flags.Arg(0))
	}
	if *quick {
		said := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { said[f.Name] = true })
		for name, value := range map[string]string{
			"runs": "1", "pairs": "1", "limit": "300ms", "memory-names": "20000",
			"subjects": "labnet,echo,dnsmasq,unbound,kresd,dnsdist,bind,upstream", "only": "hits,local,tcp,mixed,misses,workers",
		} {
			if said[name] {
				continue
			}
			if err := flags.Set(name, value); err != nil {
				return nil, err
			}
		}
	}
	o.subjects, o.only = strings.Split(*subjects, ","), strings.Split(*only, ",")
	if o.serverCPUs, err = stage.Numbers(*serverCPUs); err != nil {
		return nil, fmt.Errorf("-server-cpus: %w", err)
	}
	if o.generatorCPUs, err = stage.Numbers(*generatorCPUs); err != nil {
		return nil, fmt.Errorf("-generator-cpus: %w", err)
	}
	return o, o.check()
}

// check finds what can't be measured, and makes paths absolute.
func (o *options) check() (err error) {
	for _, name := range o.subjects {
		if !slices.Contains(subjectNames(o), name) {
			return fmt.Errorf("-subjects: %q is unknown; there are %s", name, strings.Join(subjectNames(o), ", "))
		}
	}
	for _, name := range o.only {
		if !slices.Contains(runNames(), name) {
			return fmt.Errorf("-only: %q is unknown; there are %s", name, strings.Join(runNames(), ", "))
		}
	}
	if o.runs < 1 || o.pairs < 1 || o.limit <= 0 || o.window < 1 || o.window > 256 || o.echoBatch < 1 || o.million < 1 || o.names < 1 || o.names > maxNames {
		return errors.New("-runs, -pairs, -limit, -window, -batch, -names and -memory-names must be positive, -window at most 256, -names at most 50000")
	}
	if o.labnet, err = filepath.Abs(o.labnet); err != nil {
		return err
	}
	if _, err := os.Stat(o.labnet); err != nil && slices.Contains(o.subjects, labnetName) {
		return fmt.Errorf("no labnet to measure, `make build` makes one: %w", err)
	}
	return nil
}

func subjectNames(o *options) []string {
	var all []string
	for _, s := range subjects(o) {
		all = append(all, s.name)
	}
	return all
}

// wants says whether a measurement is to be made.
func (o *options) wants(run string) bool { return slices.Contains(o.only, run) }
