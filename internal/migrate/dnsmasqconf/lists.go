package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// findLists finds files that have nothing but names to block in them: labnet reads these as they are.
func (im *importer) findLists() {
	type tally struct{ all, blocking, null int }
	files := map[string]*tally{}
	var order []string
	for _, d := range im.directives() {
		t := files[d.File]
		if t == nil {
			t = &tally{}
			files[d.File] = t
			order = append(order, d.File)
		}
		t.all++
		if blocks, null := blocking(d); blocks {
			t.blocking++
			if null {
				t.null++
			}
		}
	}
	for _, file := range order {
		t := files[file]
		if t.all != t.blocking || t.all < 2 || !strings.HasPrefix(file, "/") {
			continue
		}
		im.blocked[file] = true
		f := Finding{File: file, Text: fmt.Sprintf("%d names to block", t.all), Level: Exact}
		im.resolver.lists = append(im.resolver.lists, list{path: file, finding: f, names: t.all, null: t.null > t.all/2})
	}
}

const oneAnswer = "all blocked names have one answer (answer in block)"

// answersNull tells whether most of the names to block are answered with an address of nothing.
func (r *resolver) answersNull() bool {
	null := -len(r.blockLines)
	for _, l := range r.lists {
		if l.null {
			null += l.names
		} else {
			null -= l.names
		}
	}
	return null > 0
}

// settleLists notes the lists that are answered in another way than in dnsmasq.
func (im *importer) settleLists() {
	null := im.resolver.answersNull()
	for i := range im.resolver.lists {
		if l := &im.resolver.lists[i]; l.null != null {
			l.finding.Level, l.finding.Notes = Approximated, []string{oneAnswer}
		}
	}
	if null {
		for _, at := range im.resolver.blockFrom {
			im.noteAt(at, Approximated, oneAnswer)
		}
	}
}

// blocking tells whether a line says of a name that there is none, and whether it is answered with an address of nothing.
func blocking(d Directive) (blocks, null bool) {
	domains, rest, ok := slashed(d.Arg)
	if !ok || len(domains) == 0 || slices.Contains(domains, "") || slices.Contains(domains, "#") {
		return false, false
	}
	switch rest = plain(rest); d.Name {
	case "local", "server":
		return rest == "", false
	case "address":
		return slices.Contains([]string{"", "#", "0.0.0.0", "::", "127.0.0.1", "::1"}, rest), rest != ""
	}
	return false, false
}

// block adds a name, with all below it, to the list that is written beside the configuration.
func (im *importer) block(domain string) {
	if im.o.BlockList == "" {
		im.note(Unsupported, "names to block stand in a list of their own: write to a file (-o), or name one by --block-list")
		return
	}
	if checkDomain(strings.ReplaceAll(domain, "_", "x")) != nil {
		im.note(Unsupported, fmt.Sprintf("%q can't be blocked", domain))
		return
	}
	im.resolver.blockLines = append(im.resolver.blockLines, "local=/"+domain+"/")
	im.resolver.blockFrom = append(im.resolver.blockFrom, im.at)
}

// address reads address=/NAME…/[ADDRESS]: the name, and all below it.
func (im *importer) address(d Directive) {
	domains, rest, ok := slashed(d.Arg)
	if !ok {
		im.mistake(d, "a slash is missing behind the domain")
		return
	}
	target := plain(rest)
	if len(domains) == 0 {
		domains = []string{"#"}
	}
	if blocks, null := blocking(d); blocks {
		for _, domain := range domains {
			if n, _, why := im.quietOwner(domain); why == "" && n != nil && target == "" {
				continue // in a network's domain there is nothing that isn't said
			}
			im.block(domain)
		}
		if null {
			im.note(Approximated, oneAnswer)
		}
		return
	}
	a, err := netip.ParseAddr(target)
	if err != nil {
		im.mistake(d, "%q is not an address", target)
		return
	}
	for _, domain := range domains {
		if domain == "#" || domain == "" {
			im.note(Unsupported, "not every name can have one address")
			continue
		}
		n, short, why := im.owner(strings.TrimPrefix(domain, "*."))
		if why == elsewhere && !strings.HasPrefix(domain, "*.") {
			im.note(Approximated, "the names below it are the outside's")
			im.outside(domain, a)
			continue
		}
		if why != "" {
			im.note(Unsupported, why)
			continue
		}
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		if !strings.HasPrefix(domain, "*.") {
			im.recordIn(n, short, kind, a.String(), "")
		}
		below := "*." + short
		if short == "@" {
			below = "*"
		}
		im.recordIn(n, below, kind, a.String(), "")
	}
}

// quietOwner is owner without a note.
func (im *importer) quietOwner(name string) (*network, string, string) {
	if !strings.Contains(name, ".") {
		return nil, "", ""
	}
	return im.owner(name)
}
