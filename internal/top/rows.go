package top

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"labnet/internal/control"
)

// Row is a guest, or a port of which no guest is known.
type Row struct {
	Network  string     `json:"network"`
	Name     string     `json:"name"`
	Address  netip.Addr `json:"address,omitzero"`
	MAC      string     `json:"mac"`
	Port     string     `json:"port"`
	Shared   int        `json:"guests_at_port"`
	Sent     float64    `json:"sent_bytes_per_second"`
	Received float64    `json:"received_bytes_per_second"`
	Total    uint64     `json:"total_bytes"`
	State    string     `json:"state"`
	Expires  time.Time  `json:"expires,omitzero"`
}

// rowsOf joins leases and ports. Traffic is a port's: where several guests share one, each has the traffic of all.
func rowsOf(before, after *Sample) []Row {
	was := map[[2]string]control.Port{}
	for _, p := range before.Ports {
		was[[2]string{p.Network, p.Name}] = p
	}
	span := after.At.Sub(before.At)
	at := map[[2]string]Row{} // by network and MAC
	var rows []Row
	for _, p := range after.Ports {
		old := was[[2]string{p.Network, p.Name}]
		r := Row{Network: p.Network, Port: p.Name, Shared: max(len(p.Guests), p.MACs), Total: p.Sent + p.Received}
		if old.Name != "" {
			r.Sent, r.Received = perSecond(old.Sent, p.Sent, span), perSecond(old.Received, p.Received, span)
		}
		if p.Uplink {
			r.State, r.Shared = "uplink", 0
		}
		for _, g := range p.Guests {
			r.Name, r.Address, r.MAC = g.Name, g.Address, g.MAC
			at[[2]string{p.Network, g.MAC}] = r
		}
		if len(p.Guests) == 0 {
			rows = append(rows, r)
		}
	}
	for _, l := range after.Leases {
		key := [2]string{l.Network, l.MAC}
		r, there := at[key]
		if !there {
			r = Row{Network: l.Network, MAC: l.MAC, Port: l.Port}
		}
		delete(at, key)
		r.Address, r.State, r.Expires, r.Name = l.Address, l.State, l.Expires, l.Name
		if r.Name == "" && l.State == "observed" {
			r.Name = l.Hostname
		}
		rows = append(rows, r)
	}
	for _, r := range at { // whose leases aren't known yet
		rows = append(rows, r)
	}
	return rows
}

// columns is what the table can be sorted by.
var columns = []string{"name", "address", "port", "received", "sent", "expires", "total", "network"}

// sortRows sorts by a column, from its natural end: who moves most first, and names from their beginning.
func sortRows(rows []Row, column string, reverse bool) {
	slices.SortFunc(rows, func(a, b Row) int {
		order := compare(a, b, column)
		if reverse {
			order = -order
		}
		return cmp.Or(order, a.Address.Compare(b.Address), cmp.Compare(a.Network, b.Network), cmp.Compare(a.Port, b.Port), cmp.Compare(a.MAC, b.MAC))
	})
}

func compare(a, b Row, column string) int {
	switch column {
	case "name":
		return cmp.Or(emptyLast(a.Name, b.Name), cmp.Compare(a.Name, b.Name))
	case "port":
		return cmp.Or(emptyLast(a.Port, b.Port), cmp.Compare(a.Port, b.Port))
	case "received":
		return cmp.Compare(b.Received, a.Received)
	case "sent":
		return cmp.Compare(b.Sent, a.Sent)
	case "total":
		return cmp.Compare(b.Total, a.Total)
	case "expires":
		return cmp.Or(cmp.Compare(never(a), never(b)), a.Expires.Compare(b.Expires))
	case "network":
		return cmp.Compare(a.Network, b.Network)
	}
	return cmp.Or(emptyLast(text(a.Address), text(b.Address)), a.Address.Compare(b.Address))
}

func emptyLast(a, b string) int {
	switch {
	case (a == "") == (b == ""):
		return 0
	case a == "":
		return 1
	}
	return -1
}

func never(r Row) int {
	if r.Expires.IsZero() {
		return 1
	}
	return 0
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// fits reports whether what is looked for is part of anything that a row shows.
func (r Row) fits(wanted string) bool {
	wanted = strings.ToLower(wanted)
	for _, s := range []string{r.Name, text(r.Address), r.MAC, r.Port, r.Network, r.State} {
		if strings.Contains(strings.ToLower(s), wanted) {
			return true
		}
	}
	return false
}
