package handover

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Findings are what a look at the host before a handover tells.
type Findings struct {
	Problems []Problem
	Notes    []string     // what a person should know, and nothing stands against
	Gateways []netip.Addr // of default routes, that answer ARP
}

// Preflight looks for what stands against cfg. It asks the gateways by ARP who they are, and changes nothing.
func (h *Host) Preflight(cfg Config) (Findings, error) {
	links, err := h.conn.links()
	if err != nil {
		return Findings{}, err
	}
	found := Findings{Problems: linkProblems(cfg, links)}
	uplink, ok := find(links, cfg.Uplink)
	if !ok {
		return found, nil
	}
	if h.wireless(cfg.Uplink) {
		found.Problems = append(found.Problems, Problem{
			Summary: cfg.Uplink + " is Wi-Fi: an access point takes no frames from other machines than the one that logged in",
			Remedy:  "use mode = \"routed\", or a wired interface",
		})
	}
	s, err := h.conn.take(uplink)
	if err != nil {
		return Findings{}, err
	}
	found.Problems = append(found.Problems, snapshotProblems(cfg, s)...)
	found.Problems = append(found.Problems, h.managers(uplink, cfg.Bridge)...)
	routes, err := h.conn.routes()
	if err != nil {
		return Findings{}, err
	}
	found.Problems = append(found.Problems, ownRoute(links, routes)...)
	if len(found.Problems) == 0 || !slices.ContainsFunc(found.Problems, func(p Problem) bool { return !p.Force }) {
		if err := h.askGateways(cfg, s, &found); err != nil {
			return Findings{}, err
		}
	}
	if cloud := h.cloud(); cloud != "" {
		found.Notes = append(found.Notes, "this machine runs at "+cloud+", which drops frames from MAC addresses other than its own: guests may reach nobody")
	}
	return found, nil
}

// linkProblems is what stands against it in the links.
func linkProblems(cfg Config, links []link) []Problem {
	uplink, ok := find(links, cfg.Uplink)
	if !ok {
		return []Problem{{Summary: fmt.Sprintf("the uplink %s doesn't exist", cfg.Uplink), Remedy: "`ip link` lists what there is", Wait: true}}
	}
	var out []Problem
	add := func(wait bool, remedy, format string, args ...any) {
		out = append(out, Problem{Summary: fmt.Sprintf(format, args...), Remedy: remedy, Wait: wait})
	}
	switch {
	case uplink.loopback || !uplink.ethernet:
		add(false, "name a wired network interface", "%s isn't Ethernet", cfg.Uplink)
	case uplink.kind == "bridge":
		add(false, "name the interface behind it, or plug the guests into it: it is a bridge", "%s is a bridge itself", cfg.Uplink)
	case slices.Contains([]string{"macvlan", "macvtap", "ipvlan", "ipvtap", "tun"}, uplink.kind):
		add(false, "name the interface below it", "%s is of kind %s, which takes no frames for guests", cfg.Uplink, uplink.kind)
	case !uplink.up:
		add(true, "ip link set "+cfg.Uplink+" up", "%s is down", cfg.Uplink)
	case !uplink.carrier:
		add(true, "look for its cable", "%s has no carrier", cfg.Uplink)
	}
	if uplink.master != 0 {
		master, _ := byIndex(links, uplink.master)
		add(false, "take it off first: ip link set "+cfg.Uplink+" nomaster", "%s is a port of %s already", cfg.Uplink, master.name)
	}
	for _, l := range links {
		if l.lower == uplink.index && l.index != uplink.index && slices.Contains([]string{"macvlan", "macvtap", "ipvlan", "ipvtap"}, l.kind) {
			add(false, "remove it, or give it another interface: a port of a bridge can't carry it", "%s (%s) stands on %s", l.name, l.kind, cfg.Uplink)
		}
	}
	if bridge, ok := find(links, cfg.Bridge); ok {
		switch {
		case bridge.kind == "bridge" && bridge.alias == mark:
			add(false, "if nothing needs it: ip link del "+cfg.Bridge, "%s is a bridge of labnet's, of which nothing is recorded", cfg.Bridge)
		default:
			kind := bridge.kind
			if kind == "" {
				kind = "device"
			}
			add(false, "name another bridge, or remove that one: ip link del "+cfg.Bridge, "there is already a link %s (%s) that isn't labnet's", cfg.Bridge, kind)
		}
	}
	return out
}

