package main

import (
	"fmt"
	"strings"

	"labnet/bench/report"
)

// What labnet has to reach.
const (
	shareOfEcho   = 0.88 // of the echo's queries per CPU second
	ahead         = 1.0  // of every peer's queries, a second and per CPU second
	timesCoreDNS  = 2.0  // CoreDNS's queries per CPU second
	shareOfHits   = 0.95 // local names, of the cached ones' queries per CPU second: as fast, but for what two measurements differ by
	shareOfWorker = 0.91 // queries per CPU second with two workers, of those with one: a query costs 10 % more at most
)

// goal is one comparison.
type goal struct {
	what, got, wanted string
	reached           bool
}

// reportGoals writes what labnet had to reach and what it has reached, as far as it was measured.
func (b *bench) reportGoals(out *strings.Builder) {
	var goals []goal
	for _, s := range b.tested {
		goals = append(goals, b.hitGoals(s)...)
	}
	goals = append(goals, b.ownGoals()...)
	goals = append(goals, b.missGoals()...)
	if len(goals) == 0 {
		return
	}
	var rows [][]string
	for _, g := range goals {
		rows = append(rows, []string{g.what, g.got, g.wanted, report.Yes(g.reached)})
	}
	fmt.Fprint(out, "\n### What labnet has to reach\n\n")
	report.Table(out, []string{"", "labnet", "wanted", "reached"}, rows)
}

func atLeast(what string, got, wanted float64) goal {
	return goal{what, fmt.Sprintf("%.3f", got), fmt.Sprintf("at least %.2f", wanted), got >= wanted}
}

// hitGoals are about cached names, beside one server.
func (b *bench) hitGoals(s *subject) []goal {
	pairs := b.pairs[key{hitsRun, s.name}]
	if len(pairs) == 0 {
		return nil
	}
	each := "cached names per CPU second, times those of " + s.title
	switch s.name {
	case echoName:
		return []goal{atLeast(each, ratio(pairs, sample.each), shareOfEcho)}
	case goEchoName, ruledName:
		return nil // they explain, and are no bar
	case corednsName:
		return []goal{atLeast(each, ratio(pairs, sample.each), timesCoreDNS)}
	}
	return []goal{
		atLeast(each, ratio(pairs, sample.each), ahead),
		atLeast("cached names per second, times those of "+s.title, ratio(pairs, sample.rate), ahead),
	}
}

// ownGoals compare labnet with itself.
func (b *bench) ownGoals() []goal {
	var goals []goal
	if pairs := b.pairs[key{localRun, hitsRun}]; len(pairs) > 0 {
		goals = append(goals, atLeast("local names per CPU second, times cached ones", ratio(pairs, sample.each), shareOfHits))
	}
	if pairs := b.pairs[key{workersRun, doubled(labnetName)}]; len(pairs) > 0 {
		goals = append(goals, atLeast("cached names per CPU second with two workers, times those with one", 1/ratio(pairs, sample.each), shareOfWorker))
	}
	if m, ok := b.memory[labnetName]; ok {
		limit := setup{names: b.opts.million + b.opts.names}.cacheSize()
		got := (m.after - m.before) >> 20
		goals = append(goals, goal{
			fmt.Sprintf("MiB for %s cached names", report.Thousands(float64(b.opts.million))), fmt.Sprint(got),
			fmt.Sprintf("at most cache_size, %d, and 99 %% of them held", limit), got <= int64(limit) && m.held >= 0.99,
		})
	}
	return goals
}

// missGoals are about new names, beside Unbound.
func (b *bench) missGoals() []goal {
	var goals []goal
	for _, k := range kinds {
		pairs := b.pairs[key{k.name, k.rival}]
		if len(pairs) == 0 {
			continue
		}
		for _, q := range []struct {
			name string
			of   func(sample) float64
		}{{"p50", func(s sample) float64 { return float64(s.p50()) }}, {"p99", func(s sample) float64 { return float64(s.p99()) }}} {
			got := ratio(pairs, q.of)
			goals = append(goals, goal{
				strings.ToLower(k.title[:1]) + k.title[1:] + ": " + q.name + ", times Unbound's", fmt.Sprintf("%.3f", got), "at most 1.00", got <= 1,
			})
		}
	}
	return goals
}
