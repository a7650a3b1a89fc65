package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxInline is how many names of a hosts file become records; more are better kept as they are.
const maxInline = 500

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
	null := 0
	for _, one := range r.blockNull {
		if one {
			null++
		} else {
			null--
		}
	}
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
	for i, at := range im.resolver.blockFrom {
		if im.resolver.blockNull[i] != null {
			im.noteAt(at, Approximated, oneAnswer)
		}
		if arg := plain(im.directives()[at].Arg); strings.HasSuffix(arg, "/127.0.0.1") || strings.HasSuffix(arg, "/::1") {
			im.noteAt(at, Approximated, "a blocked name doesn't lead to the guest itself: it has no address, or 0.0.0.0")
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
func (im *importer) block(domain string, null bool) {
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
	im.resolver.blockNull = append(im.resolver.blockNull, null)
}

// address reads address=/NAME…/[ADDRESS]: the name, and all below it.
func (im *importer) address(d Directive) {
	domains, rest, ok := slashed(d.Arg)
	if !ok || len(domains) == 0 {
		im.mistake(d, "it needs /NAME/ before the address")
		return
	}
	target := plain(rest)
	a, err := netip.ParseAddr(target)
	if blocks, null := blocking(d); blocks {
		for _, domain := range domains {
			switch n, short, why := im.quietOwner(domain); {
			case n == nil || why != "":
				im.block(domain, null)
			case err == nil: // lists are not asked about a network's own names
				im.addressBelow(n, domain, short, a)
			case null:
				im.note(Approximated, "in a network's domain there is no such name, rather than one with an address of nothing")
			}
			// Else in a network's domain there is nothing that isn't said.
		}
		return
	}
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
		if why != "" {
			im.note(Unsupported, why)
			continue
		}
		im.addressBelow(n, domain, short, a)
	}
}

// addressBelow gives a name, which is short in n's domain, and all below it an address; only those below it if it begins with a star.
func (im *importer) addressBelow(n *network, domain, short string, a netip.Addr) {
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

// quietOwner is owner without a note.
func (im *importer) quietOwner(name string) (*network, string, string) {
	if !strings.Contains(name, ".") && !slices.ContainsFunc(im.networks, func(n *network) bool { return n.domain == name }) {
		return nil, "", ""
	}
	return im.owner(strings.TrimPrefix(name, "*."))
}

// addnHosts reads hosts files.
func (im *importer) addnHosts(d Directive) {
	path := plain(d.Arg)
	names, err := im.reader.names(path, nil)
	if err != nil {
		im.note(Approximated, fmt.Sprintf("%s: %v; dnsmasq would pass over it", path, err))
		return
	}
	for _, name := range names {
		text, err := im.reader.read(name)
		if err != nil {
			im.note(Approximated, fmt.Sprintf("%s: %v; dnsmasq would pass over it", name, err))
			continue
		}
		im.hostsFile(name, text)
	}
}

func (im *importer) hostsFile(name, text string) {
	type entry struct {
		addr  netip.Addr
		names []string
	}
	var entries []entry
	sinks, all := 0, 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			continue // dnsmasq logs it, and goes on
		}
		if strings.Contains(words[1], "localhost") {
			continue
		}
		all += len(words) - 1
		if a.IsUnspecified() || a.IsLoopback() {
			sinks += len(words) - 1
		}
		entries = append(entries, entry{a, words[1:]})
	}
	switch {
	case all > 0 && sinks == all && strings.HasPrefix(name, "/"):
		im.note(Approximated, "its names are blocked")
		im.resolver.lists = append(im.resolver.lists, list{path: name, finding: Finding{File: name, Text: fmt.Sprintf("%d names to block", all), Level: Exact}, names: all, null: true})
		return
	case all > maxInline:
		im.note(Unsupported, fmt.Sprintf("%d names are too many for record blocks (at most %d)", all, maxInline))
		return
	}
	im.note(Approximated, "of what it has now; it isn't followed")
	for _, e := range entries {
		for _, n := range e.names {
			im.addressRecord(n, e.addr, "")
		}
		im.reverse(e.names[0], []netip.Addr{e.addr}, "")
	}
}

func (im *importer) cacheSize(d Directive) {
	n := uint64(0)
	for _, c := range plain(d.Arg) {
		if c < '0' || c > '9' {
			im.mistake(d, "%q is not a number", plain(d.Arg))
			return
		}
		n = min(n*10+uint64(c-'0'), 1<<31)
	}
	const aName = 256
	switch bytes := n * aName; {
	case n == 0:
		im.resolver.cache, im.resolver.cacheAt = "64KiB", im.at
		im.note(Approximated, "there is always a cache: the smallest")
	case bytes <= 64<<20:
		im.note(Approximated, "the default, 64 MiB, holds some 250,000 names")
	default:
		im.resolver.cache, im.resolver.cacheAt = fmt.Sprintf("%dMiB", (bytes+1<<20-1)>>20), im.at
		im.note(Approximated, "in bytes: some 256 a name")
	}
}

func (im *importer) staleCache(d Directive) {
	im.resolver.stale, im.resolver.staleAt = "1d", im.at
	if d.has && isNumber(plain(d.Arg)) {
		im.resolver.stale = plain(d.Arg) + "s"
		if len(plain(d.Arg)) > 6 || plain(d.Arg) > "604800" && len(plain(d.Arg)) == 6 || plain(d.Arg) == "0" {
			im.resolver.stale = "7d"
		}
	}
	k, _ := lookUp(d.Name)
	im.note(Approximated, noteOf(k))
}

func (im *importer) rebindAllowed(d Directive) {
	domains, _, ok := slashed(d.Arg)
	if !ok || len(domains) == 0 {
		domains = []string{strings.ToLower(plain(d.Arg))}
	}
	for _, domain := range domains {
		if domain != "" && !slices.Contains(im.resolver.rebindAllow, domain) {
			im.resolver.rebindAllow = append(im.resolver.rebindAllow, domain)
		}
	}
}
