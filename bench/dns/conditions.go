package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"labnet/bench/report"
	"labnet/bench/stage"
)

const (
	corednsName = "coredns"
	// corednsMissing is a file that says why CoreDNS couldn't be built.
	corednsMissing = "coredns-missing"
)

// corednsMissing says why there is no CoreDNS, or nothing if there is.
func (b *bench) corednsMissing() string {
	text, _ := os.ReadFile(filepath.Join(b.work.dir, corednsMissing))
	return string(text)
}

// lookAround finds out what the results will hold for; a server that isn't there is an error.
func (b *bench) lookAround() error {
	cpus, err := stage.OnlineCPUs()
	if err != nil {
		return err
	}
	b.cpus, b.load = len(cpus), report.Load()
	b.versions = map[string]string{corednsName: corednsVersion}
	for _, s := range b.tested {
		if len(s.version) == 0 {
			continue
		}
		if b.versions[s.name], err = report.Version(s.version...); err != nil {
			return fmt.Errorf("%w; `make bench-dns` installs what it measures, and -subjects leaves out what isn't there", err)
		}
	}
	return nil
}

// reportConditions writes what the results hold for.
func (b *bench) reportConditions(out *strings.Builder) {
	fmt.Fprintf(out, "- Machine: %s, %d CPUs; Linux %s. Load when it began (1 min): %s.\n", report.CPUModel(), b.cpus, report.Kernel(), b.load)
	fmt.Fprintf(out, "- Servers on CPU %s, clients and upstream on CPU %s; for two workers CPUs %s.\n",
		stage.List(b.opts.serverCPUs), stage.List(b.opts.generatorCPUs), stage.List(b.workerCPUs()))
	for _, s := range b.tested {
		if version := b.versions[s.name]; version != "" {
			fmt.Fprintf(out, "- %s: %s.\n", s.title, strings.TrimSuffix(version, "."))
		}
	}
	if why := b.corednsMissing(); why != "" {
		fmt.Fprintf(out, "- CoreDNS %s could not be built, and was not measured: %s\n", corednsVersion, strings.Join(strings.Fields(why), " "))
	}
	fmt.Fprintf(out, "- %d clients with an address and a socket each, %d questions in flight on each (%d in all); where names are new, 1, or %d in all. The echo receives %d at a time.\n",
		clients, b.opts.window, clients*b.opts.window, clients*missWindow, b.opts.echoBatch)
	fmt.Fprintf(out, "- %s names that are asked for again and again, drawn by Zipf's law, and %s of the servers' own; each question has an OPT record, each answer one A record.\n",
		report.Thousands(float64(b.opts.names)), report.Thousands(float64(b.hosts())))
	fmt.Fprintf(out, "- %d runs with servers that were started anew, in each labnet and another server %d times by turns, %v each; medians.\n",
		b.opts.runs, b.opts.pairs, b.opts.limit)
}
