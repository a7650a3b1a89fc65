package dnsmasqconf

import (
	"net/netip"
	"slices"
	"strings"
)

// upstream is a group of domains with the same servers.
type upstream struct {
	servers []netip.AddrPort
	domains []string
	from    []int
}

// settleUpstreams finds the servers of domains that are asked of the usual ones.
func (im *importer) settleUpstreams() {
	r := &im.resolver
	for i := range r.zones {
		z := &r.zones[i]
		if !z.usual {
			continue
		}
		if len(r.general) == 0 {
			for _, at := range z.from {
				im.noteAt(at, Unsupported, "the usual servers are the host's own resolvers, which can't be named for a domain")
			}
			continue
		}
		for _, s := range r.general {
			z.servers = add(z.servers, s)
		}
	}
}

// upstreams groups domains by their servers.
func (r *resolver) upstreams() []upstream {
	var out []upstream
	for _, z := range r.zones {
		if len(z.servers) == 0 {
			continue
		}
		at := slices.IndexFunc(out, func(u upstream) bool { return slices.Equal(u.servers, z.servers) })
		if at < 0 {
			out = append(out, upstream{servers: z.servers})
			at = len(out) - 1
		}
		out[at].domains = append(out[at].domains, z.name)
		out[at].from = append(out[at].from, z.from...)
	}
	return out
}

func (w *hclText) resolver() {
	r := &w.im.resolver
	zones := r.upstreams()
	rebind := w.im.index("stop-dns-rebind")
	if len(r.general)+len(zones)+len(r.rebindAllow)+len(r.lists)+len(r.blockLines) == 0 && r.cache == "" && r.stale == "" && rebind < 0 {
		return
	}
	w.gap = true
	w.open("resolver", "")
	if r.cache != "" {
		w.set("cache_size", r.cache, r.cacheAt)
	}
	if r.stale != "" {
		w.set("serve_stale", r.stale, r.staleAt)
	}
	if rebind >= 0 {
		w.set("rebind_protection", "private", rebind)
	}
	if len(r.rebindAllow) > 0 {
		w.set("rebind_allow", r.rebindAllow, w.im.index("rebind-domain-ok"))
	}
	if len(r.general) > 0 {
		w.open("upstream", "default", r.from...)
		w.set("servers", serverList(r.general))
		w.shut()
	}
	taken := map[string]bool{"default": true}
	for _, u := range zones {
		name := strings.ReplaceAll(strings.TrimSuffix(u.domains[0], ".in-addr.arpa"), ".", "-")
		for taken[name] {
			name += "-2"
		}
		taken[name] = true
		w.open("upstream", name, u.from...)
		w.set("domains", u.domains)
		w.set("servers", serverList(u.servers))
		w.shut()
	}
	w.block()
	w.shut()
}

func (w *hclText) block() {
	r := &w.im.resolver
	if len(r.lists)+len(r.blockLines) == 0 {
		return
	}
	w.open("block", "", r.blockFrom...)
	var files []string
	for _, l := range r.lists {
		files = append(files, l.path)
	}
	if len(r.blockLines) > 0 {
		files = append(files, w.im.o.BlockList)
	}
	w.set("files", files)
	if r.answersNull() {
		w.set("answer", "null")
	}
	w.shut()
}

func serverList(servers []netip.AddrPort) []string {
	var out []string
	for _, s := range servers {
		if s.Port() == 53 {
			out = append(out, s.Addr().String())
		} else {
			out = append(out, s.String())
		}
	}
	return out
}
