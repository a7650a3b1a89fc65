package dnsmasqconf

import (
	"fmt"
	"slices"
	"strings"
)

// item is something that clients are told.
type item struct {
	option       *option
	encapsulated bool // parts of one option come together
	boot         *boot
}

// class is a class block that is being made.
type class struct {
	condition
	not  []string // tags whose clients get it from a later class
	from []int
	given
}

// place gives an item to those who have the tags: networks, hosts, or classes.
func (im *importer) place(set tagSet, it item) {
	if len(set.ways) == 0 {
		im.note(Ignored, "nobody has these tags")
		return
	}
	for _, a := range set.ways {
		networks := im.networks
		if a.network != nil {
			networks = []*network{a.network}
		}
		for _, n := range networks {
			if im.excluded(n, set.not) {
				continue
			}
			im.placeIn(n, a, set.not, it)
		}
	}
}

// excluded tells whether a network as a whole has a tag that must not be set.
func (im *importer) excluded(n *network, not []string) bool {
	return slices.ContainsFunc(not, func(tag string) bool {
		return slices.ContainsFunc(im.tags[tag], func(a alternative) bool {
			return a.network == n && a.host == nil && !a.known && a.empty()
		})
	})
}

func (im *importer) placeIn(n *network, a alternative, not []string, it item) {
	switch {
	case a.host != nil && !a.empty():
		im.note(Unsupported, "what a host gets can't depend on what it says of itself")
	case a.host != nil:
		im.give(&a.host.given, it)
	case a.known && !a.empty():
		im.note(Unsupported, "what hosts get can't depend on what they say of themselves")
	case a.known:
		im.note(Approximated, "it stands in each host block")
		for _, h := range n.hosts {
			im.give(&h.given, it)
		}
	case it.option != nil && it.option.code == 12:
		im.note(Unsupported, "the name that a client shall take is one host's")
	case a.empty():
		im.exceptions(n, not, it)
		im.give(&n.given, it)
	default:
		im.exceptions(n, not, it)
		c := im.classFor(n, a.condition, not)
		c.from = append(c.from, im.at)
		im.give(&c.given, it)
	}
}

// exceptions notes those who would have to get nothing: what is said later to them must override it.
func (im *importer) exceptions(n *network, not []string, it item) {
	for _, tag := range not {
		ways := im.tags[tag]
		if tag == "known" {
			im.note(Unsupported, "known clients can't be left out")
			continue
		}
		for _, a := range ways {
			if a.network != nil && a.network != n {
				continue
			}
			if !im.overridden(tag, it) {
				im.note(Approximated, fmt.Sprintf("clients with the tag %q get it too, since nothing else is said to them", tag))
			}
		}
	}
}

// overridden tells whether another line says the same thing to those who have a tag.
func (im *importer) overridden(tag string, it item) bool {
	for _, d := range im.directives() {
		if it.boot != nil && (d.Name == "dhcp-boot") {
			for _, part := range fields(d.Arg) {
				if t, ok := tagged(part); ok && t == tag {
					return true
				}
			}
		}
		if it.option != nil && strings.HasPrefix(d.Name, "dhcp-option") {
			if o, err := parseOption(d); err == nil && o.code == it.option.code && slices.Contains(o.tags, tag) {
				return true
			}
		}
	}
	return false
}

// classFor finds the class of a condition. Those that leave a tag out stand before those that need it.
func (im *importer) classFor(n *network, c condition, not []string) *class {
	for _, have := range n.classes {
		if slices.Equal(have.vendor, c.vendor) && slices.Equal(have.user, c.user) && slices.Equal(have.mac, c.mac) && slices.Equal(have.arch, c.arch) && slices.Equal(have.not, not) {
			return have
		}
	}
	made := &class{condition: c, not: not}
	n.classes = append(n.classes, made)
	return made
}

// give adds an item, or replaces an earlier one: the last line counts.
func (im *importer) give(g *given, it item) {
	if it.boot != nil {
		im.giveBoot(g, it.boot)
		return
	}
	o := *it.option
	if at := slices.IndexFunc(g.options, func(have option) bool { return have.code == o.code }); at >= 0 {
		if it.encapsulated {
			// dnsmasq sends the last line first, and an end behind all.
			o.data = append(slices.Clone(o.data[:len(o.data)-1]), g.options[at].data...)
			o.always = o.always || g.options[at].always
		} else {
			im.noteAt(g.options[at].at, Ignored, "a later line says it too, and that counts")
		}
		g.options[at] = o
		return
	}
	g.options = append(g.options, o)
}

// giveBoot adds what is booted. What options say of it goes into options where a dhcp-boot has said it.
func (im *importer) giveBoot(g *given, b *boot) {
	byOptions := g.boot
	switch {
	case g.boot == nil || g.boot.option && b.option:
		g.boot = b.over(g.boot)
		return
	case b.option && !g.boot.option:
		byOptions = b
	case !b.option:
		g.boot = b
	}
	if byOptions.option {
		for _, o := range byOptions.options() {
			im.give(g, item{option: &o})
		}
	}
}

// sortClasses puts classes into the order in which later ones count more: by their lines, and who leaves a tag out first.
func (im *importer) sortClasses(n *network) {
	weight := func(c *class) (int, int) { return -len(c.not), slices.Max(c.from) }
	slices.SortStableFunc(n.classes, func(a, b *class) int {
		an, al := weight(a)
		bn, bl := weight(b)
		if an != bn {
			return an - bn
		}
		return al - bl
	})
	for i, a := range n.classes {
		for _, b := range n.classes[i+1:] {
			im.checkOrder(a, b)
		}
	}
}

// checkOrder finds what the order of whole classes can't say: the earlier class has a later line about the same thing.
func (im *importer) checkOrder(a, b *class) {
	for _, x := range a.options {
		for _, y := range b.options {
			if x.code == y.code && x.at > y.at && len(a.not) == len(b.not) {
				im.noteAt(x.at, Approximated, "for clients that have both tags, another line counts")
			}
		}
	}
	if a.boot != nil && b.boot != nil && a.boot.at > b.boot.at && len(a.not) == len(b.not) {
		im.noteAt(a.boot.at, Approximated, "for clients that have both tags, another line counts")
	}
}

// name is what a class is called: by what it asks for.
func (c condition) name() string {
	var words []string
	for _, list := range [][]string{architectures(c.arch), c.vendor, c.user, c.mac} {
		for _, one := range list {
			if word := label(one); word != "" && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	if len(words) == 0 {
		return "any"
	}
	return cut(strings.Join(words, "-"), 63)
}
