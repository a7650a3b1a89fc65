package handover

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// wantAddresses is what the bridge gets, in this order; in the words of the uplink.
func (s snapshot) wantAddresses(cfg Config) []address {
	var out []address
	if cfg.Address.IsValid() {
		out = append(out, static(cfg.Address))
	}
	for _, a := range s.Addresses {
		if a.temporary() || a.is4() && cfg.Address.IsValid() {
			continue
		}
		out = append(out, a)
	}
	return out
}

// wantRoutes is the routes that lead over the bridge, in the words of the uplink: those that the kernel makes by itself with the
// addresses among them, since it takes them away with the same addresses of the uplink.
func (s snapshot) wantRoutes(cfg Config) []route {
	if !cfg.Address.IsValid() {
		return byReach(s.Routes)
	}
	var out []route
	var metric uint32
	for _, r := range s.Routes {
		if !r.is4() {
			out = append(out, r)
			continue
		}
		gateway := r.gateway(s.Index)
		isDefault := r.dst().Bits() == 0 && r.table() == unix.RT_TABLE_MAIN
		if isDefault {
			metric = r.metric()
		}
		switch {
		case r.kernel(), r.viaGateway() && !cfg.Address.Masked().Contains(gateway), isDefault && cfg.Gateway.IsValid():
		default:
			out = append(out, route{r.with(unix.RTA_PREFSRC, nil)})
		}
	}
	if cfg.Gateway.IsValid() {
		out = append(out, defaultBy(cfg.Gateway, s.Index, metric))
	}
	return byReach(out)
}

// defaults are the gateways of IPv4 default routes of the main table among some routes.
func defaults(routes []route, index int) []netip.Addr {
	var out []netip.Addr
	for _, r := range routes {
		if gw := r.gateway(index); r.is4() && r.dst().Bits() == 0 && r.table() == unix.RT_TABLE_MAIN && gw.Is4() {
			out = append(out, gw)
		}
	}
	return out
}
