package netcfg

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Note is something about the host that is as it may be, and good to know.
type Note struct {
	Network string // the network of the configuration that it concerns, "" for all
	Text    string // one line
	Hint    string // what could be done about it, one line; may be ""
}

// surroundings are what else lives on the host, as far as it matters to networks of ours.
type surroundings struct {
	foreign  *ruleset     // nil where it can't be read
	legacy   *legacyTable // nil for none
	settings map[sysctlKey]string
	rules    []policyRule
	received map[int]bool // links with something that came by IPv6 router advertisements
	takers   []taker
	files    fileProblems
}

const (
	bridgeFilterKey sysctlKey = "net/bridge/bridge-nf-call-iptables"
	trackedKey      sysctlKey = "net/netfilter/nf_conntrack_count"
	trackableKey    sysctlKey = "net/netfilter/nf_conntrack_max"
)

func rpFilterOf(link string) sysctlKey { return sysctlKey("net/ipv4/conf/" + link + "/rp_filter") }

func forwarding6Of(link string) sysctlKey { return sysctlKey("net/ipv6/conf/" + link + "/forwarding") }

func acceptRAOf(link string) sysctlKey { return sysctlKey("net/ipv6/conf/" + link + "/accept_ra") }

// lookAround looks at what isn't ours. serving says that this process has the ports itself.
func (ns *namespace) lookAround(cfg Config, f *facts, foreign *ruleset, serving bool) (*surroundings, error) {
	s := &surroundings{foreign: foreign, files: readManagers(os.DirFS("/"), cfg, f)}
	var err error
	if s.rules, err = readPolicyRules(ns.route); err != nil {
		return nil, err
	}
	if s.received, err = readReceived(ns.route); err != nil {
		return nil, err
	}
	keys := []sysctlKey{bridgeFilterKey, trackedKey, trackableKey, rpFilterOf("all")}
	for _, name := range cfg.uplinks(f) {
		keys = append(keys, rpFilterOf(name), forwarding6Of(name), acceptRAOf(name))
	}
	err = ns.inside(func() (err error) {
		if s.settings, err = readSysctls(keys); err != nil {
			return err
		}
		// What can't be read without privilege is left out, as the firewall is.
		if foreign != nil {
			if s.legacy, err = readLegacy(); err != nil {
				return err
			}
		}
		if !serving {
			s.takers = findTakers(cfg, f)
		}
		return nil
	})
	return s, err
}

// problems is what stands against a configuration in what else lives on the host. It is pure, but for sets of foreign rules, which are
// read when a rule asks for them.
func (s *surroundings) problems(cfg Config, f *facts) []Problem {
	problems := foreignProblems(cfg, f, s.foreign, s.legacy, s.settings[bridgeFilterKey] == "1")
	problems = append(problems, s.routeProblems(cfg, f)...)
	problems = append(problems, s.settingProblems(cfg, f)...)
	for _, t := range s.takers {
		problems = append(problems, t.problem())
	}
	return append(problems, s.files.problems...)
}

// settingProblems are sysctls of the host that would keep packets from guests, or the host from its own network.
func (s *surroundings) settingProblems(cfg Config, f *facts) []Problem {
	var problems []Problem
	if used, most := s.number(trackedKey), s.number(trackableKey); most > 0 && used*10 >= most*8 {
		problems = append(problems, Problem{
			Summary: fmt.Sprintf("connection tracking is nearly full, %d of %d: new connections will be dropped", used, most),
			Remedy:  fmt.Sprintf("sysctl -w %s=%d", trackableKey, most*2),
		})
	}
	uplinks := cfg.uplinks(f)
	if strict := s.strict(uplinks); len(strict) > 0 && (len(uplinks) > 1 || !slices.Contains(f.mainUplinks(), strict[0])) {
		var set []string
		for _, name := range strict {
			set = append(set, fmt.Sprintf("%s=2", rpFilterOf(name)))
		}
		problems = append(problems, Problem{
			Summary: fmt.Sprintf("strict rp_filter on %s, and there are several ways out: answers that come by another than the route back are dropped", strings.Join(strict, ", ")),
			Remedy:  "sysctl -w " + strings.Join(set, " "),
		})
	}
	problems = append(problems, narrowPorts(cfg, f)...)
	for _, name := range uplinks {
		l, ok := f.link(name)
		if ok && s.received[l.index] && s.settings[forwarding6Of(name)] == "1" && s.settings[acceptRAOf(name)] == "1" {
			problems = append(problems, Problem{
				Summary: fmt.Sprintf("%s forwards IPv6, and so takes no more router advertisements: the host's own IPv6 ends when what it has expires", name),
				Remedy:  fmt.Sprintf("sysctl -w %s=2", acceptRAOf(name)),
			})
		}
	}
	return problems
}

