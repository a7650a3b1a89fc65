package config

import (
	"slices"
	"strings"
)

// optionKind is how an option's values are encoded.
type optionKind string

// The kinds. Those of customTypes may be named in an option block.
const (
	optText    optionKind = "text"
	optIP      optionKind = "ip"
	optIPList  optionKind = "ip_list"
	optU8      optionKind = "u8"
	optU16     optionKind = "u16"
	optU32     optionKind = "u32"
	optBool    optionKind = "bool"
	optHex     optionKind = "hex"
	optI32     optionKind = "i32"
	optU16List optionKind = "u16_list"
	optSeconds optionKind = "seconds"
	optPairs   optionKind = "ip_pairs"
	optDomain  optionKind = "domain"
	optDomains optionKind = "domains"
	optRoutes  optionKind = "routes"
	optURL     optionKind = "url"
)

func customTypes() []string {
	var names []string
	for _, k := range []optionKind{optText, optIP, optIPList, optU8, optU16, optU32, optBool, optHex} {
		names = append(names, string(k))
	}
	return names
}

// many reports whether a list of values makes sense.
func (k optionKind) many() bool {
	return slices.Contains([]optionKind{optIPList, optU16List, optPairs, optDomains, optRoutes}, k)
}

// doc is the kind in the words of the reference.
func (k optionKind) doc() string {
	switch k {
	case optIP:
		return "address"
	case optIPList:
		return "list of addresses"
	case optU8:
		return "number to 255"
	case optU16:
		return "number to 65535"
	case optU32:
		return "number to 4294967295"
	case optI32:
		return "number, also negative"
	case optU16List:
		return "list of numbers"
	case optBool:
		return "true or false"
	case optHex:
		return "bytes in hexadecimal"
	case optSeconds:
		return "duration"
	case optPairs:
		return `list of "ADDRESS ADDRESS"`
	case optDomains:
		return "list of domains"
	case optRoutes:
		return `list of "SUBNET via ROUTER"`
	case optURL:
		return "URL"
	default:
		return string(k)
	}
}

// optionDef is an option that has a name here.
type optionDef struct {
	code        uint8
	name        string
	kind        optionKind
	least, most uint32 // of a number; 0, 0: what the type holds
	dnsmasq     string // its name there, for suggestions and for those who come from it
	hostOnly    bool
	doc         string
}

func findOption(name string) (optionDef, bool) {
	for _, def := range optionTable() {
		if def.name == name {
			return def, true
		}
	}
	return optionDef{}, false
}

