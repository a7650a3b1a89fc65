package config

import (
	"slices"
	"time"
)

func daemonBlock() *block {
	return &block{
		name: "daemon",
		doc:  "Where the daemon keeps its things, for how long, and how it logs.",
		args: []argument{
			{
				name: "state_dir", kind: directory(), fallback: `"/var/lib/labnet"`, example: `"/srv/labnet"`,
				doc: "the directory of the lease database and of the record by which `labnet down` puts the host back",
			},
			{
				name: "run_dir", kind: directory(), fallback: `"/run/labnet"`, example: `"/run/labnet-lab"`,
				doc: "the directory of the control socket",
			},
			{
				name: "log_level", kind: oneOf("debug", "info", "warn", "error"), fallback: `"info"`, example: `"debug"`,
				doc: "the least severe messages that are logged",
			},
			{
				name: "log_format", kind: oneOf("auto", "text", "json", "journal"), fallback: `"auto"`, example: `"json"`,
				doc: "`auto` is the journal under systemd, text on a terminal and JSON otherwise",
			},
			{
				name: "lease_history", kind: duration(0, maxHistory, false), fallback: `"90d"`, example: `"2w"`,
				doc: "for how long it is kept who had which address (`labnet leases history`), a million entries at most; `\"0s\"` keeps nothing",
			},
		},
	}
}

func networkBlock() *block {
	return &block{
		name: "network", many: true, unique: true,
		label: &label{doc: "The name is a DNS label: it stands in messages, and the domain is made of it.", example: "lab"},
		doc:   "A network of virtual machines: a bridge, the host's address on it, and what is served there. Networks do not reach each other, unless `allow_from` lets them.",
		needs: []string{"address"},
		args: []argument{
			{
				name: "mode", kind: oneOf("routed", "isolated", "bridged"), fallback: `"routed"`, example: `"isolated"`,
				doc: "`routed`: a subnet of its own behind this host, which is its gateway; `isolated`: one without a way out; `bridged`: guests are machines of the LAN, on a bridge that the uplink is a port of ([guide](guide.md#on-the-lan))",
			},
			{
				name: "address", kind: networkAddress(), computed: "**required**, or `\"inherit\"` if bridged", example: `"10.0.0.1/24"`,
				doc: "the host's address on the bridge with the subnet's prefix length; the guests' gateway and resolver. Of a bridged network `inherit`, what the uplink has; `dhcp`, what a DHCP server of the LAN gives; or an address of the LAN",
			},
			addressesArgument(),
			hostAccessArgument(),
			allowFromArgument(),
			gatewayArgument(),
		},
		blocks: []*block{bridgeBlock(), uplinkBlock(), dhcpBlock(), dnsBlock(), hostBlock(), tapBlock(), publishBlock(), routeBlock(), applyBlock()},
	}
}

func bridgeBlock() *block {
	return &block{
		name: "bridge",
		doc:  "The bridge that the guests are plugged into. It is created, and removed by `labnet down`.",
		args: []argument{
			{
				name: "name", kind: interfaceName(), computed: "`br0` if there is one network, else it must be given", example: `"br-lab"`,
				doc: "the interface name, at most 15 bytes",
			},
			{
				name: "mtu", kind: integer(minMTU, maxMTU), fallback: "1500", example: "9000",
				doc: "the largest packet in bytes, 576 to 65535; guests are told by DHCP if it is not 1500",
			},
			{
				name: "attach", kind: listOf(linkPattern()), fallback: "[]", example: `["tap-lab*", "vnet*"]`,
				doc: "links that become ports of the bridge, those there at the start and those that appear (after 0.3 s), by name or with `*`, `?` and `[a-z]`",
			},
			{
				name: "guard", kind: oneOf("subnet", "strict", "off"), fallback: `"subnet"`, example: `"strict"`,
				doc: "which source addresses guests may use: `subnet` only those of the network, `strict` each only those that it leases or a `host` block gives to its MAC address, `off` any",
			},
			isolateGuestsArgument(),
			adoptArgument(),
		},
	}
}

func uplinkBlock() *block {
	return &block{
		name: "uplink",
		doc:  "The way out.",
		args: []argument{
			{
				name: "interface", kind: interfaceName(), fallback: `"auto"`, example: `"eth0"`,
				doc: "`auto` follows the default route; a name lets traffic leave through that interface only",
			},
			{
				name: "masquerade", kind: boolean(), fallback: "true", example: "false",
				doc: "whether what leaves has the uplink's address (NAT). Without it, the LAN's router needs a route to the subnet",
			},
		},
	}
}

