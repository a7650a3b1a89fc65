package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// importRule is a difference that is meant: a row of the table in docs/dnsmasq.md.
type importRule struct {
	what     string
	explains func(d *importDifference) bool // takes off what it explains
}

// of tells whether a line is of one of the options.
func of(line string, codes ...int) bool {
	return slices.ContainsFunc(codes, func(code int) bool {
		return strings.HasPrefix(line, fmt.Sprintf("offer option %d ", code)) || strings.HasPrefix(line, fmt.Sprintf("ack option %d ", code))
	})
}

// added is a rule for options that labnet sends, and dnsmasq doesn't.
func added(what string, is func(d *importDifference, line string) bool, codes ...int) importRule {
	return importRule{what, func(d *importDifference) bool {
		return d.take(nil, func(s string) bool {
			return of(s, codes...) && is(d, s) && !slices.ContainsFunc(d.minus, func(m string) bool {
				return strings.Join(strings.Fields(m)[:3], " ") == strings.Join(strings.Fields(s)[:3], " ")
			})
		})
	}}
}

// named is a rule for answers to questions for names.
func named(what string, holds func(d *importDifference) bool) importRule {
	return importRule{what, func(d *importDifference) bool {
		all := func(string) bool { return true }
		return d.question() != "" && holds(d) && d.take(all, all)
	}}
}

// question is the name that is asked for; "" for messages of DHCP.
func (d *importDifference) question() string {
	name, _, _ := strings.Cut(d.key, " ")
	if !strings.HasSuffix(name, ".") {
		return ""
	}
	return name
}

// inDomain tells whether a network here answers for the name.
func (d *importDifference) inDomain(name string) bool {
	return slices.ContainsFunc(d.domains, func(domain string) bool { return name == domain+"." || strings.HasSuffix(name, "."+domain+".") })
}

// mentions tells whether there is a line with the text.
func mentions(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, text) })
}

// forwarded tells whether the answer is an upstream's.
func forwarded(lines []string) bool { return mentions(lines, "93.184.216.") }

// denied tells whether the whole of an answer is that there is no such name, or nothing of the type.
func denied(lines []string) bool {
	return slices.Equal(lines, []string{"rcode NXDOMAIN"}) || slices.Equal(lines, []string{"rcode NOERROR"}) || len(lines) == 0
}

var ranges = regexp.MustCompile(`\b(\d+\.\d+\.\d+\.\d+),(\d+\.\d+\.\d+\.\d+)\b`)

// pooled puts the range in the place of an address that is of it, and not of a host.
func (d *importDifference) pooled(lines []string) []string {
	out := slices.Clone(lines)
	reserved := ranges.ReplaceAllString(d.text, "")
	for i, line := range out {
		kind, addr, ok := strings.Cut(line, " yiaddr ")
		a, err := netip.ParseAddr(addr)
		if !ok || err != nil || regexp.MustCompile(`\b`+regexp.QuoteMeta(addr)+`\b`).MatchString(reserved) {
			continue
		}
		for _, r := range ranges.FindAllStringSubmatch(d.text, -1) {
			start, _ := netip.ParseAddr(r[1])
			end, _ := netip.ParseAddr(r[2])
			if !a.Less(start) && !end.Less(a) {
				out[i] = kind + " yiaddr of the range"
			}
		}
	}
	return out
}