// optionTable is the options by name, RFC 2132 where nothing else is said. Missing are those that only clients send, those that the
// server computes, and what no client reads any more.
func optionTable() []optionDef {
	return []optionDef{
		{code: 2, name: "time_offset", kind: optI32, dnsmasq: "time-offset", doc: "seconds east of UTC"},
		{code: 3, name: "routers", kind: optIPList, dnsmasq: "router", doc: "in place of the network's own gateway"},
		{code: 4, name: "time_servers", kind: optIPList, doc: "time servers (RFC 868)"},
		{code: 5, name: "ien116_name_servers", kind: optIPList, doc: "name servers of before DNS"},
		{code: 6, name: "dns_servers", kind: optIPList, dnsmasq: "dns-server", doc: "in place of the network's own resolver"},
		{code: 7, name: "log_servers", kind: optIPList, dnsmasq: "log-server", doc: "log servers"},
		{code: 8, name: "quotes_servers", kind: optIPList, doc: "quote of the day servers"},
		{code: 9, name: "lpr_servers", kind: optIPList, dnsmasq: "lpr-server", doc: "printer servers"},
		{code: 10, name: "impress_servers", kind: optIPList, doc: "Imagen Impress servers"},
		{code: 11, name: "resource_location_servers", kind: optIPList, doc: "resource location servers"},
		{code: 12, name: "host_name", kind: optText, dnsmasq: "hostname", hostOnly: true, doc: "the name that the client shall take"},
		{code: 13, name: "boot_file_size", kind: optU16, dnsmasq: "boot-file-size", doc: "size of the boot file in blocks of 512 bytes"},
		{code: 14, name: "merit_dump_file", kind: optText, doc: "where to dump core"},
		{code: 15, name: "domain_name", kind: optDomain, dnsmasq: "domain-name", doc: "in place of the network's own domain"},
		{code: 16, name: "swap_server", kind: optIP, dnsmasq: "swap-server", doc: "swap server"},
		{code: 17, name: "root_path", kind: optText, dnsmasq: "root-path", doc: "the root disk, of NFS or iSCSI"},
		{code: 18, name: "extensions_path", kind: optText, dnsmasq: "extension-path", doc: "a file with more options"},
		{code: 19, name: "ip_forwarding", kind: optBool, dnsmasq: "ip-forward-enable", doc: "whether the client forwards packets"},
		{code: 20, name: "non_local_source_routing", kind: optBool, dnsmasq: "non-local-source-routing", doc: "whether it forwards source-routed packets"},
		{code: 21, name: "policy_filter", kind: optPairs, dnsmasq: "policy-filter", doc: "address and mask of allowed source routes"},
		{code: 22, name: "max_datagram_reassembly", kind: optU16, least: 576, most: 65535, dnsmasq: "max-datagram-reassembly", doc: "largest datagram to reassemble"},
		{code: 23, name: "default_ip_ttl", kind: optU8, least: 1, most: 255, dnsmasq: "default-ttl", doc: "time to live of packets"},
		{code: 24, name: "path_mtu_aging_timeout", kind: optSeconds, doc: "how long a path MTU is remembered"},
		{code: 25, name: "path_mtu_plateau_table", kind: optU16List, least: 68, most: 65535, doc: "MTUs to try"},
		{code: 26, name: "mtu", kind: optU16, least: 68, most: 65535, dnsmasq: "mtu", doc: "in place of the bridge's own"},
		{code: 27, name: "all_subnets_local", kind: optBool, dnsmasq: "all-subnets-local", doc: "whether all subnets have this MTU"},
		{code: 29, name: "perform_mask_discovery", kind: optBool, doc: "whether the client asks for its mask by ICMP"},
		{code: 30, name: "mask_supplier", kind: optBool, doc: "whether it answers such questions"},
		{code: 31, name: "perform_router_discovery", kind: optBool, dnsmasq: "router-discovery", doc: "whether it looks for routers (RFC 1256)"},
		{code: 32, name: "router_solicitation_address", kind: optIP, dnsmasq: "router-solicitation", doc: "where it asks for them"},
		{code: 33, name: "static_routes", kind: optPairs, dnsmasq: "static-route", doc: "destination host and router; prefer classless_routes"},
		{code: 34, name: "trailer_encapsulation", kind: optBool, dnsmasq: "trailer-encapsulation", doc: "whether to use ARP trailers"},
		{code: 35, name: "arp_cache_timeout", kind: optSeconds, dnsmasq: "arp-timeout", doc: "how long ARP entries are remembered"},
		{code: 36, name: "ethernet_encapsulation", kind: optBool, dnsmasq: "ethernet-encap", doc: "whether to use IEEE 802.3 frames"},
		{code: 37, name: "default_tcp_ttl", kind: optU8, least: 1, most: 255, dnsmasq: "tcp-ttl", doc: "time to live of TCP segments"},
		{code: 38, name: "tcp_keepalive_interval", kind: optSeconds, dnsmasq: "tcp-keepalive", doc: "between keepalives; 0s for none"},
		{code: 39, name: "tcp_keepalive_garbage", kind: optBool, doc: "whether keepalives carry a byte"},
		{code: 40, name: "nis_domain", kind: optText, dnsmasq: "nis-domain", doc: "NIS domain"},
		{code: 41, name: "nis_servers", kind: optIPList, dnsmasq: "nis-server", doc: "NIS servers"},
		{code: 42, name: "ntp_servers", kind: optIPList, dnsmasq: "ntp-server", doc: "NTP servers"},
		{code: 43, name: "vendor_specific", kind: optHex, dnsmasq: "vendor-encap", doc: "what the vendor defines"},
		{code: 44, name: "netbios_name_servers", kind: optIPList, dnsmasq: "netbios-ns", doc: "WINS servers"},
		{code: 45, name: "netbios_dd_servers", kind: optIPList, dnsmasq: "netbios-dd", doc: "NetBIOS datagram distribution servers"},
		{code: 46, name: "netbios_node_type", kind: optU8, least: 1, most: 8, dnsmasq: "netbios-nodetype", doc: "1 broadcast, 2 server, 4 mixed, 8 hybrid"},
		{code: 47, name: "netbios_scope", kind: optText, dnsmasq: "netbios-scope", doc: "NetBIOS scope"},
		{code: 48, name: "x_font_servers", kind: optIPList, dnsmasq: "x-windows-fs", doc: "X font servers"},
		{code: 49, name: "x_display_managers", kind: optIPList, dnsmasq: "x-windows-dm", doc: "X display managers"},
		{code: 60, name: "vendor_class", kind: optText, dnsmasq: "vendor-class", doc: "to boot ROMs it is said without being told to, where they need it"},
		{code: 64, name: "nisplus_domain", kind: optText, dnsmasq: "nis+-domain", doc: "NIS+ domain"},
		{code: 65, name: "nisplus_servers", kind: optIPList, dnsmasq: "nis+-server", doc: "NIS+ servers"},
		{code: 66, name: "tftp_server_name", kind: optText, dnsmasq: "tftp-server", doc: "name or address of the boot server; prefer `next_server` and `server_name`"},
		{code: 67, name: "bootfile_name", kind: optText, dnsmasq: "bootfile-name", doc: "the boot file; prefer `boot_file`, which boot ROMs find in the header too"},
		{code: 68, name: "mobile_ip_home_agents", kind: optIPList, dnsmasq: "mobile-ip-home", doc: "Mobile IP home agents"},
		{code: 69, name: "smtp_servers", kind: optIPList, dnsmasq: "smtp-server", doc: "SMTP servers"},
		{code: 70, name: "pop3_servers", kind: optIPList, dnsmasq: "pop3-server", doc: "POP3 servers"},
		{code: 71, name: "nntp_servers", kind: optIPList, dnsmasq: "nntp-server", doc: "news servers"},
		{code: 72, name: "www_servers", kind: optIPList, doc: "web servers"},
		{code: 73, name: "finger_servers", kind: optIPList, doc: "finger servers"},
		{code: 74, name: "irc_servers", kind: optIPList, dnsmasq: "irc-server", doc: "IRC servers"},
		{code: 75, name: "streettalk_servers", kind: optIPList, doc: "StreetTalk servers"},
		{code: 76, name: "streettalk_directory_servers", kind: optIPList, doc: "StreetTalk directory servers"},
		{code: 100, name: "posix_timezone", kind: optText, dnsmasq: "posix-timezone", doc: "time zone, as TZ has it (RFC 4833)"},
		{code: 101, name: "tzdb_timezone", kind: optText, dnsmasq: "tzdb-timezone", doc: "time zone, e.g. Europe/Berlin (RFC 4833)"},
		{code: 108, name: "v6only", kind: optSeconds, dnsmasq: "ipv6-only", doc: "how long to do without IPv4 (RFC 8925)"},
		{code: 114, name: "captive_portal", kind: optURL, dnsmasq: "captive-portal", doc: "the portal's API (RFC 8910)"},
		{code: 119, name: "domain_search", kind: optDomains, dnsmasq: "domain-search", doc: "domains that short names are tried in (RFC 3397)"},
		{code: 121, name: "classless_routes", kind: optRoutes, dnsmasq: "classless-static-route", doc: "routes (RFC 3442); a default route by the first of the `routers` is added if there is none"},
		{code: 138, name: "capwap_controllers", kind: optIPList, doc: "wireless controllers (RFC 5417)"},
		{code: 150, name: "tftp_servers", kind: optIPList, dnsmasq: "tftp-server-address", doc: "TFTP servers (RFC 5859)"},
		{code: 209, name: "pxelinux_config_file", kind: optText, dnsmasq: "config-file", doc: "PXELINUX configuration (RFC 5071)"},
		{code: 210, name: "pxelinux_path_prefix", kind: optText, dnsmasq: "path-prefix", doc: "PXELINUX path prefix (RFC 5071)"},
		{code: 211, name: "pxelinux_reboot_time", kind: optSeconds, dnsmasq: "reboot-time", doc: "PXELINUX time until reboot (RFC 5071)"},
	}
}