func dhcpBlock() *block {
	return &block{
		name: "dhcp",
		doc:  "The network's DHCP service.",
		args: slices.Concat([]argument{
			{
				name: "enabled", kind: boolean(), fallback: "true", example: "false",
				doc: "whether addresses are leased; without, guests have static ones",
			},
			{
				name: "lease_time", kind: duration(minLease, maxLease, true), fallback: `"12h"`, example: `"45m"`,
				doc: "how long an address is leased, at least `60s`, or `infinite`",
			},
			{
				name: "identity", kind: oneOf("auto", "client_id", "mac"), fallback: `"auto"`, example: `"mac"`,
				doc: "what tells one client from another: its client identifier (RFC 2131), its MAC address, or `auto`: the identifier, but clones of one image are told apart",
			},
			{
				name: "authoritative", kind: boolean(), fallback: "true", example: "false",
				doc: "whether clients that ask for an address which is not right here are told so at once, as the only DHCP server of the link does",
			},
			{
				name: "conflict_probe", kind: boolean(), fallback: "true", example: "false",
				doc: "whether ARP is asked who uses an address before a new client gets it, and whether the holder of a lease is still there when a second machine sends its client identifier",
			},
			{
				name: "unknown_clients", kind: oneOf("serve", "deny"), fallback: `"serve"`, example: `"deny"`,
				doc: "`deny`: only clients with a `host` block get an address",
			},
			{
				name: "rapid_commit", kind: boolean(), fallback: "false", example: "true",
				doc: "whether a client that asks for it is given its address at once, in two messages instead of four (RFC 4039); for the only DHCP server of a link",
			},
			{
				name: "relays", kind: listOf(address()), computed: "any host of the subnet", example: `["10.0.0.5", "192.0.2.7"]`,
				doc: "the DHCP relays that are heard, by the address that they put into giaddr. One that is not of the subnet must ask for it by link or subnet " +
					"selection (RFC 3527, RFC 3011), and the host must have a route to it over the bridge",
			},
		}, bootArguments("")),
		blocks: []*block{
			{
				name: "range", many: true, needs: []string{"start", "end"},
				doc: "Addresses that are leased, both ends included. Without a range block: every usable address of the subnet but the gateway's.",
				args: []argument{
					{name: "start", kind: address(), required: true, example: `"10.0.0.100"`, doc: "the first address"},
					{name: "end", kind: address(), required: true, example: `"10.0.0.199"`, doc: "the last address"},
				},
			},
			classBlock(),
			optionBlock("Tells clients something by DHCP, beyond what they are told anyway (subnet mask, router, resolver, domain, MTU, times)."),
		},
	}
}

func optionBlock(doc string) *block {
	return &block{
		name: "option", many: true,
		label: &label{doc: "The name is one of the table of options below, or any other together with `code` and `type`.", example: "wpad"},
		doc:   doc,
		needs: []string{"code", "type", "value"},
		args: []argument{
			{
				name: "value", kind: anything(), required: true, example: `"http://10.0.0.1/wpad.dat"`,
				doc: "the value, or a list of values, as the option's type asks",
			},
			{
				name: "code", kind: integer(1, 254), example: "252",
				doc: "the option's number, only for options without a name here",
			},
			{
				name: "type", kind: oneOf(customTypes()...), example: `"text"`,
				doc: "how the value is encoded, only for options without a name here",
			},
			{
				name: "always", kind: boolean(), fallback: "false", example: "true",
				doc: "send it also to clients that do not ask for it",
			},
		},
	}
}

func dnsBlock() *block {
	return &block{
		name: "dns",
		doc:  "The network's DNS service: it answers for the guests' names and addresses, and forwards and caches the rest.",
		args: slices.Concat([]argument{
			{name: "enabled", kind: boolean(), fallback: "true", example: "false", doc: "whether the gateway answers DNS questions"},
			{
				name: "domain", kind: domainName(), computed: "`LABEL.internal`", example: `"lab.example.com"`,
				doc: "the domain of the guests' names; it is answered here alone and never forwarded",
			},
			{
				name: "name_conflict", kind: oneOf("first_wins", "suffix", "reject"), fallback: `"first_wins"`, example: `"suffix"`,
				doc: "what a client gets whose name another one holds: no name (`first_wins`), `NAME-2` (`suffix`), or no name and a warning in the log (`reject`)",
			},
			{
				name: "clients", kind: listOf(subnet()), fallback: "[]", example: `["192.168.1.0/24"]`,
				doc: "subnets or addresses that may ask besides the network's own guests",
			},
			{
				name: "query_log", kind: boolean(), fallback: "false", example: "true",
				doc: "whether a line is written for each question and its answer, which makes answers slower: to the log, or to `query_log_file`",
			},
			hostsFilesArgument(),
		}, queryLogArguments()),
		blocks: []*block{{
			name: "record", many: true, needs: []string{"type", "value"},
			label: &label{
				doc: "The name is relative to the domain; `@` is the domain itself, `*` any name without records; with a last dot it is absolute " +
					"(for a name in the domain, or in the subnet's reverse zone).",
				example: "registry",
			},
			doc: "A static DNS record. A host's A and PTR come from its `host` block.",
			args: []argument{
				{
					name: "type", kind: upperText(), required: true, example: `"CNAME"`,
					doc: "A, AAAA, CNAME, MX, SRV, TXT, PTR, CAA, NAPTR, …, or `TYPE65280` for any other",
				},
				{
					name: "value", kind: listOf(text()), required: true, example: `"builder"`,
					doc: "the record's data as in a zone file, a list for several records. Names without a last dot are relative to the domain. The text of a TXT record needs no quotes of its own",
				},
				{
					name: "ttl", kind: duration(0, maxTTL, false), fallback: `"5m"`, example: `"1h"`,
					doc: "how long others may remember it",
				},
			},
		}},
	}
}

