package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labnet/internal/config"
)

// finish settles what only all lines together tell.
func (im *importer) finish() {
	for i, d := range im.directives() {
		if d.Name == "dhcp-scriptuser" && im.script == nil {
			im.noteAt(i, Ignored, "there is no hook")
		}
	}
	for _, n := range im.networks {
		im.sortClasses(n)
		im.deriveHosts(n)
	}
	im.settleUpstreams()
	im.settleLists()
}

// deriveHosts gives hosts without an address of a network that only knows static ones what dnsmasq gives them: nothing.
func (im *importer) deriveHosts(n *network) {
	if !n.static || len(n.ranges) > 0 {
		return
	}
	for _, h := range n.hosts {
		if !h.addr.IsValid() {
			im.noteAt(n.from[0], Approximated, fmt.Sprintf("%s, which has no fixed address, gets one too", h.name))
		}
	}
}

// write is the configuration, formatted.
func (im *importer) write() []byte {
	w := &hclText{im: im}
	var files []string
	for _, d := range im.directives() {
		if !slices.Contains(files, d.File) && len(files) < 8 {
			files = append(files, commentText(d.File))
		}
	}
	w.line("# Written by `labnet import dnsmasq` from %s. Each piece says where it comes from.", strings.Join(files, ", "))
	for _, n := range im.networks {
		w.line("")
		w.gap = false
		w.network(n)
	}
	w.resolver()
	w.hook()
	formatted, _ := config.Format([]byte(w.b.String()), "labnet.hcl")
	if formatted == nil {
		formatted = []byte(w.b.String()) // check will say what is wrong with it
	}
	return formatted
}

func (w *hclText) network(n *network) {
	w.open("network", n.name, n.from...)
	if n.isolated {
		w.set("mode", "isolated")
	}
	w.set("address", netip.PrefixFrom(n.host, n.subnet.Bits()).String())
	w.open("bridge", "", n.ifaceAt)
	w.set("name", n.bridge)
	if n.attach != "" {
		w.set("attach", []string{n.attach})
	}
	if n.adopt {
		w.set("adopt", true)
	}
	w.shut()
	w.dhcp(n)
	w.dns(n)
	for _, h := range n.hosts {
		w.open("host", h.name, h.from...)
		switch {
		case h.mac != "":
			w.set("mac", h.mac)
		case h.clientID != "":
			w.set("client_id", h.clientID)
		case h.hostname != "":
			w.set("hostname", h.hostname)
		}
		if h.addr.IsValid() {
			w.set("address", h.addr.String())
		}
		if h.time != 0 {
			w.set("lease_time", duration(h.time))
		}
		w.given(n, h.given, "host")
		w.shut()
	}
	w.shut()
}

func (w *hclText) dhcp(n *network) {
	w.open("dhcp", "")
	defer w.shut()
	if n.noDHCP {
		var from []int
		for i, d := range w.im.directives() {
			if d == w.im.noDHCP[n.iface] {
				from = append(from, i)
			}
		}
		w.set("enabled", false, from...)
		return
	}
	if n.time != 0 {
		w.set("lease_time", duration(n.time))
	}
	if _, ok := w.im.has("dhcp-authoritative"); !ok {
		w.set("authoritative", false)
	}
	for _, flag := range []struct {
		directive, name string
		value           any
	}{
		{"no-ping", "conflict_probe", false},
		{"dhcp-rapid-commit", "rapid_commit", true},
		{"dhcp-ignore-clid", "identity", "mac"},
	} {
		if at := w.im.index(flag.directive); at >= 0 {
			w.set(flag.name, flag.value, at)
		}
	}
	if n.static && len(n.ranges) == 0 || len(n.deny) > 0 {
		w.set("unknown_clients", "deny", n.deny...)
	}
	for _, r := range n.ranges {
		for _, part := range split(r.start, r.end, n) {
			w.open("range", "", r.at)
			w.set("start", part[0].String())
			w.set("end", part[1].String())
			w.shut()
		}
	}
	for i, c := range n.classes {
		w.open("class", className(n.classes, i), c.from...)
		w.condition(c.condition)
		w.given(n, c.given, "class")
		w.shut()
	}
	w.given(n, n.given, "dhcp")
}

