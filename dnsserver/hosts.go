package dnsserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"labnet/dnsserver/hostsfile"
)

// hosts is the hosts files of the networks that have some, as they were read. Names without dots are those of the network's domain; others are names as
// they stand, and the same for everybody. They are asked at query time, so that a hundred thousand lines are no part of the zones. Immutable.
type hosts []networkHosts

type networkHosts struct {
	network string
	domain  name
	files   []namedHosts
}

type namedHosts struct {
	path string
	set  *hostsfile.Set
}

// addHostsFiles gives the zones what the files say.
func (snap *snapshot) addHostsFiles(cfg *Config, files hostsFiles) {
	for i := range cfg.Networks {
		n := &cfg.Networks[i]
		here := networkHosts{network: n.Name, domain: snap.views[cfg.listen(n)].domain}
		for _, path := range n.HostsFiles {
			if f := files[path]; f != nil && f.content.set != nil {
				here.files = append(here.files, namedHosts{path, f.content.set})
			}
		}
		if len(here.files) > 0 {
			snap.hosts = append(snap.hosts, here)
		}
	}
	for _, z := range snap.zones {
		z.hosts = snap.hosts
	}
}

// entriesOf calls yield for each entry of n, in the order of the networks and their files, until it returns false.
func (h hosts) entriesOf(n name, yield func(path string, e hostsfile.Entry) bool) {
	if n == root {
		return
	}
	whole, short := []byte(n), []byte(n[:1+n[0]]+root)
	for i := range h {
		for _, f := range h[i].files {
			var found []hostsfile.Entry
			// A single label is completed in the client's own network, before it comes here.
			if !n.single() {
				found = f.set.Lookup(whole)
			}
			if n.parent() == h[i].domain {
				found = append(found, f.set.Lookup(short)...)
			}
			for _, e := range found {
				if !yield(f.path, e) {
					return
				}
			}
		}
	}
}

// has tells whether a file may have the name n, or names below it; serve knows for sure. It doesn't allocate.
func (h hosts) has(n []byte) bool {
	if len(h) == 0 || n[0] == 0 {
		return false
	}
	var short [64 + 1]byte
	end := copy(short[:], n[:1+n[0]]) + 1
	short[end-1] = 0
	for i := range h {
		for _, f := range h[i].files {
			if f.set.Has(n) || f.set.Above(n) || f.set.Has(short[:end]) && string(n[1+n[0]:]) == string(h[i].domain) {
				return true
			}
		}
	}
	return false
}

// above tells whether a file has names below n.
func (h hosts) above(n name) bool {
	for i := range h {
		for _, f := range h[i].files {
			if f.set.Above([]byte(n)) {
				return true
			}
		}
	}
	return false
}

// speaksFor tells whether a file says something about n, which may be an address's reverse name.
func (h hosts) speaksFor(n name) bool { return len(h) > 0 && h.node(n) != nil }

// node is what the files say about n; nil: nothing.
func (h hosts) node(n name) node {
	if len(h) == 0 {
		return nil
	}
	if covered, full := reversePrefix(n); full && covered.IsSingleIP() {
		return h.pointerOf(n, covered.Addr())
	}
	var here node
	h.entriesOf(n, func(_ string, e hostsfile.Entry) bool {
		if here == nil {
			here = node{}
		}
		rr := addressRecord(n, e.Addr, hostTTL)
		set := here[rr.Header().Rrtype]
		if !slices.ContainsFunc(set.records, func(r dns.RR) bool { return dns.IsDuplicate(r, rr) }) {
			here[rr.Header().Rrtype] = rrset{append(set.records, rr), localFile}
		}
		return true
	})
	return here
}

// pointerOf is the name of an address, in the first file that has one.
func (h hosts) pointerOf(n name, addr netip.Addr) node {
	target, _, ok := h.nameOf(addr)
	if !ok {
		return nil
	}
	return node{dns.TypePTR: rrset{[]dns.RR{pointer(n, target, hostTTL)}, localFile}}
}

func (h hosts) nameOf(addr netip.Addr) (target name, at string, ok bool) {
	for i := range h {
		for _, f := range h[i].files {
			e, ok := f.set.NameOf(addr)
			if !ok {
				continue
			}
			target := name(e.Name)
			if target.single() {
				if target, ok = h[i].domain.child(target.label()); !ok {
					continue
				}
			}
			return target, fmt.Sprintf("%s:%d", f.path, e.Line), true
		}
	}
	return "", "", false
}

// shownLines is how many lines of hosts files are named.
const shownLines = 3

// lines says where the files speak of n.
func (h hosts) lines(n name) string {
	if covered, full := reversePrefix(n); full && covered.IsSingleIP() {
		_, at, _ := h.nameOf(covered.Addr())
		return at
	}
	var all []string
	h.entriesOf(n, func(path string, e hostsfile.Entry) bool {
		if len(all) == shownLines {
			all = append(all, "and more")
			return false
		}
		if at := fmt.Sprintf("%s:%d", path, e.Line); !slices.Contains(all, at) { // a line may have the name with and without its domain
			all = append(all, at)
		}
		return true
	})
	return strings.Join(all, ", ")
}
