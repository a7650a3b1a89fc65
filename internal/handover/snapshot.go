package handover

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// snapshot is an uplink as it was, and everything that goes with it.
type snapshot struct {
	Taken     int64             `json:"taken"` // seconds since boot
	Index     int               `json:"index"`
	MAC       string            `json:"mac"`
	MTU       int               `json:"mtu"`
	Addresses []address         `json:"addresses"`
	Routes    []route           `json:"routes"`
	Rules     []rule            `json:"rules"`
	Settings  map[string]string `json:"settings"`
}

// MarshalJSON keeps the kernel's own bytes: the header, and the attributes.
func (e entry) MarshalJSON() ([]byte, error) {
	return json.Marshal([2][]byte{e.header, marshal(e.attrs)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *entry) UnmarshalJSON(data []byte) error {
	var parts [2][]byte
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	attrs, err := netlink.UnmarshalAttributes(parts[1])
	if err != nil {
		return err
	}
	if len(parts[0]) < unix.SizeofIfAddrmsg {
		return fmt.Errorf("a header of %d bytes", len(parts[0]))
	}
	e.header, e.attrs = parts[0], attrs
	return nil
}

// take reads what goes with a link.
func (c conn) take(l link) (snapshot, error) {
	s := snapshot{Taken: sinceBoot(), Index: l.index, MAC: l.mac, MTU: l.mtu}
	addresses, err := c.addresses()
	if err != nil {
		return s, err
	}
	routes, err := c.routes()
	if err != nil {
		return s, err
	}
	rules, err := c.rules()
	if err != nil {
		return s, err
	}
	// In the order in which they are to be made again: of IPv6 the kernel lists the last one first.
	for _, a := range addresses {
		if a.link() == l.index && a.is4() {
			s.Addresses = append(s.Addresses, a)
		}
	}
	for _, a := range slices.Backward(addresses) {
		if a.link() == l.index && !a.is4() {
			s.Addresses = append(s.Addresses, a)
		}
	}
	s.Routes = slices.DeleteFunc(routes, func(r route) bool { return !r.over(l.index) })
	s.Rules = slices.DeleteFunc(rules, func(r rule) bool { return !r.names(l.name) })
	s.Settings, err = readSettings(l.name)
	return s, err
}

// lost is what of the snapshot isn't there now, in words; what others have added is nobody's loss, and what comes from router
// advertisements comes and goes with them.
func (s snapshot) lost(now snapshot) []string {
	var out []string
	if s.MAC != now.MAC {
		out = append(out, fmt.Sprintf("its MAC address was %s and is %s", s.MAC, now.MAC))
	}
	if s.MTU != now.MTU {
		out = append(out, fmt.Sprintf("its MTU was %d and is %d", s.MTU, now.MTU))
	}
	elapsed := uint32(max(0, now.Taken-s.Taken))
	for _, a := range s.Addresses {
		want, alive := a.request(s.Index, "", "", elapsed)
		if !alive || a.temporary() {
			continue
		}
		if !slices.ContainsFunc(now.Addresses, func(b address) bool {
			have, _ := b.request(s.Index, "", "", 0)
			return want.with(unix.IFA_CACHEINFO, nil).key() == have.with(unix.IFA_CACHEINFO, nil).key()
		}) {
			out = append(out, fmt.Sprintf("the address %v is gone", a.prefix()))
		}
	}
	for _, r := range s.Routes {
		if r.protocol() == unix.RTPROT_RA {
			continue
		}
		want := r.keyOver(s.Index, s.Index)
		if !slices.ContainsFunc(now.Routes, func(b route) bool { return b.keyOver(s.Index, s.Index) == want }) {
			out = append(out, fmt.Sprintf("the route to %v in table %d is gone", r.dst(), r.table()))
		}
	}
	for _, r := range s.Rules {
		want := r.request("", "").key()
		if !slices.ContainsFunc(now.Rules, func(b rule) bool { return b.request("", "").key() == want }) {
			out = append(out, "a rule of the routing policy is gone")
		}
	}
	for key, value := range s.Settings {
		if now.Settings[key] != value {
			out = append(out, fmt.Sprintf("net.%s was %s and is %s", strings.ReplaceAll(key, "/", "."), value, now.Settings[key]))
		}
	}
	slices.Sort(out)
	return out
}

// same reports whether nothing of importance has changed since the snapshot was taken.
func (s snapshot) same(now snapshot) bool {
	return s.Index == now.Index && len(s.lost(now)) == 0 && len(now.lost(s)) == 0
}

// sinceBoot is the time since the start of the machine in seconds, those included in which it slept.
func sinceBoot() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // it can't fail for a clock that exists
	return now.Sec
}

// returning is what the uplink gets back: what it had, with what has happened since to addresses that end. A DHCP lease of the bridge's goes
// over to the uplink if that would have no IPv4 address otherwise, or had it before; release is true if nobody goes on using it.
func (s snapshot) returning(cfg Config, l leased, bridge *snapshot) (back snapshot, release bool) {
	back = s
	back.Taken = sinceBoot()
	back.Addresses, back.Routes = nil, slices.Clone(s.Routes)
	has4 := false
	for _, a := range s.Addresses {
		elapsed := s.age()
		if bridge != nil && a.valid() != forever {
			for _, b := range bridge.Addresses {
				if b.prefix() == a.prefix() {
					a, elapsed = address{a.with(unix.IFA_CACHEINFO, b.get(unix.IFA_CACHEINFO))}, 0
				}
			}
		}
		if aged, alive := a.aged(elapsed); alive {
			back.Addresses = append(back.Addresses, aged)
			has4 = has4 || a.is4()
		}
	}
	if !cfg.DHCP || bridge == nil || !l.Addr.IsValid() || back.has(l.Addr.Addr()) {
		return back, false
	}
	i := slices.IndexFunc(bridge.Addresses, func(a address) bool { return a.prefix() == l.Addr })
	switch {
	case i < 0:
		return back, false
	case has4:
		return back, true
	}
	back.Addresses = append(back.Addresses, address{bridge.Addresses[i].with(unix.IFA_LABEL, name(cfg.Uplink))})
	back.Routes = slices.DeleteFunc(back.Routes, func(r route) bool {
		gateway := r.gateway(s.Index)
		return r.is4() && (r.kernel() || gateway.IsValid() && !l.Addr.Masked().Contains(gateway))
	})
	for _, r := range bridge.Routes {
		if r.is4() && r.protocol() == unix.RTPROT_DHCP {
			back.Routes = append(back.Routes, route{r.request(bridge.Index, s.Index)})
		}
	}
	return back, false
}
