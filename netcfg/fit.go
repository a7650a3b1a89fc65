package netcfg

import (
	"slices"

	"golang.org/x/sys/unix"
)

// fitTCP has TCP connections across the host use segments that each link carries, where some link or route carries less than a bridge does.
// Without it a connection hangs where the ICMP messages of path MTU discovery don't come through (RFC 2923 section 2.1). Where all
// carry as much, there is nothing to look at.
func (t *table) fitTCP(cfg Config, f *facts, ports map[string]port) {
	if !f.narrows(cfg, ports) {
		return
	}
	forward := t.chains["forward"]
	// Before anything is accepted. All but a connection's first packets leave it by the first rule.
	forward.rules = append([]rule{inet("", l4proto(unix.IPPROTO_TCP), onlySYN(), jumpTo("clamp_syn"))}, forward.rules...)
	t.chains["forward"] = forward
	t.chains["clamp_syn"] = chain{rules: []rule{
		inet("", l4proto(unix.IPPROTO_TCP), iifnameIn("bridges"), clampMSS()),
		inet("", l4proto(unix.IPPROTO_TCP), oifnameIn("bridges"), clampMSS()),
	}}
}

// narrows reports whether some link or route carries less than a bridge of ours. Ports, and those that are to be, don't count: they don't
// route; nor does what is ours and is to go.
func (f *facts) narrows(cfg Config, ports map[string]port) bool {
	most := 0
	for _, n := range cfg.Networks {
		most = max(most, n.MTU)
	}
	less := func(mtu int) bool { return mtu > 0 && mtu < most }
	return slices.ContainsFunc(cfg.Networks, func(n Network) bool { return less(n.MTU) }) ||
		slices.ContainsFunc(f.links, func(l link) bool {
			_, plugged := ports[l.name]
			return less(l.mtu) && !l.loopback && !plugged && l.master == 0 && !f.ours(l) && l.alias != alias
		}) ||
		slices.ContainsFunc(f.routes, func(r route) bool { return less(r.mtu) })
}