// className is the class's name, with a number where another one has it already.
func className(all []*class, i int) string {
	name, same := all[i].name(), 1
	for _, earlier := range all[:i] {
		if earlier.name() == name {
			same++
		}
	}
	if same > 1 {
		return fmt.Sprintf("%s-%d", cut(name, 59), same)
	}
	return name
}

func (w *hclText) condition(c condition) {
	for _, list := range []struct {
		name   string
		values []string
	}{{"vendor_class", c.vendor}, {"user_class", c.user}, {"architecture", architectures(c.arch)}, {"mac", c.mac}} {
		if len(list.values) == 1 {
			w.set(list.name, list.values[0])
		} else if len(list.values) > 1 {
			w.set(list.name, list.values)
		}
	}
}

// architectures puts the name for two numbers in their place.
func architectures(list []string) []string {
	if slices.Contains(list, "7") && slices.Contains(list, "9") {
		out := []string{"x86-64-uefi"}
		for _, one := range list {
			if one != "7" && one != "9" && !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
		return out
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// given writes what clients are told.
func (w *hclText) given(n *network, g given, scope string) {
	if b := g.boot; b != nil {
		if b.file != "" {
			w.set("boot_file", b.file, b.at)
		}
		switch {
		case b.server.IsValid():
			w.set("next_server", b.server.String())
		case scope != "dhcp" && n.namesServer():
			// The server would be that of another line: dnsmasq's is itself.
			w.set("next_server", n.host.String())
		}
		if b.name != "" {
			w.set("server_name", b.name)
		}
	}
	for _, o := range g.options {
		v := o.hcl(n)
		if o.code == 12 && scope == "host" {
			v = value{name: "host_name", data: string(o.data)}
		}
		w.open("option", v.name, o.at)
		if v.kind != "" {
			w.set("code", int(o.code))
			w.set("type", v.kind)
		}
		w.set("value", v.data)
		if o.always {
			w.set("always", true)
		}
		w.shut()
	}
}

// namesServer tells whether the network or a class of it has a boot server that others would inherit.
func (n *network) namesServer() bool {
	names := func(g given) bool { return g.boot != nil && (g.boot.server.IsValid() || g.boot.name != "") }
	return names(n.given) || slices.ContainsFunc(n.classes, func(c *class) bool { return names(c.given) })
}

func (w *hclText) dns(n *network) {
	w.open("dns", "", n.domainAt)
	defer w.shut()
	if w.im.noPort {
		w.set("enabled", false, w.im.index("port"))
	}
	w.set("domain", n.domain)
	if at := w.im.index("log-queries"); at >= 0 {
		w.set("query_log", true, at)
	}
	if w.im.noPort {
		return
	}
	if n == w.im.networks[0] && len(w.im.hosts.paths) > 0 {
		// Names with dots are all networks'.
		w.set("hosts_files", w.im.hosts.paths, w.im.hosts.from...)
	}
	for _, r := range n.records {
		w.open("record", r.name, r.from...)
		w.set("type", r.kind)
		if len(r.values) == 1 {
			w.set("value", r.values[0])
		} else {
			w.set("value", r.values)
		}
		if r.ttl != "" {
			w.set("ttl", r.ttl)
		}
		w.shut()
	}
}

func (w *hclText) hook() {
	h := w.im.script
	if h == nil {
		return
	}
	w.gap = true
	w.open("hook", "dnsmasq", h.at)
	w.set("command", []string{h.command})
	on := []string{"lease.bound", "lease.changed", "lease.released", "lease.expired"}
	if at := w.im.index("script-on-renewal"); at >= 0 {
		w.set("on", append(on, "lease.renewed"), at)
	} else {
		w.set("on", on)
	}
	if at := w.im.index("dhcp-scriptuser"); at >= 0 {
		w.set("user", plain(w.im.directives()[at].Arg), at)
	}
	w.shut()
}

// index is where the last directive of a name stands, or -1.
func (im *importer) index(name string) int {
	for i := len(im.directives()) - 1; i >= 0; i-- {
		if im.directives()[i].Name == name {
			return i
		}
	}
	return -1
}
