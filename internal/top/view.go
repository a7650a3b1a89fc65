package top

import (
	"fmt"
	"strings"
	"time"

	"labnet/internal/control"
)

// Styles, of ECMA-48; the terminal's driver takes them away where they aren't wanted.
const (
	bold    = "\x1b[1m"
	reverse = "\x1b[7m"
	red     = "\x1b[31m"
	plain   = "\x1b[m"
)

// Lines is the screen, from above: never more than fit, and none wider than the terminal.
func (s *Screen) Lines() []string {
	var lines []string
	if s.help {
		lines = helpLines(s.interval)
	} else {
		lines = append(s.head(), s.table()...)
	}
	if len(lines) > max(0, s.height-1) {
		lines = lines[:max(0, s.height-1)]
	}
	for i, l := range lines {
		lines[i] = cut(l, s.width)
	}
	for len(lines) < s.height-1 {
		lines = append(lines, "")
	}
	if s.height > 0 {
		lines = append(lines, cut(s.foot(), s.width))
	}
	return lines
}

// mostNetworks is how many networks have a line of their own.
const mostNetworks = 4

// head is what is above the table.
func (s *Screen) head() []string {
	if s.last == nil {
		return []string{orElse(s.say(s.failed), "asking the daemon"), ""}
	}
	st := &s.last.Status
	state := string(st.State)
	if st.State != control.Ready {
		state = red + state + plain
	}
	lines := []string{fmt.Sprintf("%slabnet%s %s: %s, up %s, %s", bold, plain, s.say(st.Version), state, span(s.last.At.Sub(st.Started)), s.say(st.Config))}
	switch {
	case s.failed != "":
		lines = append(lines, red+s.say(s.failed)+plain)
	case len(st.Problems) > 0:
		lines = append(lines, red+s.say(st.Problems[0].Summary)+plain+more(len(st.Problems)-1, "problem"))
	}
	r := &s.rates
	lines = append(lines,
		fmt.Sprintf("DNS    %s/s: local %s, cache %s, upstream %s, blocked %s, refused %s", rate(r.DNS.All), rate(r.DNS.Local), rate(r.DNS.Cache), rate(r.DNS.Upstream), rate(r.DNS.Blocked), rate(r.DNS.Refused)),
		fmt.Sprintf("DHCP   %s/s: offers %s, ACKs %s, NAKs %s, others %s", rate(r.DHCP.All), rate(r.DHCP.Offers), rate(r.DHCP.ACKs), rate(r.DHCP.NAKs), rate(r.DHCP.Others)),
		fmt.Sprintf("cache  %d answers, %s of %s", st.Cache.Entries, size(float64(st.Cache.Bytes)), size(float64(st.Cache.Limit))))
	if len(st.Upstreams) > 0 {
		lines = append(lines, "asks   "+s.upstreams(st.Upstreams))
	}
	for i, n := range st.Networks {
		if i == mostNetworks {
			lines = append(lines, "       and"+strings.TrimPrefix(more(len(st.Networks)-i, "network"), ", and"))
			break
		}
		lines = append(lines, s.network(n))
	}
	return append(lines, "")
}

func (s *Screen) network(n control.Network) string {
	text := fmt.Sprintf("%-6s %s %s, ", s.say(n.Name), n.Mode, n.Address)
	switch {
	case n.Handover != nil:
		return text + "on the LAN"
	case n.DHCP == nil:
		return text + "no DHCP"
	case n.Leased >= n.Addresses:
		return text + red + fmt.Sprintf("all %d addresses leased", n.Addresses) + plain
	}
	return text + fmt.Sprintf("%d of %d addresses leased", n.Leased, n.Addresses)
}

func (s *Screen) upstreams(all []control.Upstream) string {
	var words []string
	for _, u := range all {
		switch {
		case u.Looping:
			words = append(words, s.say(u.Server)+" "+red+"in a circle"+plain)
		case !u.Healthy:
			words = append(words, s.say(u.Server)+" "+red+"silent"+plain)
		default:
			words = append(words, s.say(u.Server)+" "+orElse(u.RTT, "not asked yet"))
		}
	}
	return strings.Join(words, ", ")
}

