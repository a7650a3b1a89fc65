package netcfg

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// fileProblems is what the files of other managers of networks say about links of ours.
type fileProblems struct {
	problems []Problem
	notes    []Note
}

// readManagers looks at the files of those who may take links of ours for theirs, or remove rules: NetworkManager, systemd-networkd and
// nftables.service. root is the host's root directory.
func readManagers(root fs.FS, cfg Config, f *facts) fileProblems {
	var out fileProblems
	for _, n := range cfg.Networks {
		ours := linksOf(n, f)
		if p, ok := networkManagerTakes(root, n, ours); ok {
			out.problems = append(out.problems, p)
		}
		if p, ok := networkdTakes(root, n, ours); ok {
			out.problems = append(out.problems, p)
		}
	}
	if flushes(root) {
		out.notes = append(out.notes, Note{
			Text: "nftables.service removes every table when it is reloaded; while labnet runs, it puts its own back at once",
			Hint: "nothing, or replace \"flush ruleset\" in /etc/nftables.conf by \"destroy table\" of its own tables",
		})
	}
	return out
}

// ourLink is a link of a network's, or one that may come: then its index is 0.
type ourLink struct {
	name, kind string // of rtnetlink
	index      int
}

// linksOf are a network's bridge, its ports, and an example for each pattern of those to come.
func linksOf(n Network, f *facts) []ourLink {
	bridge, _ := f.link(n.Bridge)
	list := []ourLink{{n.Bridge, "bridge", bridge.index}}
	for _, l := range f.links {
		if bridge.index != 0 && l.master == bridge.index {
			list = append(list, ourLink{l.name, l.kind, l.index})
		}
	}
	for _, pattern := range n.Attach {
		if strings.ContainsAny(pattern, `[]\'`) {
			continue
		}
		example := strings.NewReplacer("*", "0", "?", "0").Replace(pattern)
		if !slices.ContainsFunc(list, func(l ourLink) bool { return l.name == example }) {
			list = append(list, ourLink{example, "tun", 0})
		}
	}
	return list
}

// names are the network's links as the files of both managers have them.
func (n Network) names() []string {
	names := []string{n.Bridge}
	for _, pattern := range n.Attach {
		if !strings.Contains(pattern, "'") {
			names = append(names, pattern)
		}
	}
	return names
}

// iniSection reads the keys of a section of a file such as systemd's; a key may come several times.
func iniSection(text, section string) map[string][]string {
	keys := map[string][]string{}
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == "["+section+"]"
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if inside && ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			key = strings.TrimSpace(key)
			keys[key] = append(keys[key], strings.TrimSpace(value))
		}
	}
	return keys
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func readText(root fs.FS, name string) (string, bool) {
	text, err := fs.ReadFile(root, name)
	return string(text), err == nil
}

func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

// networkManagerTakes reports whether NetworkManager runs and has a link of ours, or a connection for one. Bridges and TAP devices that
// it has neither made nor a connection for, it leaves alone.
func networkManagerTakes(root fs.FS, n Network, links []ourLink) (Problem, bool) {
	if !exists(root, "run/NetworkManager") {
		return Problem{}, false
	}
	problem := func(l ourLink, how string) (Problem, bool) {
		return Problem{
			Network: n.Name,
			Summary: fmt.Sprintf("NetworkManager %s %s", how, l.name),
			Remedy: fmt.Sprintf(`printf '[keyfile]\nunmanaged-devices+=interface-name:%s\n' >/etc/NetworkManager/conf.d/90-labnet-%s.conf && nmcli general reload`,
				strings.Join(n.names(), ";interface-name:"), n.Name),
		}, true
	}
	for _, dir := range []string{"etc/NetworkManager/conf.d", "run/NetworkManager/conf.d", "usr/lib/NetworkManager/conf.d"} {
		files, _ := fs.Glob(root, dir+"/*.conf")
		for _, file := range files {
			if text, ok := readText(root, file); ok && strings.Contains(text, "interface-name:"+n.Bridge) {
				return Problem{}, false // told already
			}
		}
	}
	for _, l := range links {
		if l.index == 0 {
			continue
		}
		text, ok := readText(root, fmt.Sprintf("run/NetworkManager/devices/%d", l.index))
		if device := iniSection(text, "device"); ok && last(device["managed"]) == "true" && last(device["connection-uuid"]) != "" {
			return problem(l, "has taken")
		}
	}
	for _, dir := range []string{"etc", "run", "usr/lib"} {
		files, _ := fs.Glob(root, dir+"/NetworkManager/system-connections/*")
		for _, file := range files {
			text, ok := readText(root, file)
			connection := iniSection(text, "connection")
			if !ok || last(connection["autoconnect"]) == "false" {
				continue
			}
			for _, l := range links {
				if last(connection["interface-name"]) == l.name {
					return problem(l, "has a connection for")
				}
			}
		}
	}
	return Problem{}, false
}