// snapshotProblems is what stands against it in the uplink's addresses and routes.
func snapshotProblems(cfg Config, s snapshot) []Problem {
	var out []Problem
	inherits := !cfg.Address.IsValid() && !cfg.DHCP
	has4 := false
	for _, a := range s.Addresses {
		if !a.is4() {
			continue
		}
		has4 = true
		if inherits && a.valid() != forever {
			out = append(out, Problem{
				Summary: fmt.Sprintf("the address %v of %s is leased for another %v, and nobody would renew it on %s", a.prefix(), cfg.Uplink, time.Duration(a.valid())*time.Second, cfg.Bridge),
				Remedy:  "have labnet lease it: address = \"dhcp\"; or give a static one: address = \"" + a.prefix().String() + "\", with gateway", Force: true,
			})
		}
	}
	if inherits && !has4 {
		out = append(out, Problem{
			Summary: cfg.Uplink + " has no IPv4 address to inherit", Remedy: "wait until it has, or give one: address = \"192.0.2.5/24\" or \"dhcp\"", Wait: true, Force: true,
		})
	}
	if slices.ContainsFunc(s.Routes, route.hasNexthopID) {
		out = append(out, Problem{
			Summary: "a route over " + cfg.Uplink + " uses a nexthop object, which can't be moved", Remedy: "make it an ordinary route: `ip nexthop` lists them",
		})
	}
	if cfg.Gateway.IsValid() && !cfg.Address.Masked().Contains(cfg.Gateway) {
		out = append(out, Problem{Summary: fmt.Sprintf("the gateway %v is not in %v", cfg.Gateway, cfg.Address.Masked()), Remedy: "correct one of them"})
	}
	return out
}

// ownRoute finds a default route that leads over a routed network's bridge: the host would reach nothing by it.
func ownRoute(links []link, routes []route) []Problem {
	for _, l := range links {
		if l.kind != "bridge" || l.alias != "labnet" {
			continue
		}
		for _, r := range routes {
			if r.is4() && r.dst().Bits() == 0 && r.over(l.index) {
				return []Problem{{
					Summary: fmt.Sprintf("the host's own default route goes over labnet's bridge %s", l.name),
					Remedy:  "remove it: ip route del default dev " + l.name,
				}}
			}
		}
	}
	return nil
}

// askGateways asks for as long as a switch port may take to open.
func (h *Host) askGateways(cfg Config, s snapshot, found *Findings) error {
	for _, gw := range defaults(s.wantRoutes(cfg), s.Index) {
		answers, err := answersARP(s.Index, s.MAC, senderFor(s.wantAddresses(cfg), gw), gw, 3*time.Second)
		if err != nil {
			return err
		}
		if answers {
			found.Gateways = append(found.Gateways, gw)
			continue
		}
		found.Problems = append(found.Problems, Problem{
			Summary: fmt.Sprintf("the gateway %v doesn't answer ARP over %s now, so that it couldn't be seen whether it does over %s", gw, cfg.Uplink, cfg.Bridge),
			Remedy:  "look for it: ping -c3 " + gw.String(), Force: true, Wait: true,
		})
	}
	return nil
}

// wireless reports Wi-Fi.
func (h *Host) wireless(name string) bool {
	for _, sign := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(h.root, "/sys/class/net", name, sign)); err == nil {
			return true
		}
	}
	return false
}

// cloud names a provider that is known to let each machine send from its own MAC address only, "" for none.
func (h *Host) cloud() string {
	for _, file := range []string{"sys_vendor", "board_vendor", "chassis_asset_tag"} {
		text, err := os.ReadFile(filepath.Join(h.root, "/sys/class/dmi/id", file))
		if err != nil {
			continue
		}
		for _, known := range []struct{ sign, name string }{
			{"Amazon EC2", "Amazon EC2"},
			{"Google", "Google Compute Engine"},
			{"7783-7084-3265-9085-8269-3286-77", "Azure"},
			{"DigitalOcean", "DigitalOcean"},
			{"Hetzner", "Hetzner Cloud"},
			{"Vultr", "Vultr"},
			{"Linode", "Linode"},
			{"Scaleway", "Scaleway"},
		} {
			if strings.Contains(string(text), known.sign) {
				return known.name
			}
		}
	}
	return ""
}
