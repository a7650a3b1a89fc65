package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"labnet/internal/config"
)

// condition is what a class block asks of a client; of a list one must hold.
type condition struct {
	vendor, user, mac []string
	arch              []string
}

func (c condition) empty() bool { return len(c.vendor)+len(c.user)+len(c.mac)+len(c.arch) == 0 }

// alternative is one way to have a tag: all that it names must hold.
type alternative struct {
	network *network // nil: any
	host    *host    // nil: any
	known   bool     // any that has a host block
	condition
}

// and is both; false where no class can ask for both.
func (a alternative) and(b alternative) (alternative, bool) {
	if a.network != nil && b.network != nil && a.network != b.network || a.host != nil && b.host != nil && a.host != b.host {
		return a, true // nobody: dropped by the caller
	}
	if b.network != nil {
		a.network = b.network
	}
	if b.host != nil {
		a.host = b.host
	}
	a.known = a.known || b.known
	fine := true
	join := func(x, y []string) []string {
		switch {
		case len(x) == 0 || slices.Equal(x, y):
			return y
		case len(y) == 0:
			return x
		}
		fine = false
		return x
	}
	a.vendor, a.user = join(a.vendor, b.vendor), join(a.user, b.user)
	a.mac, a.arch = join(a.mac, b.mac), join(a.arch, b.arch)
	return a, fine
}

func (a alternative) apart(b alternative) bool {
	return a.network != nil && b.network != nil && a.network != b.network || a.host != nil && b.host != nil && a.host != b.host
}

// set gives a tag one more way. Lists of one kind become one list.
func (im *importer) set(tag string, a alternative) {
	for i, have := range im.tags[tag] {
		if have.network == a.network && have.host == a.host && have.known == a.known {
			if joined, ok := oneOf(have.condition, a.condition); ok {
				im.tags[tag][i].condition = joined
				return
			}
		}
	}
	im.tags[tag] = append(im.tags[tag], a)
}

// oneOf is the condition that either holds, if both ask about the same thing alone.
func oneOf(a, b condition) (condition, bool) {
	join := func(x, y []string) []string { // each once: 175 and iPXE's user class are the same here
		all := slices.Clone(x)
		for _, one := range y {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
		return all
	}
	only := func(c condition, list []string) bool {
		return len(list) > 0 && len(list) == len(c.vendor)+len(c.user)+len(c.mac)+len(c.arch)
	}
	switch {
	case only(a, a.vendor) && only(b, b.vendor):
		return condition{vendor: join(a.vendor, b.vendor)}, true
	case only(a, a.user) && only(b, b.user):
		return condition{user: join(a.user, b.user)}, true
	case only(a, a.mac) && only(b, b.mac):
		return condition{mac: join(a.mac, b.mac)}, true
	case only(a, a.arch) && only(b, b.arch):
		return condition{arch: join(a.arch, b.arch)}, true
	}
	return condition{}, false
}

// matcher reads dhcp-vendorclass, dhcp-userclass, dhcp-mac, dhcp-match, and what no class can tell.
func (im *importer) matcher(d Directive) {
	parts := fields(d.Arg)
	if len(parts) < 2 {
		im.mistake(d, "it needs a tag and what to look for")
		return
	}
	tag := setting(parts[0])
	c, why, level := condition{}, "", Exact
	switch d.Name {
	case "dhcp-vendorclass":
		text := plain(strings.Join(parts[1:], ","))
		if strings.HasPrefix(parts[1], "enterprise:") {
			why, level = "the vendor class of RFC 3925 isn't looked at", Unsupported
		} else {
			c.vendor, why, level = []string{text + "*"}, "the vendor class must begin so; dnsmasq looks anywhere in it", Approximated
		}
	case "dhcp-userclass":
		c.user, why, level = []string{userClass(plain(strings.Join(parts[1:], ",")))}, "the user class must begin so; dnsmasq looks anywhere in it", Approximated
	case "dhcp-mac":
		prefix, ok := macPrefix(plain(parts[1]))
		if c.mac = []string{prefix}; !ok {
			why, level = "a class knows the first bytes of a MAC address", Unsupported
		}
	case "dhcp-match":
		c, why, level = matchOption(parts[1:])
	default:
		k, _ := lookUp(d.Name)
		why, level = noteOf(k), Unsupported
	}
	im.note(level, why)
	if level == Unsupported {
		im.lost[tag] = fmt.Sprintf("the tag %q is set by %s (line %d), which labnet can't tell", tag, d.Name, d.Line)
		return
	}
	im.set(tag, alternative{condition: c})
}

// userClass is what a class looks for: iPXE and gPXE say no more than their names.
func userClass(text string) string {
	if text == "iPXE" || text == "gPXE" {
		return text
	}
	return text + "*"
}

// macPrefix reads [TYPE-]xx:xx:*:*:*:*.
func macPrefix(s string) (string, bool) {
	if before, after, ok := strings.Cut(s, "-"); ok && !strings.Contains(before, ":") && strings.Contains(after, ":") {
		if n, err := strconv.ParseUint(before, 16, 8); err != nil || n != 1 {
			return "", false
		}
		s = after
	}
	parts := strings.FieldsFunc(s, func(c rune) bool { return c == ':' || c == '-' })
	n := len(parts)
	for n > 0 && parts[n-1] == "*" {
		n--
	}
	if len(parts) != 6 || n == 0 || slices.Contains(parts[:n], "*") {
		return "", false
	}
	for i, part := range parts[:n] {
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil {
			return "", false
		}
		parts[i] = fmt.Sprintf("%02x", b)
	}
	return strings.Join(parts[:n], ":"), true
}

// matchOption is a condition for dhcp-match=set:TAG,OPTION[,VALUE].
func matchOption(parts []string) (condition, string, Level) {
	code, ok := optionCode(parts[0])
	value := plain(strings.Join(parts[1:], ","))
	switch {
	case ok && code == 93 && value != "":
		name, ok := architectureName(value)
		if ok {
			return condition{arch: []string{name}}, "", Exact
		}
	case ok && code == 175 && value == "":
		return condition{user: []string{"iPXE"}}, "iPXE is told by its user class, which it sends too", Approximated
	case ok && code == 60 && value != "" && !strings.Contains(parts[1], ":"):
		return condition{vendor: []string{value + "*"}}, "the vendor class must begin so; dnsmasq looks anywhere in it", Approximated
	case ok && code == 60 && value == "":
		return condition{vendor: []string{"*"}}, "", Exact
	case ok && code == 77 && value != "" && !strings.Contains(parts[1], ":"):
		return condition{user: []string{userClass(value)}}, "the user class must begin so; dnsmasq looks anywhere in it", Approximated
	case ok && code == 77 && value == "":
		return condition{user: []string{"*"}}, "", Exact
	}
	return condition{}, "classes look at the vendor class, the user class, the architecture and the MAC address", Unsupported
}

// architectureName is an architecture as a class has it. Names that stand for two numbers aren't taken for one of them.
func architectureName(value string) (string, bool) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		b, ok := hexBytes(value)
		if !ok || len(b) != 2 {
			return "", false
		}
		n = uint64(b[0])<<8 | uint64(b[1])
	}
	for _, name := range config.Architectures() {
		if code, err := config.ParseArchitecture(name); err == nil && uint64(code) == n && name != "x86-64-uefi" {
			return name, true
		}
	}
	return strconv.FormatUint(n, 10), true
}

