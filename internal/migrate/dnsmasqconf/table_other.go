package dnsmasqconf

// otherDirectives are those about the process, its files, and where it listens.
func otherDirectives() []known {
	return []known{
		{"interface", "i", needsArg, structure, (*importer).listenOn, "exact approximated ignored unsupported", "`name` in `bridge`, which labnet makes; a network card becomes the bridge's port"},
		{"listen-address", "a", needsArg, structure, (*importer).listenAddress, "exact ignored unsupported", "`address`, with the subnet's prefix length"},
		{"except-interface", "I", needsArg, always, nil, "ignored", "labnet listens on its bridges alone"},
		{"bind-interfaces", "z", noArg, always, nil, "ignored", "likewise"},
		{"bind-dynamic", "", noArg, always, nil, "ignored", "likewise"},
		{"local-service", "", mayHaveArg, always, nil, "ignored", "a network's own guests may ask, and `clients`"},
		{"conf-file", "C", mayHaveArg, always, nil, "exact", "read with the rest"},
		{"conf-dir", "7", needsArg, always, nil, "exact", "read with the rest"},
		{"conf-script", "", needsArg, always, nil, "unsupported", "it is not run; import what it prints"},
		{"user", "u", mayHaveArg, always, nil, "ignored", "the service says who runs labnet"},
		{"group", "g", mayHaveArg, always, nil, "ignored", "likewise"},
		{"pid-file", "x", mayHaveArg, always, nil, "ignored", "`labnet status` knows the daemon"},
		{"keep-in-foreground", "k", noArg, always, nil, "ignored", "always"},
		{"no-daemon", "d", noArg, always, nil, "ignored", "always"},
		{"log-facility", "8", needsArg, always, nil, "ignored", "the log goes to the journal, or to standard error: `log_format` in `daemon`"},
		{"log-async", "", mayHaveArg, always, nil, "ignored", "nobody waits for the log"},
		{"log-dhcp", "", noArg, always, nil, "ignored", "`labnet trace dhcp` shows them live, with reasons"},
		{"log-debug", "", noArg, always, nil, "ignored", "`log_level = \"debug\"` in `daemon`"},
		{"dumpfile", "", needsArg, always, nil, "ignored", "`labnet trace`, or tcpdump"},
		{"dumpmask", "", needsArg, always, nil, "ignored", "likewise"},
		{"enable-dbus", "1", mayHaveArg, always, nil, "approximated", "programs use the [control socket](cli.md); upstreams that are set by D-Bus stand in no file, so they aren't here"},
		{"enable-ubus", "", mayHaveArg, always, nil, "approximated", "likewise"},
		{"test", "", noArg, always, nil, "ignored", "`labnet check`"},
		{"version", "v", noArg, always, nil, "ignored", "`labnet version`"},
		{"help", "w", noArg, always, nil, "ignored", "`labnet help`"},
	}
}
