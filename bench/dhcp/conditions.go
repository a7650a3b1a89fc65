package main

import (
	"fmt"
	"strings"

	"labnet/bench/dhcp/generator"
	"labnet/bench/report"
	"labnet/bench/stage"
)

// reportConditions writes what the results hold for.
func (b *bench) reportConditions(out *strings.Builder) {
	fmt.Fprintf(out, "- Machine: %s, %d CPUs; Linux %s. Load when it began (1 min): %s.\n", report.CPUModel(), b.cpus, report.Kernel(), b.load)
	fmt.Fprintf(out, "- Servers on CPU %s, clients on CPU %s; a new server for each way and window, its link a bridge with one veth pair.\n",
		stage.List(b.opts.serverCPUs), stage.List(b.opts.generatorCPUs))
	fmt.Fprintf(out, "- Disk of the lease databases: %s; fdatasync after 4 KiB: p50 %s ms, p99 %s ms (%d measured).\n",
		report.FileSystem(b.dir), report.Milliseconds(generator.Quantile(b.syncs, 0.5)), report.Milliseconds(generator.Quantile(b.syncs, 0.99)), len(b.syncs))
	for _, s := range b.tested {
		if len(s.version) > 0 {
			fmt.Fprintf(out, "- %s: %s.\n", s.title, b.versions[s.name])
		}
	}
	fmt.Fprint(out, "- labnet has its defaults: logging, firewall, and a sync before each ACK. Kea (memfile, persist) and dnsmasq never sync; both have what slows "+
		"them down switched off: logging of leases, Kea's host reservations, dnsmasq's ping before an offer.\n")
	fmt.Fprintf(out, "- %d runs, the servers in turn in each; medians of the runs; repeated, lost and NAK are sums. A measurement is %v, or %s new leases; "+
		"its CPU time includes what the server puts off until afterwards.\n", b.opts.runs, b.opts.limit, report.Thousands(float64(b.opts.count)))
}

// lookAround finds out what the results will hold for; a server that isn't there is an error.
func (b *bench) lookAround() error {
	cpus, err := stage.OnlineCPUs()
	if err != nil {
		return err
	}
	b.cpus, b.load = len(cpus), report.Load()
	b.versions = map[string]string{}
	for _, s := range b.tested {
		if len(s.version) == 0 {
			continue
		}
		version, err := report.Version(s.version...)
		if err != nil {
			return err
		}
		b.versions[s.name] = version
	}
	return nil
}