func hostBlock() *block {
	return &block{
		name: "host", many: true, needs: []string{"address"},
		label: &label{doc: "The name is a DNS label; it becomes a name in the network's domain.", example: "builder"},
		doc: "A guest that is known: its name, and its address if that shall be fixed. It is recognised by `mac`, `client_id` or `hostname`, " +
			"one of them; with none, the block keeps name and address for a guest that sets them itself.",
		args: slices.Concat([]argument{
			{
				name: "mac", kind: macAddress(), example: `"52:54:00:12:34:56"`,
				doc: "the guest's MAC address, with colons, hyphens or dots",
			},
			{
				name: "client_id", kind: clientID(), example: `"01:52:54:00:12:34:56"`,
				doc: "its client identifier (option 61) as hexadecimal bytes, or as `text:NAME`",
			},
			{name: "hostname", kind: hostLabel(), example: `"builder"`, doc: "the name that it sends"},
			{
				name: "address", kind: address(), computed: "any address of the ranges", example: `"10.0.0.10"`,
				doc: "its address, inside or outside the ranges; nobody else gets it",
			},
			{name: "aliases", kind: listOf(hostLabel()), fallback: "[]", example: `["ci", "runner"]`, doc: "further names"},
			{
				name: "lease_time", kind: duration(minLease, maxLease, true), computed: "the network's", example: `"infinite"`,
				doc: "how long its address is leased",
			},
		}, bootArguments("the network's")),
		blocks: []*block{optionBlock("As in `dhcp`, for this host alone; it overrides the network's.")},
	}
}

func resolverBlock() *block {
	return &block{
		name: "resolver",
		doc:  "What the DNS services of all networks share.",
		args: []argument{
			{
				name: "cache_size", kind: size(minCache, maxCache), fallback: `"64MiB"`, example: `"256MiB"`,
				doc: "the memory for remembered answers, 64KiB to 64GiB",
			},
			{
				name: "serve_stale", kind: duration(0, maxStale, false), fallback: `"1h"`, example: `"1d"`,
				doc: "how long an answer may still be used after its time when no upstream answers (RFC 8767), at most 7 days; `\"0s\"`: never",
			},
			{
				name: "rebind_protection", kind: oneOf("own", "private", "off"), fallback: `"own"`, example: `"private"`,
				doc: "which addresses are withheld from the answers about names of the outside: `own` those of the networks here, loopback and link-local ones, " +
					"`private` these and all private ones, `off` none",
			},
			{
				name: "rebind_allow", kind: listOf(zoneName()), fallback: "[]", example: `["zen.spamhaus.org", "fritz.box"]`,
				doc: "domains, with all below them, that may point anywhere",
			},
		},
		blocks: []*block{blockBlock(), {
			name: "upstream", many: true, unique: true, needs: []string{"servers"},
			label: &label{doc: "The name stands in messages.", example: "default"},
			doc:   "Servers that are asked what is not known here. Without an upstream that is for every domain, the host's own resolvers are asked, and followed as they change.",
			args: []argument{
				{
					name: "servers", kind: listOf(upstreamServer()), required: true, example: `["udp://192.0.2.53", "198.51.100.53:5353"]`,
					doc: "`udp://ADDRESS[:PORT]`, or the address alone; TCP is used when an answer does not fit",
				},
				{
					name: "domains", kind: listOf(zoneName()), computed: "every domain", example: `["corp.example.com", "10.in-addr.arpa"]`,
					doc: "the domains, with all below them, that these servers are asked about; the longest match counts",
				},
			},
		}},
	}
}

// The bounds of arguments. 576 is the smallest MTU that every IPv4 host must take (RFC 791).
const (
	minMTU = 576
	maxMTU = 65535

	minLease = time.Minute
	maxLease = (1<<32 - 2) * time.Second // 0xffffffff is "infinite" on the wire (RFC 2132 section 9.2)
	maxTTL   = (1<<31 - 1) * time.Second // RFC 2181 section 8

	maxHistory = 100 * 365 * 24 * time.Hour

	maxStale = 7 * 24 * time.Hour // RFC 8767 section 5: one to three days are common, more is of no use

	minCache = 64 << 10
	maxCache = 64 << 30
)
