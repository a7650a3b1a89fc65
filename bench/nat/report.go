package main

import (
	"fmt"
	"slices"
	"strings"

	"labnet/bench/report"
	"labnet/bench/stage"
)

// atLeast is what share of the plain rules' rate labnet's must reach.
const atLeast = 0.95

// report is everything as Markdown.
func (b *bench) report() string {
	var out strings.Builder
	fmt.Fprintf(&out, "- Machine: %s, %d CPUs; Linux %s. Load when it began (1 min): %s.\n", report.CPUModel(), b.cpus, report.Kernel(), b.load)
	fmt.Fprintf(&out, "- Everything on CPU %s: the guest, the LAN and what forwards between them. %s.\n", stage.List(b.opts.cpus), strings.Join(b.versions, "; "))
	fmt.Fprintf(&out, "- %d pairs, %v of each router in each, by turns in slices of %v (TCP) and %v (connections), since the machine's speed changes within seconds; all made anew after every second pair. Medians; "+
		"the ratio is the median of the pairs' ratios, with the quarter below and above it.\n", b.opts.pairs, b.opts.each, iperfSlice, connectSlice)
	fmt.Fprint(&out, "- iptables: `iptables -t nat -A POSTROUTING -s 10.0.0.0/24 -o eth0 -j MASQUERADE` and `ip_forward`, no other rule. labnet: its defaults.\n\n")
	report.Table(&out, []string{"", "iptables", "labnet", "labnet / iptables", fmt.Sprintf("at least %.2f", atLeast)}, [][]string{
		row("one TCP connection, Gbit/s", b.throughput, pair.rates, func(v float64) string { return fmt.Sprintf("%.2f", v/1e9) }),
		row("connections opened a second", b.connections, pair.rates, report.Thousands),
	})
	report.Table(&out, []string{"CPU of the whole machine", "iptables", "labnet", "labnet / iptables", ""}, [][]string{
		spent("ms for a Gbit", b.throughput, func(v float64) string { return fmt.Sprintf("%.1f", v*1e12) }),
		spent("µs for a connection", b.connections, func(v float64) string { return fmt.Sprintf("%.1f", v*1e6) }),
	})
	rows := make([][]string, len(b.costs))
	for i, c := range b.costs {
		rows[i] = c.row()
	}
	fmt.Fprintf(&out, "A packet's way from one end to the other, ns. Bursts of %d by turns through both routers, on one CPU, in %d rounds; "+
		"medians, and the ratio of those that followed one another.\n\n", burst, b.opts.rounds)
	report.Table(&out, []string{"", "iptables", "labnet", "labnet / iptables", ""}, rows)
	return out.String()
}

func (p pair) rates() (plain, labnet float64) { return p.plain.rate(), p.labnet.rate() }
func (p pair) costs() (plain, labnet float64) { return p.plain.cost(), p.labnet.cost() }

func row(title string, pairs []pair, of func(pair) (float64, float64), write func(float64) string) []string {
	columns, ratio := compare(pairs, of, write)
	return append([]string{title}, append(columns, report.Yes(ratio >= atLeast))...)
}

func spent(title string, pairs []pair, write func(float64) string) []string {
	columns, _ := compare(pairs, pair.costs, write)
	return append([]string{title}, append(columns, "")...)
}

// compare gives both medians, and the median of the ratios with its quartiles.
func compare(pairs []pair, of func(pair) (float64, float64), write func(float64) string) (columns []string, ratio float64) {
	ratios := make([]float64, len(pairs))
	for i, p := range pairs {
		plain, labnet := of(p)
		ratios[i] = labnet / plain
	}
	slices.Sort(ratios)
	ratio = ratios[len(ratios)/2]
	return []string{
		write(report.Median(pairs, func(p pair) float64 { plain, _ := of(p); return plain })),
		write(report.Median(pairs, func(p pair) float64 { _, labnet := of(p); return labnet })),
		fmt.Sprintf("%.3f (%.3f to %.3f)", ratio, ratios[len(ratios)/4], ratios[len(ratios)*3/4]),
	}, ratio
}
