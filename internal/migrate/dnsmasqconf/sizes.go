package dnsmasqconf

import (
	"fmt"
	"slices"
	"strings"
)

func (im *importer) cacheSize(d Directive) {
	n := uint64(0)
	for _, c := range plain(d.Arg) {
		n = min(n*10+uint64(c-'0'), 1<<31)
	}
	const aName = 256
	switch bytes := n * aName; {
	case n == 0:
		im.resolver.cache, im.resolver.cacheAt = "64KiB", im.at
		im.note(Approximated, "there is always a cache: the smallest")
	case bytes <= 64<<20:
		im.note(Approximated, "the default, 64 MiB, holds some 250,000 names")
	default:
		im.resolver.cache, im.resolver.cacheAt = fmt.Sprintf("%dMiB", (bytes+1<<20-1)>>20), im.at
		im.note(Approximated, "in bytes: some 256 a name")
	}
}

func (im *importer) staleCache(d Directive) {
	im.resolver.stale, im.resolver.staleAt = "1d", im.at
	if d.has && isNumber(plain(d.Arg)) {
		im.resolver.stale = plain(d.Arg) + "s"
		if len(plain(d.Arg)) > 6 || plain(d.Arg) > "604800" && len(plain(d.Arg)) == 6 || plain(d.Arg) == "0" {
			im.resolver.stale = "7d"
		}
	}
	k, _ := lookUp(d.Name)
	im.note(Approximated, noteOf(k))
}

func (im *importer) rebindAllowed(d Directive) {
	domains, _, ok := slashed(d.Arg)
	if !ok || len(domains) == 0 {
		domains = []string{strings.ToLower(plain(d.Arg))}
	}
	for _, domain := range domains {
		if domain != "" && !slices.Contains(im.resolver.rebindAllow, domain) {
			im.resolver.rebindAllow = append(im.resolver.rebindAllow, domain)
		}
	}
}