// ownedCodes says why an option is not the operator's to set.
func ownedCodes(code uint8) (string, bool) {
	switch code {
	case 0, 255:
		return "it is a mark of the message format", true
	case 1, 28:
		return "it follows from the network's address", true
	case 50, 55, 57, 61:
		return "only clients send it", true
	case 51:
		return "it follows from the argument lease_time", true
	case 58, 59:
		return "it follows from the argument lease_time", true
	case 52, 53, 54, 56:
		return "the server sets it in each message", true
	case 80, 81, 90, 118:
		return "the server negotiates it with the client", true
	case 82:
		return "only relays set it", true
	case 249:
		return "it is sent with the content of classless_routes", true
	default:
		return "", false
	}
}

// ownedNames is ownedCodes for what people call these options.
func ownedNames() map[string]string {
	out := map[string]string{}
	for name, code := range map[string]uint8{
		"subnet_mask": 1, "netmask": 1, "broadcast": 28, "broadcast_address": 28, "requested_address": 50, "lease_time": 51,
		"option_overload": 52, "message_type": 53, "server_identifier": 54, "parameter_request_list": 55, "message": 56,
		"max_message_size": 57, "renewal_time": 58, "t1": 58, "rebinding_time": 59, "t2": 59, "client_id": 61, "client_identifier": 61,
		"rapid_commit": 80, "subnet_selection": 118, "client_fqdn": 81, "fqdn": 81, "relay_agent_information": 82,
	} {
		out[name], _ = ownedCodes(code)
	}
	return out
}

func normalOption(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}
