package netcfg

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// What keeps networks apart from one another, from the outside and from the host.

// crossings are the pairs of bridges of which the guests of the first may go to the second.
const crossings = "crossings"

// toHost leads from a bridge to what its guests may reach of the host.
const toHost = "to_host"

// separation is what the rules of one network need to know of the others and of the host.
type separation struct {
	mac        string // of the bridge
	enters     bool   // its guests may go to another network
	looksFirst bool   // its guests' sources are looked at before they are tracked
}

func (f *facts) separation(cfg Config, n Network) separation {
	return separation{
		mac:    f.bridgeMAC(cfg, n),
		enters: slices.ContainsFunc(cfg.Networks, func(to Network) bool { return mayEnter(n, to) }),

		looksFirst: f.looksFirst(cfg, n),
	}
}

// mayEnter reports whether guests of one network may go to another's.
func mayEnter(from, to Network) bool { return slices.Contains(to.AllowFrom, from.Name) }

// forwards is what the bridge's forwarding must be, if that is ours to say. A network that nothing leaves or enters needs none; on a
// bridge of others, the rules alone see to that.
func (cfg Config) forwards(n Network, adopted bool) (value string, ours bool) {
	if !n.Isolated || len(n.AllowFrom) > 0 || slices.ContainsFunc(cfg.Networks, func(to Network) bool { return mayEnter(n, to) }) {
		return "1", true
	}
	return "0", !adopted
}

// checkSeparation says what contradicts itself in how a network is kept apart.
func (cfg Config) checkSeparation(n Network) error {
	if n.Isolated && (n.Uplink != "" || n.Masquerade) {
		return errors.New("an isolated network has neither uplink nor masquerade")
	}
	for _, name := range n.AllowFrom {
		if name == n.Name {
			return errors.New("it can't allow itself")
		}
		if !slices.ContainsFunc(cfg.Networks, func(other Network) bool { return other.Name == name }) {
			return fmt.Errorf("it allows network %q, which isn't there", name)
		}
	}
	return nil
}

// addCrossings enters who may come into a network.
func (t *table) addCrossings(cfg Config, n Network) {
	for _, from := range cfg.Networks {
		if mayEnter(from, n) {
			t.add(crossings, from.Bridge+" . "+n.Bridge, "")
		}
	}
}

// hostRules say what guests reach of the host, on whichever of its addresses, with a new connection. Questions to a gateway address go
// on to that one's own rules.
func hostRules(n Network, s separation) []rule {
	rules := slices.Concat([]rule{inet("", ctState(established), accept())}, s.checked(n), limitConnections())
	gateways := addr4Vmap(daddrOffset, "gateways")
	if !n.Services {
		return append(rules, inet("", ip4Proto, gateways))
	}
	return append(rules,
		inet("", ip4Proto, udp, dport(53), gateways),
		inet("", ip4Proto, l4proto(unix.IPPROTO_TCP), dport(53), gateways),
		inet("", ip4Proto, udp, dport(67), gateways),
		inet("", ip4Proto, daddr4(limitedBroadcast), udp, dport(67), accept()),
		inet("", l4proto(unix.IPPROTO_ICMP), accept()),
		// Without neighbour discovery the host couldn't even answer (RFC 4861).
		inet("", l4proto(unix.IPPROTO_ICMPV6), accept()),
		inet("services alone", counted("refused_host"), reject()))
}
