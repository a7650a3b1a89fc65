package netcfg

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const mainTable = unix.RT_TABLE_MAIN

// policyRule is a rule by which the kernel chooses a routing table, ip-rule(8).
type policyRule struct {
	priority  uint32
	table     uint32
	action    byte
	src, dst  netip.Prefix // invalid: any
	in        string       // "": any
	marked    bool         // only packets with a mark
	invert    bool
	suppress  int  // routes of no more bits don't count; -1: all do
	opaque    bool // has a condition that isn't looked at here
	outOfHost bool // only what the host itself sends by an interface
}

// Attributes and actions of uapi/linux/fib_rules.h.
const (
	fraDst, fraSrc, fraIifname, fraPriority, fraFwmark, fraSuppressPrefixlen, fraTable, fraOifname = 1, 2, 3, 6, 10, 14, 15, 17

	fraTunID, fraSuppressIfgroup, fraL3mdev, fraUIDRange, fraIPProto, fraSportRange, fraDportRange = 12, 13, 19, 20, 22, 23, 24

	actionTable, actionBlackhole, actionProhibit = 1, 6, 8

	ruleInverted = 2
)

func readPolicyRules(conn *netlink.Conn) ([]policyRule, error) {
	request := make([]byte, 12)
	request[0] = unix.AF_INET
	messages, err := dump(conn, unix.RTM_GETRULE, request)
	if err != nil {
		return nil, fmt.Errorf("listing routing rules: %w", err)
	}
	var rules []policyRule
	for _, m := range messages {
		if len(m.Data) < 12 || m.Data[0] != unix.AF_INET {
			continue
		}
		r := policyRule{table: uint32(m.Data[4]), action: m.Data[7], suppress: -1, invert: native32(m.Data[8:])&ruleInverted != 0}
		r.opaque = m.Data[3] != 0 // TOS
		if err := eachAttribute(m.Data, 12, func(kind uint16, v []byte) {
			switch kind {
			case fraDst:
				r.dst = prefixOf(v, m.Data[1])
			case fraSrc:
				r.src = prefixOf(v, m.Data[2])
			case fraIifname:
				r.in = text(v)
			case fraOifname:
				r.outOfHost = true
			case fraPriority:
				r.priority = native32(v)
			case fraFwmark:
				r.marked = native32(v) != 0
			case fraSuppressPrefixlen:
				r.suppress = int(int32(native32(v)))
			case fraTable:
				r.table = native32(v)
			case fraL3mdev, fraUIDRange, fraIPProto, fraSportRange, fraDportRange:
				r.opaque = true
			case fraTunID:
				r.opaque = r.opaque || slices.ContainsFunc(v, func(b byte) bool { return b != 0 })
			case fraSuppressIfgroup:
				r.opaque = r.opaque || native32(v) != ^uint32(0)
			}
		}); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	slices.SortStableFunc(rules, func(a, b policyRule) int { return cmp.Compare(a.priority, b.priority) })
	return rules, nil
}

func prefixOf(addr []byte, bits byte) netip.Prefix {
	a, _ := netip.AddrFromSlice(addr)
	return netip.PrefixFrom(a, int(bits))
}

// takes reports whether a rule is for a packet that is forwarded, as far as its conditions are looked at here.
func (r policyRule) takes(p packet) bool {
	if r.opaque || r.outOfHost {
		return false
	}
	fits := (!r.src.IsValid() || r.src.Contains(p.src)) && (!r.dst.IsValid() || r.dst.Contains(p.dst)) &&
		(r.in == "" || r.in == p.in.name) && !r.marked
	return fits != r.invert
}

// refuses reports whether a rule ends a packet: blackhole, unreachable or prohibit.
func (r policyRule) refuses() bool { return r.action >= actionBlackhole && r.action <= actionProhibit }

// routeProblems are rules that lead what is for guests, or from them, elsewhere.
func (s *surroundings) routeProblems(cfg Config, f *facts) []Problem {
	var problems []Problem
	for _, n := range cfg.Networks {
		bridge, ok := f.link(n.Bridge)
		if !ok {
			bridge = link{name: n.Bridge}
		}
		uplink := link{}
		if ways := cfg.waysOut(n, f); len(ways) > 0 {
			uplink, _ = f.link(ways[0])
		}
		subnet := n.Address.Masked()
		if rule, to, ok := s.astray(returning(n, bridge, uplink), bridge, f); ok {
			problems = append(problems, Problem{
				Network: n.Name,
				Summary: fmt.Sprintf("the routing rule of priority %d %s what is for guests of %s", rule.priority, to, n.Bridge),
				Remedy:  fmt.Sprintf("ip rule add to %s lookup main priority %d", subnet, max(rule.priority, 1)-1),
			})
		}
		if rule, ok := s.refused(leaving(n, bridge, uplink), f); ok {
			problems = append(problems, Problem{
				Network: n.Name,
				Summary: fmt.Sprintf("the routing rule of priority %d refuses what guests of %s send", rule.priority, n.Bridge),
				Remedy:  fmt.Sprintf("ip rule add from %s lookup main priority %d", subnet, max(rule.priority, 1)-1),
			})
		}
	}
	return problems
}

// astray finds the rule that takes a packet which should go to a bridge before the main table is asked, where the bridge's route is, and
// what it does with it.
func (s *surroundings) astray(p packet, bridge link, f *facts) (rule policyRule, does string, found bool) {
	for _, r := range s.rules {
		if r.table == unix.RT_TABLE_LOCAL || !r.takes(p) {
			continue
		}
		if r.refuses() {
			return r, "refuses", true
		}
		if r.action != actionTable {
			continue
		}
		if r.table == mainTable {
			return policyRule{}, "", false // its route to the subnet is a longer one than any that is suppressed
		}
		best, ok := r.route(p, f)
		switch {
		case !ok:
		case slices.Contains(best.links, bridge.index) && bridge.index != 0:
			return policyRule{}, "", false
		default:
			return r, fmt.Sprintf("leads elsewhere, by table %d,", r.table), true
		}
	}
	return policyRule{}, "", false
}

// refused finds the rule that ends a packet, if no table before it has a route for it.
func (s *surroundings) refused(p packet, f *facts) (policyRule, bool) {
	for _, r := range s.rules {
		if r.table == unix.RT_TABLE_LOCAL || !r.takes(p) {
			continue
		}
		if _, ok := r.route(p, f); ok || r.refuses() {
			return r, r.refuses()
		}
	}
	return policyRule{}, false
}

// route is the route that a rule's table has for a packet.
func (r policyRule) route(p packet, f *facts) (best route, found bool) {
	if r.action != actionTable {
		return best, false
	}
	for _, candidate := range f.routes {
		if candidate.table == r.table && candidate.dst.Contains(p.dst) && candidate.dst.Bits() > r.suppress &&
			(!found || candidate.dst.Bits() > best.dst.Bits()) {
			best, found = candidate, true
		}
	}
	return best, found
}

// readReceived tells the links that have IPv6 addresses or default routes by router advertisements.
func readReceived(conn *netlink.Conn) (map[int]bool, error) {
	received := map[int]bool{}
	request := make([]byte, unix.SizeofIfAddrmsg)
	request[0] = unix.AF_INET6
	messages, err := dump(conn, unix.RTM_GETADDR, request)
	if err != nil {
		return nil, fmt.Errorf("listing IPv6 addresses: %w", err)
	}
	for _, m := range messages {
		if len(m.Data) >= unix.SizeofIfAddrmsg && m.Data[0] == unix.AF_INET6 &&
			m.Data[2]&unix.IFA_F_PERMANENT == 0 && m.Data[3] == unix.RT_SCOPE_UNIVERSE {
			received[int(native32(m.Data[4:]))] = true
		}
	}
	return received, nil
}
