package dnsmasqconf

import (
	"regexp"
	"slices"
	"strings"
)

// single are the options that may stand once in files; dnsmasq refuses a second one.
var single = strings.Fields(`cache-size group dhcp-leasefile use-stale-cache port edns-packet-max query-port port-limit servers-file mx-target local-ttl ` +
	`neg-ttl max-ttl max-cache-ttl min-cache-ttl fast-dns-retry user pid-file dhcp-lease-max enable-dbus enable-ubus dhcp-script dhcp-scriptuser log-facility ` +
	`dns-forward-max tftp-max tftp-mtu tftp-port-range log-async dhcp-alternate-port min-port max-port add-subnet add-cpe-id dhcp-duid auth-server auth-ttl ` +
	`auth-soa connmark-allowlist-enable dnssec-timestamp dnssec-limits local-service dhcp-ttl dhcp-reply-delay dumpfile dumpmask umbrella max-tcp-connections`)

// numeric are the options whose value is a number.
var numeric = strings.Fields(`cache-size port edns-packet-max query-port port-limit local-ttl neg-ttl max-ttl max-cache-ttl min-cache-ttl dhcp-lease-max dns-forward-max ` +
	`tftp-max tftp-mtu min-port max-port auth-ttl dhcp-ttl max-tcp-connections use-stale-cache fast-dns-retry`)

// settle refuses what stands twice and may not, and what isn't the number that it must be.
func (im *importer) settle() {
	first := map[string]Directive{}
	for _, d := range im.directives() {
		if d.Arg != "" && slices.Contains(numeric, d.Name) && !isNumber(plain(d.Arg)) {
			im.mistake(d, "%q is not a number", plain(d.Arg))
		}
		if d.File == commandLine {
			continue // files override it
		}
		for _, name := range single {
			if d.Name != name {
				continue
			}
			if earlier, ok := first[name]; ok {
				im.mistake(d, "it may stand once only, and stands at %s too", place(earlier.File, earlier.Line))
			}
			first[name] = d
		}
	}
}

var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// unmarked takes the marks of a document off a note.
func unmarked(note string) string {
	return strings.ReplaceAll(link.ReplaceAllString(note, "$1"), "`", "")
}
