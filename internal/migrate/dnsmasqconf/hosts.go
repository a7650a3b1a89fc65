package dnsmasqconf

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"labnet/internal/config"
)

// hostLine is what a dhcp-host says.
type hostLine struct {
	macs   []string // may have stars
	id     string   // as a host block has it
	noID   bool
	tags   []string
	filter []string
	addr   netip.Addr
	v6     bool
	name   string
	time   time.Duration
	ignore bool
}

func (im *importer) parseHost(d Directive) hostLine {
	var h hostLine
	for _, part := range fields(d.Arg) {
		text := plain(part)
		lower := strings.ToLower(part)
		switch {
		case part == "":
		case strings.HasPrefix(lower, "id:"):
			if part[3:] == "*" {
				h.noID = true
			} else {
				h.id = clientID(part[3:])
			}
		case strings.HasPrefix(part, "set:") || strings.HasPrefix(part, "net:"):
			h.tags = append(h.tags, plain(part[4:]))
		case strings.HasPrefix(part, "tag:"):
			h.filter = append(h.filter, plain(part[4:]))
		case strings.HasPrefix(part, "["):
			h.v6 = true
		case strings.Contains(part, ":"):
			h.macs = append(h.macs, text)
		default:
			if a, err := netip.ParseAddr(text); err == nil && strings.Contains(part, ".") {
				h.addr = a
				continue
			}
			if t, ok := leaseTime(part); ok {
				h.time = t
				continue
			}
			if part == "ignore" {
				h.ignore = true
				continue
			}
			if h.name != "" {
				im.note(Ignored, fmt.Sprintf("of two names the last counts, not %q", h.name))
			}
			h.name = strings.ToLower(text)
		}
	}
	return h
}

// clientID is an identifier as a host block has it: bytes where there is a colon, else the bytes of a text.
func clientID(s string) string {
	if strings.Contains(s, ":") {
		if b, ok := hexBytes(plain(s)); ok {
			parts := make([]string, len(b))
			for i, one := range b {
				parts[i] = hex.EncodeToString([]byte{one})
			}
			return strings.Join(parts, ":")
		}
	}
	return "text:" + plain(s)
}

func (im *importer) dhcpHost(d Directive) {
	h := im.parseHost(d)
	if h.v6 {
		im.note(Approximated, "the IPv6 address is left out")
	}
	switch {
	case h.ignore:
		im.note(Unsupported, "one client can't be ignored, only all that have no host block (unknown_clients)")
		return
	case len(h.filter) > 0:
		im.note(Unsupported, "a host is one in its network whatever its tags are")
		return
	}
	if len(h.macs) > 0 && strings.Contains(strings.Join(h.macs, ""), "*") {
		im.wildcardHost(h)
		return
	}
	mac := ""
	if len(h.macs) > 0 {
		hw, err := net.ParseMAC(strings.TrimPrefix(h.macs[0], "1-"))
		if err != nil || len(hw) != 6 {
			im.note(Unsupported, fmt.Sprintf("%q is not a MAC address of Ethernet", h.macs[0]))
			return
		}
		if hw[0]&1 != 0 || hw.String() == "00:00:00:00:00:00" {
			im.note(Unsupported, fmt.Sprintf("%s is no machine's MAC address", hw))
			return
		}
		mac = hw.String()
	}
	if len(h.macs) > 1 {
		im.note(Unsupported, "an address is one machine's: only the first MAC address has it")
	}
	if mac != "" && h.id != "" {
		im.note(Approximated, "the host is recognised by its MAC address alone")
		h.id = ""
	}
	if h.noID && mac == "" {
		im.note(Ignored, "the line says nothing of a client")
		return
	}
	for _, n := range im.networksOfHost(h) {
		im.addHost(n, h, mac)
	}
}

// wildcardHost is a dhcp-host for many: it can only set tags.
func (im *importer) wildcardHost(h hostLine) {
	if h.addr.IsValid() || h.name != "" || h.time != 0 || len(h.tags) == 0 {
		im.note(Unsupported, "a host is one machine")
		return
	}
	im.note(Approximated, "machines that have a host block are of the class too")
	for _, one := range h.macs {
		prefix, ok := macPrefix(one)
		if !ok {
			im.note(Unsupported, "a class knows the first bytes of a MAC address")
			return
		}
		for _, tag := range h.tags {
			im.set(tag, alternative{condition: condition{mac: []string{prefix}}})
		}
	}
}

