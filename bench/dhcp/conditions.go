package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"labnet/bench/dhcp/generator"
)

// reportConditions writes what the results hold for.
func (b *bench) reportConditions(out *strings.Builder) {
	fmt.Fprintf(out, "- Machine: %s, %d CPUs; Linux %s. Load when it began (1 min): %s.\n", cpuModel(), b.cpus, kernel(), b.load)
	fmt.Fprintf(out, "- Servers on CPU %s, clients on CPU %s; a new server for each way and window, its link a bridge with one veth pair.\n",
		list(b.opts.serverCPUs), list(b.opts.generatorCPUs))
	fmt.Fprintf(out, "- Disk of the lease databases: %s; fdatasync after 4 KiB: p50 %s ms, p99 %s ms (%d measured).\n",
		fileSystem(b.dir), milliseconds(generator.Quantile(b.syncs, 0.5)), milliseconds(generator.Quantile(b.syncs, 0.99)), len(b.syncs))
	for _, s := range b.tested {
		if len(s.version) > 0 {
			fmt.Fprintf(out, "- %s: %s.\n", s.title, b.versions[s.name])
		}
	}
	fmt.Fprint(out, "- labnet has its defaults: logging, firewall, and a sync before each ACK. Kea (memfile, persist) and dnsmasq never sync; both have what slows "+
		"them down switched off: logging of leases, Kea's host reservations, dnsmasq's ping before an offer.\n")
	fmt.Fprintf(out, "- %d runs, the servers in turn in each; medians of the runs; repeated, lost and NAK are sums. A measurement is %v, or %s new leases; "+
		"its CPU time includes what the server puts off until afterwards.\n", b.opts.runs, b.opts.limit, thousands(float64(b.opts.count)))
}

// lookAround finds out what the results will hold for; a server that isn't there is an error.
func (b *bench) lookAround() error {
	cpus, err := onlineCPUs()
	if err != nil {
		return err
	}
	b.cpus, b.load = len(cpus), loadAverage()
	b.versions = map[string]string{}
	for _, s := range b.tested {
		if len(s.version) == 0 {
			continue
		}
		version, err := s.versionOf()
		if err != nil {
			return err
		}
		b.versions[s.name] = version
	}
	return nil
}

// loadAverage is the machine's load of the last minute, which other programs make as well.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, " \t:\n")
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// fileSystem is what a directory lies on.
func fileSystem(dir string) string {
	out, err := exec.Command("df", "--output=fstype", dir).Output()
	if err != nil {
		return "unknown"
	}
	_, kind, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return kind
}

// The markers that results stand between in a document.
const (
	beginMarker = "<!-- results: written by `make bench-dhcp` -->\n"
	endMarker   = "<!-- end of results -->\n"
)

// replaceBetweenMarkers puts text into a file in place of what stands between the markers.
func replaceBetweenMarkers(name, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), beginMarker)
	_, after, ok2 := strings.Cut(rest, endMarker)
	if !ok || !ok2 {
		return errors.New("it has no markers: " + strings.TrimSpace(beginMarker) + " and " + strings.TrimSpace(endMarker))
	}
	return os.WriteFile(name, []byte(before+beginMarker+"\n"+text+"\n"+endMarker+after), 0o644)
}
