package main

import (
	"fmt"
	"slices"

	"labnet/bench/dns/generator"
)

// kind is a kind of measurement that every server gets, started once for all of them.
type kind struct {
	name    string // as on the command line
	title   string
	can     func(s *subject) bool
	clients func(b *bench, s *server) generator.Config
	source  func(b *bench, s *server) *generator.Source
	rival   string // whom labnet must not be behind by a hair: measured more often than the others
}

const (
	hitsRun       = "hits"
	localRun      = "local"
	tcpRun        = "tcp"
	mixedRun      = "mixed"
	missesRun     = "misses"
	oneMissRun    = "misses1" // one of missesRun, of its own in the results
	workersRun    = "workers"
	memoryRunName = "memory"
	dnsperfName   = "dnsperf"
)

// runNames are what -only knows.
func runNames() []string {
	return []string{hitsRun, localRun, tcpRun, mixedRun, missesRun, workersRun, memoryRunName, dnsperfName}
}

// Questions in flight: a few clients have them all, so that a server that limits each one's misses shows it.
const missWindow = 64 / clients

// uniqueShare is the share of unique names in mixed questions: one in so many.
const uniqueShare = 10

// kinds are in the order in which they are measured: what fills caches comes last.
var kinds = []kind{
	{
		name: hitsRun, title: "Cached names",
		can:     func(s *subject) bool { return s.name != directName },
		clients: all, source: drawn,
	},
	{
		name: localRun, title: "The server's own names",
		can:     func(s *subject) bool { return !s.noLocal },
		clients: all,
		source:  func(b *bench, s *server) *generator.Source { return generator.Drawn(s.local, b.draws) },
	},
	{
		name: tcpRun, title: "Cached names over TCP",
		can: func(s *subject) bool { return !s.noTCP },
		clients: func(b *bench, s *server) generator.Config {
			cfg := all(b, s)
			cfg.TCP = true
			return cfg
		},
		source: drawn,
	},
	{
		name: mixedRun, title: "Nine cached names, one new one",
		can:     func(s *subject) bool { return !s.echo && s.name != directName },
		clients: all,
		source: func(b *bench, s *server) *generator.Source {
			return generator.Mixed(b.outside, b.draws, uniqueShare, b.prefix(), outsideDomain)
		},
	},
	{
		name: oneMissRun, title: "New names, one question at a time", rival: "unbound",
		can: func(s *subject) bool { return !s.echo },
		clients: func(_ *bench, s *server) generator.Config {
			return generator.Config{Server: s.at(), Sources: s.clients()[:1], Window: 1}
		},
		source: unique,
	},
	{
		name: missesRun, title: fmt.Sprintf("New names, %d questions in flight", missWindow*clients), rival: "unbound",
		can: func(s *subject) bool { return !s.echo },
		clients: func(_ *bench, s *server) generator.Config {
			return generator.Config{Server: s.at(), Sources: s.clients(), Window: missWindow}
		},
		source: unique,
	},
}

// wanted are the kinds that -only names.
func (o *options) wanted() []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return !o.wants(k.name) && (k.name != oneMissRun || !o.wants(missesRun))
	})
}

// all clients have a full window.
func all(b *bench, s *server) generator.Config {
	return generator.Config{Server: s.at(), Sources: s.clients(), Window: b.opts.window}
}

func drawn(b *bench, s *server) *generator.Source {
	return generator.Drawn(b.outsideOf(s), b.draws)
}

func unique(b *bench, _ *server) *generator.Source {
	return generator.Unique(b.prefix(), outsideDomain)
}

// prefix begins names that nobody has asked for.
func (b *bench) prefix() string {
	b.asked++
	return fmt.Sprintf("u%d-", b.asked)
}