// networkdTakes reports whether systemd-networkd runs and has a file that fits a link of ours: of all files, the first by its name that
// fits counts (systemd.network(5)).
func networkdTakes(root fs.FS, n Network, links []ourLink) (Problem, bool) {
	if !exists(root, "run/systemd/netif/state") {
		return Problem{}, false
	}
	files := networkFiles(root)
	for _, l := range links {
		for _, file := range files {
			text, ok := readText(root, file)
			if !ok || !l.fits(iniSection(text, "Match")) {
				continue
			}
			if unmanaged := last(iniSection(text, "Link")["Unmanaged"]); slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(unmanaged)) {
				break
			}
			return Problem{
				Network: n.Name,
				Summary: fmt.Sprintf("systemd-networkd configures %s by /%s", l.name, file),
				Remedy: fmt.Sprintf(`printf '[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n' >/etc/systemd/network/00-labnet-%s.network && networkctl reload`,
					strings.Join(n.names(), " "), n.Name),
			}, true
		}
	}
	return Problem{}, false
}

// networkFiles are networkd's files in the order in which it looks at them: by their names, whatever their directories, where one in
// /etc hides one of the same name in the others.
func networkFiles(root fs.FS) []string {
	byName := map[string]string{}
	for _, dir := range []string{"usr/lib/systemd/network", "run/systemd/network", "etc/systemd/network"} {
		files, _ := fs.Glob(root, dir+"/*.network")
		for _, file := range files {
			byName[path.Base(file)] = file
		}
	}
	var out []string
	for _, name := range sortedKeys(byName) {
		out = append(out, byName[name])
	}
	return out
}

// fits compares a link with the conditions of a file. One with conditions that aren't looked at here is taken for none of ours.
func (l ourLink) fits(match map[string][]string) bool {
	if len(match) == 0 {
		return false
	}
	for key, values := range match {
		words := strings.Fields(strings.Join(values, " "))
		switch key {
		case "Name":
			if !matchesWords(words, l.name) {
				return false
			}
		case "Kind":
			if !matchesWords(words, l.kind) {
				return false
			}
		case "Type":
			kind := "ether"
			if l.kind == "bridge" {
				kind = "bridge"
			}
			if !matchesWords(words, kind) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// matchesWords compares a text with patterns; "!" before the first turns the list around.
func matchesWords(words []string, text string) bool {
	inverted := len(words) > 0 && strings.HasPrefix(words[0], "!")
	found := false
	for _, word := range words {
		matched, err := path.Match(strings.TrimPrefix(word, "!"), text)
		found = found || matched && err == nil
	}
	return found != inverted
}

// flushes reports whether nftables.service is enabled with a file that removes the tables of others.
func flushes(root fs.FS) bool {
	enabled, _ := fs.Glob(root, "etc/systemd/system/*.wants/nftables.service")
	text, ok := readText(root, "etc/nftables.conf")
	if !ok || len(enabled) == 0 {
		return false
	}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "flush ruleset" {
			return true
		}
	}
	return false
}
