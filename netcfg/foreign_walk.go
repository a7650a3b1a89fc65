package netcfg

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What becomes of a packet is found by walking other people's rules with it, as the kernel would. What can't be known here (a limit, a
// mark, an extension) is taken for no match: a rule that drops on such a condition is somebody's exception, whereas one that accepts on
// it may be what lets guests through, so that the end is then unsure.

type answer uint8

const (
	no answer = iota
	yes
	unknown
)

func tell(b bool) answer {
	if b {
		return yes
	}
	return no
}

type fate uint8

const (
	passes fate = iota // no rule of the chain decides
	accepted
	dropped
)

// walk is one packet on its way through a table.
type walk struct {
	rules  *ruleset
	table  tableID
	p      *packet
	unsure bool // a rule that isn't understood might accept it
	depth  int
}

// deepest is how far the kernel lets chains lead into one another (NFT_JUMP_STACK_SIZE).
const deepest = 16

// fateOf is what a base chain makes of a packet; sure is false if some rule of it might let it through.
func (r *ruleset) fateOf(c readChain, p packet) (end fate, sure bool) {
	w := walk{rules: r, table: c.table, p: &p}
	end = w.chain(c.name)
	if end == passes {
		end = accepted
		if c.base.policy == nfDrop {
			end = dropped
		}
	}
	return end, !w.unsure
}

func (w *walk) chain(name string) fate {
	if w.depth == deepest {
		w.unsure = true
		return passes
	}
	w.depth++
	defer func() { w.depth-- }()
	for _, rule := range w.rules.rules[place{w.table, name}] {
		verdict, matches := w.rule(rule)
		word, chain, _ := strings.Cut(verdict, " ")
		if matches == unknown {
			w.unsure = w.unsure || word == "accept" || word == "jump" || word == "goto" || word == "return"
			continue
		}
		if matches == no {
			continue
		}
		switch word {
		case "accept":
			return accepted
		case "drop":
			return dropped
		case "return":
			return passes
		case "jump":
			if end := w.chain(chain); end != passes {
				return end
			}
		case "goto":
			return w.chain(chain)
		}
	}
	return passes
}

// rule runs a rule's expressions until one doesn't match. A rule without a verdict only counts, logs or marks.
func (w *walk) rule(rule foreignRule) (verdict string, matches answer) {
	var regs registers
	matches = yes
	for _, e := range rule {
		says := yes
		switch e.name {
		case "counter", "log", "objref", "notrack":
		case "meta", "payload", "ct", "fib":
			regs.load(w.p, e)
		case "bitwise":
			regs.bitwise(e)
		case "byteorder":
			regs.byteorder(e)
		case "cmp":
			says = regs.compare(e)
		case "range":
			says = regs.within(e)
		case "lookup":
			verdict, says = w.lookup(&regs, e)
		case "immediate":
			verdict = immediate(e)
		case "reject":
			verdict = "drop"
		case "match":
			name, revision, info := extension(e)
			says = w.p.matches(name, revision, info)
		case "target":
			if name, _, _ := extension(e); name == "REJECT" {
				verdict = "drop"
			}
		default:
			says = unknown
		}
		switch says {
		case no:
			return "", no
		case unknown:
			matches = unknown
		}
	}
	return verdict, matches
}

// immediate is the verdict of an expression that gives one, "" for one that loads a value.
func immediate(e expression) (verdict string) {
	_ = eachAttribute(e.data, 0, func(kind uint16, v []byte) {
		if kind == unix.NFTA_IMMEDIATE_DATA {
			_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
				if kind == unix.NFTA_DATA_VERDICT {
					verdict = readVerdict(v)
				}
			})
		}
	})
	return verdict
}

func readVerdict(data []byte) string {
	var code uint32
	var chain string
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_VERDICT_CODE:
			code = big32(v)
		case unix.NFTA_VERDICT_CHAIN:
			chain = text(v)
		}
	})
	return encodeVerdict(code, chain)
}

// extension is a match or target of iptables.
func extension(e expression) (name string, revision uint32, info []byte) {
	_ = eachAttribute(e.data, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_MATCH_NAME:
			name = text(v)
		case unix.NFTA_MATCH_REV:
			revision = big32(v)
		case unix.NFTA_MATCH_INFO:
			info = v
		}
	})
	return name, revision, info
}

// lookup looks a register up in a set, or in a map of verdicts.
func (w *walk) lookup(regs *registers, e expression) (verdict string, says answer) {
	var set string
	var from, flags uint32
	data := false
	_ = eachAttribute(e.data, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_LOOKUP_SET:
			set = text(v)
		case unix.NFTA_LOOKUP_SREG:
			from = big32(v)
		case unix.NFTA_LOOKUP_DREG:
			data = big32(v) != unix.NFT_REG_VERDICT
		case unix.NFTA_LOOKUP_FLAGS:
			flags = big32(v)
		}
	})
	found, says := find(w.rules.elements(place{w.table, set}), regs, from)
	if data {
		return "", unknown // a map of values
	}
	if flags&unix.NFT_LOOKUP_F_INV != 0 && says != unknown {
		says = yes - says
	}
	return found, says
}

// find looks for a key among the elements of a set. Ranges over several fields at once are not understood.
func find(list []rawElement, regs *registers, from uint32) (verdict string, says answer) {
	ranges := slices.ContainsFunc(list, func(e rawElement) bool { return e.end })
	if ranges {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b rawElement) int {
			if order := bytes.Compare(a.key, b.key); order != 0 {
				return order
			}
			return boolOrder(a.end, b.end)
		})
	}
	for _, e := range list {
		key, known := regs.get(from, len(e.key))
		switch {
		case len(e.key) == 0 || !known || e.upTo:
			says = unknown
		case ranges && bytes.Compare(e.key, key) <= 0:
			// The last boundary before the key decides.
			verdict, says = e.verdict, tell(!e.end)
		case !ranges && bytes.Equal(e.key, key):
			return e.verdict, yes
		}
	}
	return verdict, says
}
