package main

import (
	"strconv"

	"labnet/bench/stage"
)

// subject is a server that is measured.
type subject struct {
	name      string // as on the command line
	title     string // as in the results
	ownBridge bool   // it makes the bridge itself
	echo      bool   // it knows nothing, and has but one answer
	noTCP     bool   // it has no TCP …
	noLocal   bool   // … and no names of its own by the thousand
	hoards    bool   // it takes the memory of its whole cache when it starts
	version   []string
	start     func(b *bed, s setup) (*stage.Process, error) // nil: the upstream itself
}

// setup is how a server is started.
type setup struct {
	cpus    []int
	workers int // threads that answer
	hosts   int // its own names
	names   int // that its cache has to hold; 0: labnet's default, and plenty for the others
}

// ordinaryNames is what the others' caches are made for, if nothing else is asked for.
const ordinaryNames = 200000

// capacity is how many names the cache has to hold.
func (s setup) capacity() string { return strconv.Itoa(s.size()) }

func (s setup) size() int {
	if s.names == 0 {
		return ordinaryNames
	}
	return s.names
}

const (
	echoName   = "echo"
	goEchoName = "echo-go"
	ruledName  = "echo-ruled"
	labnetName = "labnet"
	directName = "upstream"
)

// subjects are all servers that there are.
func subjects(o *options) []*subject {
	return []*subject{
		{name: labnetName, title: "labnet", ownBridge: true, version: []string{o.labnet, "version"}, start: o.startLabnet},
		{name: echoName, title: "echo in C", echo: true, noTCP: true, noLocal: true, start: o.startEcho},
		{name: goEchoName, title: "echo in Go", echo: true, noTCP: true, noLocal: true, start: o.startGoEcho},
		{name: ruledName, title: "echo in C, behind labnet's rules", ownBridge: true, echo: true, noTCP: true, noLocal: true, start: o.startRuledEcho},
		{name: "dnsmasq", title: "dnsmasq", hoards: true, version: []string{"dnsmasq", "--version"}, start: startDnsmasq},
		{name: "unbound", title: "Unbound", version: []string{"unbound", "-V"}, start: startUnbound},
		{name: "kresd", title: "Knot Resolver", hoards: true, version: []string{"kresd", "--version"}, start: startKresd},
		{name: "dnsdist", title: "dnsdist", noLocal: true, version: []string{"dnsdist", "--version"}, start: startDnsdist},
		{name: "bind", title: "BIND", version: []string{"named", "-v"}, start: startBIND},
		{name: "coredns", title: "CoreDNS", start: startCoreDNS},
		{name: directName, title: "the upstream itself", noTCP: true, noLocal: true},
	}
}