// tagIf reads tag-if=set:a,tag:b,tag:c.
func (im *importer) tagIf(d Directive) {
	var sets, needs []string
	for _, part := range fields(d.Arg) {
		if tag, ok := tagged(part); ok {
			needs = append(needs, tag)
		} else {
			sets = append(sets, setting(part))
		}
	}
	all, why := im.resolve(needs)
	if why == "" && len(all.not) > 0 {
		why = "a class can't ask for what isn't"
	}
	for _, tag := range sets {
		if why != "" {
			im.lost[tag] = why
			continue
		}
		for _, a := range all.ways {
			im.set(tag, a)
		}
	}
	if why != "" {
		im.note(Unsupported, why)
	}
}

// tagSet is what a list of tags comes to.
type tagSet struct {
	ways []alternative // none: nobody has them
	not  []string      // tags that must not be set
}

// resolve finds who has all the tags; why not, where labnet can't tell.
func (im *importer) resolve(tags []string) (tagSet, string) {
	out := tagSet{ways: []alternative{{}}}
	for _, tag := range tags {
		if rest, negated := strings.CutPrefix(tag, "!"); negated {
			if im.lost[rest] != "" {
				return out, im.lost[rest]
			}
			out.not = append(out.not, rest)
			continue
		}
		if im.lost[tag] != "" {
			return out, im.lost[tag]
		}
		ways := im.tags[tag]
		if tag == "known" {
			ways = []alternative{{known: true}}
		}
		var both []alternative
		for _, a := range out.ways {
			for _, b := range ways {
				if a.apart(b) {
					continue
				}
				one, ok := a.and(b)
				if !ok {
					return out, "a class can't ask for two of one kind at once"
				}
				both = append(both, one)
			}
		}
		out.ways = both
	}
	return out, ""
}

func hexBytes(s string) ([]byte, bool) {
	var out []byte
	for part := range strings.SplitSeq(s, ":") {
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil {
			return nil, false
		}
		out = append(out, byte(b))
	}
	return out, true
}

func addrOf(data []byte) netip.Addr { return netip.AddrFrom4([4]byte(data)) }
