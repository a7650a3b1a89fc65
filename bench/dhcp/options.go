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

	"labnet/bench/dhcp/generator"
	"labnet/bench/stage"
)

// options is what the command line says.
type options struct {
	labnet        string // the binary, an absolute path
	dir           string // where the lease databases are, on a disk
	write         string // a file whose part between the markers is replaced, or ""
	servers       []string
	modes         []generator.Mode
	windows       []int
	runs          int
	count         int           // exchanges of a measurement, at most
	limit         time.Duration // … and how long it lasts, at most
	serverCPUs    []int
	generatorCPUs []int
	perfdhcp      bool
	extras        bool // the measurements at a fixed rate, and with few and many leases
}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench-dhcp", flag.ExitOnError)
	online, err := stage.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	serverHalf, clientHalf := stage.Halves(online)
	flags.StringVar(&o.labnet, "labnet", "bin/labnet", "labnet's `binary`")
	flags.StringVar(&o.dir, "dir", "/var/tmp", "`directory` on a real disk, for the lease databases")
	flags.StringVar(&o.write, "write", "", "also put the results into this `file`, between its markers")
	servers := flags.String("servers", "responder,labnet,kea,kea-mt,dnsmasq", "the `servers`, separated by commas")
	modes := flags.String("ways", "relay,broadcast,unicast", "the `ways` to the server: as a relay, on the link with broadcast answers, on the link with unicast ones")
	windows := flags.String("windows", "8,32,128", "how many `clients` are in flight")
	flags.IntVar(&o.runs, "runs", 3, "how many `times` everything is measured; the medians count")
	flags.IntVar(&o.count, "count", 55000, "new `leases` of one measurement at most; there are 60000 addresses")
	flags.DurationVar(&o.limit, "limit", 2*time.Second, "`duration` of one measurement at most")
	serverCPUs := flags.String("server-cpus", stage.List(serverHalf), "the `CPUs` of the servers, as 0,2-3")
	generatorCPUs := flags.String("generator-cpus", stage.List(clientHalf), "the `CPUs` of the clients")
	flags.BoolVar(&o.perfdhcp, "perfdhcp", true, "also let Kea's perfdhcp measure, as the independent check")
	flags.BoolVar(&o.extras, "extras", true, "also measure at a fixed rate, and with few and with many leases")
	quick := flags.Bool("quick", false, "only try whether everything works: a few exchanges of each kind")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("what is %q?", flags.Arg(0))
	}
	if *quick {
		o.runs, o.count, o.limit, o.perfdhcp, o.extras, *windows = 1, 300, 200*time.Millisecond, false, false, "32"
	}
	o.servers = strings.Split(*servers, ",")
	for m := range strings.SplitSeq(*modes, ",") {
		o.modes = append(o.modes, generator.Mode(m))
	}
	if o.windows, err = stage.Numbers(*windows); err != nil {
		return nil, fmt.Errorf("-windows: %w", err)
	}
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
	known := subjects(o)
	for _, name := range o.servers {
		if !slices.ContainsFunc(known, func(s *subject) bool { return s.name == name }) {
			return fmt.Errorf("-servers: %q is unknown", name)
		}
	}
	for _, m := range o.modes {
		if m != generator.Relay && m != generator.Broadcast && m != generator.Unicast {
			return fmt.Errorf("-ways: %q is unknown", m)
		}
	}
	if o.runs < 1 || o.count < 1 || o.limit <= 0 || slices.Min(o.windows) < 1 {
		return errors.New("-runs, -count, -limit and -windows must be positive")
	}
	if o.labnet, err = filepath.Abs(o.labnet); err != nil {
		return err
	}
	if _, err := os.Stat(o.labnet); err != nil && slices.Contains(o.servers, "labnet") {
		return fmt.Errorf("no labnet to measure, `make build` makes one: %w", err)
	}
	return nil
}