// networksOfHost are the networks that a host is in: that of its address, or all.
func (im *importer) networksOfHost(h hostLine) []*network {
	if !h.addr.IsValid() {
		if len(im.networks) > 1 && h.name != "" {
			im.note(Approximated, "without an address the host stands in each network")
		}
		return im.networks
	}
	if n := im.networkOf(h.addr); n != nil {
		return []*network{n}
	}
	im.note(Ignored, fmt.Sprintf("no network has %v, so dnsmasq doesn't give it out either", h.addr))
	return nil
}

func (im *importer) addHost(n *network, h hostLine, mac string) {
	out := &host{mac: mac, clientID: h.id, addr: h.addr, time: h.time, from: []int{im.at}, tags: h.tags}
	short, domain, _ := strings.Cut(h.name, ".")
	if domain != "" && domain != n.domain {
		im.note(Approximated, fmt.Sprintf("the host's name is in the network's domain, %s", n.domain))
	}
	if h.name != "" && config.CheckHostName(short) != nil {
		im.note(Approximated, fmt.Sprintf("%q can't be a name in DNS", h.name))
		short = ""
	}
	if mac == "" && h.id == "" {
		if out.hostname = short; short == "" {
			im.note(Ignored, "the line says of no client what it is")
			return
		}
	}
	if h.addr == n.host && h.addr.IsValid() {
		im.note(Ignored, "it is the bridge's own address")
		return
	}
	if short == "" {
		short = madeName(out)
		im.note(Approximated, fmt.Sprintf("a host has a name: %q is made up, in place of what the client calls itself", short))
	}
	for base, i := short, 2; n.names[short] || short == "gateway" || short == "localhost"; i++ {
		short = fmt.Sprintf("%s-%d", base, i)
		im.note(Approximated, fmt.Sprintf("names are unique in a network: %q becomes %q", base, short))
	}
	if same := slices.IndexFunc(n.hosts, func(o *host) bool { return mac != "" && o.mac == mac || h.id != "" && o.clientID == h.id }); same >= 0 {
		im.note(Unsupported, "the client has a host block already")
		return
	}
	n.names[short] = true
	out.name = short
	n.hosts = append(n.hosts, out)
	for _, tag := range h.tags {
		im.tags[tag] = append(im.tags[tag], alternative{network: n, host: out})
	}
}

// madeName is a name for a host that has none.
func madeName(h *host) string {
	switch {
	case h.addr.IsValid():
		return "host-" + strings.ReplaceAll(h.addr.String(), ".", "-")
	case h.mac != "":
		return "host-" + strings.ReplaceAll(h.mac, ":", "")
	}
	return "host-" + label(strings.TrimPrefix(h.clientID, "text:"))
}

// readEthers takes MAC and address or name of each line of /etc/ethers.
func (im *importer) readEthers(Directive) {
	text, err := im.reader.read("/etc/ethers")
	if err != nil {
		im.note(Unsupported, fmt.Sprintf("/etc/ethers: %v", err))
		return
	}
	im.note(Approximated, "of what /etc/ethers has now")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		h := hostLine{macs: words[:1]}
		hw, err := net.ParseMAC(words[0])
		if err != nil || len(hw) != 6 {
			continue // dnsmasq passes over it too
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			h.addr = a
		} else {
			h.name = strings.ToLower(words[1])
		}
		for _, n := range im.networksOfHost(h) {
			im.addHost(n, h, hw.String())
		}
	}
}

func (im *importer) dhcpIgnore(d Directive) {
	parts := fields(d.Arg)
	if len(parts) == 1 && (plain(parts[0]) == "tag:!known" || plain(parts[0]) == "#known" || plain(parts[0]) == "!known") {
		for _, n := range im.networks {
			n.deny = append(n.deny, im.at)
		}
		return
	}
	im.note(Unsupported, "only clients without a host block can be denied (tag:!known)")
}

// ignoreClientID is written with the network's dhcp block.
func (im *importer) ignoreClientID(Directive) {}

func (im *importer) dhcpBroadcast(d Directive) {
	k, _ := lookUp(d.Name)
	im.note(Approximated, noteOf(k))
}

func (im *importer) dhcpScript(d Directive) {
	path := plain(d.Arg)
	k, _ := lookUp(d.Name)
	im.note(Approximated, noteOf(k))
	if !strings.HasPrefix(path, "/") {
		im.note(Unsupported, "the program of a hook is named by its absolute path")
		return
	}
	im.script = &hook{path, im.at}
}
