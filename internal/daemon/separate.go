package daemon

import (
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/netcfg"
)

// separate maps what keeps a network apart.
func separate(out *netcfg.Network, n config.Network) {
	out.Isolate = n.Bridge.IsolateGuests
	out.Adopt = n.Bridge.Adopt
	out.Services = n.HostAccess == "services"
	out.AllowFrom = n.AllowFrom
	out.Isolated = n.Mode == "isolated"
}

// returnRoutes is the routes that LANs need to networks which aren't masqueraded, as the API shows them.
func returnRoutes(host *netcfg.Host, cfg netcfg.Config) ([]control.ReturnRoute, error) {
	found, err := host.ReturnRoutes(cfg)
	out := make([]control.ReturnRoute, 0, len(found))
	for _, r := range found {
		out = append(out, control.ReturnRoute{Network: r.Network, Subnet: r.Subnet, Via: r.Via, Command: r.String()})
	}
	return out, err
}
