package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// hostsFiles are the files of addresses and names that a network's dns block names.
type hostsFiles struct {
	paths []string
	from  []int
	lines []string // of the file that is written beside the configuration, for names outside the networks' domains
}

// addnHosts reads hosts files: whether they are of names to block, and which there are.
func (im *importer) addnHosts(d Directive) {
	path := plain(d.Arg)
	if !strings.HasPrefix(path, "/") {
		im.note(Unsupported, "a hosts file is named by its absolute path")
		return
	}
	names, err := im.reader.names(path, nil)
	if err != nil {
		im.note(Approximated, fmt.Sprintf("%s: %v; labnet looks for it every second", path, err))
		names = []string{path}
	} else if len(names) != 1 || names[0] != path {
		im.note(Approximated, "each file by its name: what comes later isn't seen")
	}
	for _, name := range names {
		text, _ := im.reader.read(name) // what can't be read now may be there later
		if all, sinks := countNames(text); all > 0 && sinks == all {
			im.note(Approximated, "its names are blocked")
			im.resolver.lists = append(im.resolver.lists, list{path: name, finding: Finding{File: name, Text: fmt.Sprintf("%d names to block", all), Level: Exact}, names: all, null: true})
			continue
		}
		im.hosts.add(name, im.at)
	}
}

func (h *hostsFiles) add(path string, at int) {
	if !slices.Contains(h.paths, path) {
		h.paths, h.from = append(h.paths, path), append(h.from, at)
	}
}

// countNames counts the names of a hosts file, and those of them that are sent nowhere.
func countNames(text string) (all, sinks int) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 || strings.Contains(words[1], "localhost") {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			continue // dnsmasq logs it, and goes on
		}
		all += len(words) - 1
		if a.IsUnspecified() || a.IsLoopback() {
			sinks += len(words) - 1
		}
	}
	return all, sinks
}

// ownHosts names the host's own file, which dnsmasq serves unless it is told not to.
func (im *importer) ownHosts() (Finding, bool) {
	if _, ok := im.has("no-hosts"); ok || im.noPort {
		return Finding{}, false
	}
	im.hosts.paths = append([]string{"/etc/hosts"}, slices.DeleteFunc(im.hosts.paths, func(p string) bool { return p == "/etc/hosts" })...)
	return Finding{File: "/etc/hosts", Text: "served, since no-hosts isn't set", Level: Exact}, true
}

// outside puts a name that is in no network's domain into the hosts file beside the configuration.
func (im *importer) outside(name string, a netip.Addr) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case im.o.HostsFile == "":
		im.note(Unsupported, "a name outside the networks' domains stands in a hosts file: write to a file (-o), or name one by --hosts-file")
	case checkDomain(strings.ReplaceAll(name, "_", "x")) != nil:
		im.note(Unsupported, fmt.Sprintf("%q can't stand in a hosts file", name))
	default:
		im.hosts.lines = append(im.hosts.lines, a.String()+" "+name)
		im.hosts.add(im.o.HostsFile, im.at)
	}
}