// importRules are the rows of the table in docs/dnsmasq.md, in its order.
func importRules() []importRule {
	any := func(*importDifference, string) bool { return true }
	return append([]importRule{
		{"T1, T2", func(d *importDifference) bool {
			isTime := func(s string) bool { return of(s, 58, 59) }
			return d.take(isTime, isTime)
		}},
		{"siaddr", func(d *importDifference) bool {
			pairs := d.take(func(s string) bool {
				return strings.HasSuffix(s, " siaddr "+d.server) && slices.Contains(d.plus, strings.TrimSuffix(s, d.server)+"0.0.0.0")
			}, nil)
			return pairs && d.take(nil, func(s string) bool { return strings.HasSuffix(s, " siaddr 0.0.0.0") })
		}},
		added("search list", any, 119),
		added("client identifier", any, 61),
		{"name in an OFFER", func(d *importDifference) bool {
			return d.take(nil, func(s string) bool { return strings.HasPrefix(s, "offer option 12 ") })
		}},
		added("name of a nameless host", func(_ *importDifference, s string) bool { return strings.Contains(s, `"host-`) }, 12),
		added("domain", func(_ *importDifference, s string) bool { return strings.HasSuffix(s, `"lab.internal"`) }, 15),
		{"default route", func(d *importDifference) bool {
			route := func(s string) bool { return of(s, 121) }
			return len(d.plus) > 0 && d.take(route, route)
		}},
		{"boot file in header and option", func(d *importDifference) bool {
			empty := func(s string) bool { return strings.HasSuffix(s, ` file ""`) || strings.HasSuffix(s, ` sname ""`) }
			filled := func(s string) bool { return strings.Contains(s, " file ") || strings.Contains(s, " sname ") }
			return slices.ContainsFunc(d.minus, empty) && d.take(empty, filled)
		}},
		{"zero behind a text", func(d *importDifference) bool {
			var ended []string
			for _, s := range d.minus {
				head, data, _ := strings.Cut(s, " \"")
				hex, zero := strings.CutSuffix(head, "00")
				text := strings.TrimSuffix(data, `\x00"`)
				if of(s, 66, 67) && zero && slices.Contains(d.plus, hex+" \""+text+"\"") {
					ended = append(ended, s, hex+" \""+text+"\"")
				}
			}
			in := func(s string) bool { return slices.Contains(ended, s) }
			return d.take(in, in)
		}},
		added("boot server in option 66", any, 66),
		{"PXEClient", func(d *importDifference) bool {
			vendor := func(s string) bool { return of(s, 60) && strings.Contains(s, "PXEClient") }
			return d.take(vendor, vendor)
		}},
		added("machine identifier", any, 97),
		added("class of starred MACs", func(d *importDifference, _ string) bool { return strings.Contains(d.text, "02:00:00:*") }, 26),
	}, nameRules()...)
}

// nameRules are those about names.
func nameRules() []importRule {
	return []importRule{
		named("domain of reverse names", func(d *importDifference) bool {
			return len(d.minus) == 1 && len(d.plus) == 1 && strings.HasSuffix(d.plus[0], "lab.internal.") && strings.HasPrefix(d.plus[0], strings.TrimSuffix(d.minus[0], "."))
		}),
		named("localhost", func(d *importDifference) bool { return strings.HasSuffix(d.question(), ".127.in-addr.arpa.") }),
		named("reverse name of the gateway", func(d *importDifference) bool {
			return slices.ContainsFunc(d.servers, func(s string) bool {
				reverse, _ := dns.ReverseAddr(s)
				return d.question() == reverse
			})
		}),
		named("names of hosts without a lease", func(d *importDifference) bool {
			return strings.HasSuffix(d.question(), ".arpa.") && len(d.plus) > 0 && strings.Contains(d.plus[0], " in ptr ") && !forwarded(d.plus)
		}),
		named("unknown names of the domain", func(d *importDifference) bool {
			return d.inDomain(d.question()) && denied(d.plus) && forwarded(d.minus)
		}),
		named("no data", func(d *importDifference) bool {
			return d.inDomain(d.question()) && (slices.Equal(d.minus, []string{"rcode NXDOMAIN"}) && slices.Equal(d.plus, []string{"rcode NOERROR"}) ||
				slices.Equal(d.plus, []string{"rcode NXDOMAIN"}) && slices.Equal(d.minus, []string{"rcode NOERROR"}))
		}),
		named("reverse names of private addresses", func(d *importDifference) bool {
			return strings.HasSuffix(d.question(), ".in-addr.arpa.") && denied(d.plus) && forwarded(d.minus)
		}),
		named("aliases", func(d *importDifference) bool {
			return len(d.minus) == 0 && d.inDomain(d.question()) && len(d.plus) == 1 && strings.Contains(d.plus[0], " in a ")
		}),
		named("blocked names", func(d *importDifference) bool {
			nothing := "answer " + d.question() + " 0 in "
			blocked := func(lines []string) bool {
				return !slices.ContainsFunc(lines, func(s string) bool {
					return !strings.HasPrefix(s, "rcode ") && s != nothing+"aaaa ::" && s != nothing+"a 0.0.0.0" && !strings.HasPrefix(d.question(), "0.0.0.0.in-addr")
				})
			}
			blocks := strings.Contains(d.text, strings.TrimPrefix(strings.TrimSuffix(d.question(), "."), "below.")) || strings.HasPrefix(d.question(), "0.0.0.0.in-addr")
			return blocks && !d.inDomain(d.question()) && blocked(d.minus) && blocked(d.plus) && !slices.Contains(d.minus, "rcode REFUSED")
		}),
		named("names below one outside the domains", func(d *importDifference) bool {
			above, below := strings.CutPrefix(d.question(), "below.")
			return below && strings.Contains(d.text, "address=/"+strings.TrimSuffix(above, ".")+"/") && !d.inDomain(above) && (forwarded(d.plus) || denied(d.plus))
		}),
		named("nobody to ask", func(d *importDifference) bool { return slices.Equal(d.minus, []string{"rcode REFUSED"}) }),
	}
}
