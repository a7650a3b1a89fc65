package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"labnet/bench/report"
)

// report is everything as Markdown.
func (b *bench) report() string {
	var out strings.Builder
	b.reportConditions(&out)
	b.reportGoals(&out)
	for _, k := range kinds {
		if k.name == oneMissRun || k.name == missesRun {
			b.reportMisses(&out, k)
		} else {
			b.reportKind(&out, k.name, k.title, b.tested)
		}
	}
	b.reportKind(&out, workersRun, "One worker and two", []*subject{
		{name: labnetName, title: "labnet, one worker"},
		{name: doubled(labnetName), title: "labnet, two workers"},
		{name: echoName, title: "echo in C, one worker"},
		{name: doubled(echoName), title: "echo in C, two workers"},
	})
	b.reportMemory(&out)
	b.reportDnsperf(&out)
	return out.String()
}

func (s sample) rate() float64 { return s.Rate() }

// each is right answers for a second of the server's CPU time; what came after the end of the measurement is neither among the
// answers nor, by and large, in the time.
func (s sample) each() float64 { return float64(s.Answers) / max(s.cpu.Seconds(), 1e-9) }

func (s sample) p50() time.Duration  { return s.Times.Quantile(0.5) }
func (s sample) p99() time.Duration  { return s.Times.Quantile(0.99) }
func (s sample) p999() time.Duration { return s.Times.Quantile(0.999) }

// ratio is the median of labnet's share of the other one's, over pairs, of which there must be some.
func ratio(pairs []pair, of func(sample) float64) float64 {
	return report.Median(pairs, func(p pair) float64 { return of(p.first) / of(p.other) })
}

// reportKind writes the table of a measurement that is about the rate.
func (b *bench) reportKind(out *strings.Builder, run, title string, servers []*subject) {
	var rows [][]string
	for _, s := range servers {
		samples := b.samples[key{run, s.name}]
		if len(samples) == 0 {
			continue
		}
		rates := make([]float64, len(samples))
		for i, s := range samples {
			rates[i] = s.Rate()
		}
		beside, besideCPU := "", ""
		if pairs := b.pairs[key{run, s.name}]; len(pairs) > 0 {
			beside, besideCPU = fmt.Sprintf("%.2f", ratio(pairs, sample.rate)), fmt.Sprintf("%.2f", ratio(pairs, sample.each))
		}
		rows = append(rows, []string{
			s.title,
			report.Thousands(report.Median(samples, sample.rate)), report.Thousands(slices.Min(rates)) + " to " + report.Thousands(slices.Max(rates)),
			report.Thousands(report.Median(samples, sample.each)),
			fmt.Sprintf("%.0f", report.Median(samples, func(s sample) float64 { return 100 * s.cpu.Seconds() / s.Elapsed.Seconds() })),
			beside, besideCPU,
			micros(report.Median(samples, sample.p50)), micros(report.Median(samples, sample.p99)), micros(report.Median(samples, sample.p999)), b.mebibytes(samples), faults(samples),
		})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "### %s\n\n", title)
	report.Table(out, []string{"server", "queries/s", "lowest to highest", "queries per CPU second", "CPU %", "labnet's queries/s, times", "… per CPU second, times", "p50 µs", "p99 µs", "p99.9 µs", "MiB", "lost, failed"}, rows)
}

// reportMisses writes the table of a measurement that is about the time that a server adds to the upstream's.
func (b *bench) reportMisses(out *strings.Builder, k kind) {
	base := b.samples[key{k.name, directName}]
	var rows [][]string
	for _, s := range b.tested {
		samples := b.samples[key{k.name, s.name}]
		if len(samples) == 0 {
			continue
		}
		added50, added99 := "", ""
		if len(base) > 0 && s.name != directName {
			added50 = micros(report.Median(samples, sample.p50) - report.Median(base, sample.p50))
			added99 = micros(report.Median(samples, sample.p99) - report.Median(base, sample.p99))
		}
		each := ""
		if s.start != nil {
			each = report.Thousands(report.Median(samples, sample.each))
		}
		rows = append(rows, []string{
			s.title, report.Thousands(report.Median(samples, sample.rate)), each,
			micros(report.Median(samples, sample.p50)), micros(report.Median(samples, sample.p99)), added50, added99, b.mebibytes(samples), faults(samples),
		})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "### %s\n\n", k.title)
	report.Table(out, []string{"server", "queries/s", "queries per CPU second", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs", "MiB", "lost, failed"}, rows)
}

// mebibytes is the memory after the last of the measurements.
func (b *bench) mebibytes(samples []sample) string {
	if last := samples[len(samples)-1].memory; last > 0 {
		return strconv.FormatInt(last>>20, 10)
	}
	return ""
}

// faults are sums: questions without an answer, and answers that were errors.
func faults(samples []sample) string {
	lost, failed := 0, 0
	for _, s := range samples {
		lost, failed = lost+s.Lost+s.Unsent, failed+s.Failed
	}
	return fmt.Sprintf("%d, %d", lost, failed)
}

func micros(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Microsecond)) }

func (b *bench) reportMemory(out *strings.Builder) {
	var rows [][]string
	for _, s := range b.tested {
		m, ok := b.memory[s.name]
		if !ok {
			continue
		}
		each := "all at the start"
		if !s.hoards {
			each = fmt.Sprintf("%.0f", float64(m.after-m.before)/float64(b.opts.million))
		}
		rows = append(rows, []string{
			s.title, strconv.FormatInt(m.before>>20, 10), strconv.FormatInt(m.after>>20, 10), each, fmt.Sprintf("%.1f %%", 100*m.held),
			fmt.Sprintf("%.1f", m.filled.Seconds()), strconv.Itoa(m.lost),
		})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "### Memory with %s cached names\n\n", report.Thousands(float64(b.opts.million)))
	fmt.Fprintf(out, "Caches that are large enough (labnet's `cache_size` is %d MiB); once, after a start. Held are those of %s of the names, asked for again, that the upstream was not asked for.\n\n",
		setup{names: b.opts.million + b.opts.names}.cacheSize(), report.Thousands(float64(min(sampled, b.opts.million))))
	report.Table(out, []string{"server", "MiB before", "MiB after", "bytes a name", "held", "filled in s", "not answered"}, rows)
}

func (b *bench) reportDnsperf(out *strings.Builder) {
	var rows [][]string
	for _, s := range b.tested {
		runs := b.dnsperf[s.name]
		if len(runs) == 0 {
			continue
		}
		sent, lost := 0, 0
		for _, r := range runs {
			sent, lost = sent+r.sent, lost+r.sent-r.ok
		}
		rows = append(rows, []string{
			s.title, report.Thousands(report.Median(runs, func(r dnsperfRun) float64 { return r.rate })),
			report.Thousands(report.Median(runs, func(r dnsperfRun) float64 { return float64(r.ok) / max(r.cpu.Seconds(), 1e-9) })),
			strconv.Itoa(sent), report.Percent(lost, sent),
		})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "### dnsperf, the independent check\n\nThe same cached names from the same CPU, %d sockets and %d questions in flight; dnsperf itself ends near what a CPU lets it send.\n\n", clients, clients*b.opts.window)
	report.Table(out, []string{"server", "queries/s", "queries per CPU second", "questions", "not answered"}, rows)
}