func (s *surroundings) number(key sysctlKey) int {
	n, _ := strconv.Atoi(s.settings[key])
	return n
}

// strict are the interfaces that drop what didn't come by the way back (RFC 3704 section 2.2). The stricter of an interface's setting
// and the one for all counts, but loose is the larger number.
func (s *surroundings) strict(uplinks []string) []string {
	var names []string
	for _, name := range uplinks {
		if max(s.number(rpFilterOf("all")), s.number(rpFilterOf(name))) == 1 {
			names = append(names, name)
		}
	}
	return names
}

// mainUplinks are the interfaces that the main table's default routes leave by.
func (f *facts) mainUplinks() []string {
	var names []string
	for _, r := range f.routes {
		if r.table == mainTable && r.dst.Bits() <= 1 {
			for _, index := range r.links {
				names = append(names, f.linkName(index))
			}
		}
	}
	return names
}

// notes are what is as it may be.
func (s *surroundings) notes(cfg Config, f *facts, problems []Problem) []Note {
	var notes []Note
	if s.settings[bridgeFilterKey] == "1" {
		notes = append(notes, Note{
			Text: "br_netfilter is on: what guests of one bridge say to one another passes the host's rules for forwarded packets too; labnet's let it through",
			Hint: fmt.Sprintf("nothing of labnet's needs it; what does is Docker, Kubernetes or the like. Off: sysctl -w %s=0", bridgeFilterKey),
		})
	}
	for _, n := range cfg.Networks {
		for _, name := range cfg.waysOut(n, f) {
			if l, ok := f.link(name); ok && l.mtu > 0 && n.MTU > l.mtu {
				notes = append(notes, Note{
					Network: n.Name,
					Text:    fmt.Sprintf("the mtu of %s, %d, is above that of %s, %d: labnet fits TCP to it, other large packets are fragmented or refused", n.Bridge, n.MTU, name, l.mtu),
					Hint:    fmt.Sprintf("bridge { mtu = %d }", l.mtu),
				})
			}
		}
	}
	for _, tool := range s.foreign.tools() {
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Remedy, tool.command) }) {
			notes = append(notes, Note{Text: tool.name + " filters here too, and lets guests through"})
		}
	}
	return append(notes, s.files.notes...)
}

// tool is a manager of firewalls, by a word of the commands that it is told by.
type tool struct{ name, command string }

// tools are those whose rules are there.
func (r *ruleset) tools() []tool {
	if r == nil {
		return nil
	}
	var found []tool
	add := func(t tool) {
		if !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	for at := range r.chains {
		switch {
		case at.table.name == "firewalld" || strings.HasPrefix(at.name, "INPUT_ZONES"):
			add(tool{"firewalld", "firewall-cmd"})
		case strings.HasPrefix(at.name, "ufw-"):
			add(tool{"ufw", "ufw "})
		case at.name == "DOCKER-USER":
			add(tool{"Docker", "DOCKER-USER"})
		}
	}
	slices.SortFunc(found, func(a, b tool) int { return strings.Compare(a.name, b.name) })
	return found
}