// cell is a column of the table.
type cell struct {
	column string
	title  string
	width  int // 0: what is left
	right  bool
	of     func(*Screen, *Row) string
}

// cells are the columns, in the order in which they go where there is no room: from the right.
var cells = []cell{
	{"name", "name", 0, false, func(s *Screen, r *Row) string { return orElse(s.show(r.Name), orElse(r.MAC, "-")) }},
	{"address", "address", 15, false, func(_ *Screen, r *Row) string { return orElse(text(r.Address), "-") }},
	{"port", "port", 15, false, func(s *Screen, r *Row) string {
		if r.Shared > 1 {
			return orElse(s.say(r.Port), "-") + "*"
		}
		return orElse(s.say(r.Port), "-")
	}},
	{"received", "down/s", 9, true, func(_ *Screen, r *Row) string { return traffic(r, r.Received) }},
	{"sent", "up/s", 9, true, func(_ *Screen, r *Row) string { return traffic(r, r.Sent) }},
	{"expires", "lease", 8, true, func(s *Screen, r *Row) string { return s.lease(r) }},
	{"total", "total", 8, true, func(_ *Screen, r *Row) string { return traffic(r, float64(r.Total)) }},
	{"network", "network", 10, false, func(s *Screen, r *Row) string { return s.say(r.Network) }},
	{"", "mac", 17, false, func(_ *Screen, r *Row) string { return r.MAC }},
}

// leastName is the room that names get, whatever has to go for it.
const leastName = 12

// fitting is the columns that there is room for, and the width of the first.
func fitting(width int) (shown []cell, name int) {
	left := width - leastName
	shown = cells[:1]
	for _, c := range cells[1:] {
		if left < c.width+1 {
			break
		}
		left -= c.width + 1
		shown = append(shown, c)
	}
	return shown, max(1, leastName+left)
}

func (s *Screen) table() []string {
	shown, name := fitting(s.width)
	line := func(of func(cell) string) string {
		var words []string
		for i, c := range shown {
			width := c.width
			if i == 0 {
				width = min(name, 40)
			}
			words = append(words, pad(of(c), width, c.right))
		}
		return strings.Join(words, " ")
	}
	title := line(func(c cell) string {
		if c.column != columns[s.sort] {
			return c.title
		}
		if s.reverse {
			return c.title + "^"
		}
		return c.title + "v"
	})
	lines := []string{reverse + pad(title, s.width, false) + plain}
	end := min(len(s.rows), s.offset+s.room())
	for i := range s.rows[s.offset:end] {
		r := &s.rows[s.offset+i]
		lines = append(lines, line(func(c cell) string { return c.of(s, r) }))
	}
	return lines
}

// room is how many rows of the table can be seen.
func (s *Screen) room() int {
	return max(1, s.height-len(s.head())-2) // the title and the foot
}

// foot is the last line.
func (s *Screen) foot() string {
	switch {
	case s.typing:
		return "/" + s.say(s.filter) + "_"
	case s.help:
		return "any key goes back, q ends"
	}
	var words []string
	if s.filter != "" {
		words = append(words, fmt.Sprintf("only %s (esc: all)", s.say(s.filter)))
	}
	if s.paused {
		words = append(words, bold+"paused (p)"+plain)
	}
	if n := len(s.rows); n > s.room() {
		words = append(words, fmt.Sprintf("%d to %d of %d", s.offset+1, min(n, s.offset+s.room()), n))
	}
	return strings.Join(append(words, "q quit", "<> sort", "r reverse", "/ filter", "p pause", "? help"), "  ")
}

func helpLines(interval time.Duration) []string {
	return strings.Split(fmt.Sprintf(`labnet top, every %s

  < >  left right   sort by the column before or behind
  n a o d u e t w   sort by name, address, port, down, up, lease, total, network
  r                 reverse the order
  /                 only rows with what is typed next; esc: all
  up down j k, PgUp PgDn, Home End
                    move through the table
  p  space          pause, and go on
  q  ctrl-c         end

down is what the guest has received, up what it has sent, in bytes. A port
with a * has several guests behind it: each is shown with the traffic of all.`, interval), "\n")
}
