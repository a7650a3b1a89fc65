package dnsmasqconf

import (
	"slices"
	"strings"
	"sync"
)

// arity is whether an option has a value.
type arity int

const (
	noArg arity = iota
	needsArg
	mayHaveArg
)

// phase is when a directive is looked at: what follows needs what comes before.
type phase int

const (
	always     phase = iota // nothing but the table's level and note
	structure               // interfaces, ranges and domains: networks are made of them
	machines                // who has which tag, and the hosts
	everything              // the rest
)

// Known is what the table knows of an option of dnsmasq 2.90.
type Known struct {
	Name   string
	Levels []Level // what can become of it, the usual first
	Note   string  // where it goes, or why it doesn't
}

type known struct {
	name, short string
	arg         arity
	phase       phase
	take        func(*importer, Directive)
	levels      string // "exact approximated": as in Known
	note        string
}

// Directives returns all options of dnsmasq 2.90, sorted by name.
func Directives() []Known {
	var out []Known
	for _, k := range table() {
		one := Known{Name: k.name, Note: k.note}
		for word := range strings.FieldsSeq(k.levels) {
			one.Levels = append(one.Levels, Level(word))
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Known) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// options is every option, made when it is first asked for: the functions in it ask for it too.
var options struct {
	once   sync.Once
	all    []known
	byName map[string]known
}

func load() {
	options.all = slices.Concat(dhcpDirectives(), dnsDirectives(), otherDirectives())
	options.byName = map[string]known{}
	for _, k := range options.all {
		options.byName[k.name] = k
	}
	// What older versions called the same.
	for alias, name := range map[string]string{"dhcp-lease": "dhcp-leasefile", "domain-suffix": "domain", "no-dhcpv4-interface": "no-dhcp-interface"} {
		options.byName[alias] = options.byName[name]
	}
}

// table is every option, once.
func table() []known {
	options.once.Do(load)
	return options.all
}

// lookUp finds an option by its long name, in which letter case counts.
func lookUp(name string) (known, bool) {
	options.once.Do(load)
	k, ok := options.byName[name]
	return k, ok
}

func lookUpShort(letter string) (known, bool) {
	for _, k := range table() {
		if k.short == letter {
			return k, true
		}
	}
	return known{}, false
}

// meant suggests an option for a word that is none.
func meant(word string) string {
	best, distance := "", 3
	for _, k := range table() {
		if d := edits(strings.ToLower(word), strings.ToLower(k.name)); d < distance {
			best, distance = k.name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// edits is the number of letters that differ (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
