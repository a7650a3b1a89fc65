package handover

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// managers are those who manage the uplink, by what they leave at run time: they would take back what is moved. Each comes with
// what makes it leave the interface alone.
func (h *Host) managers(uplink link, bridge string) []Problem {
	var out []Problem
	add := func(who, remedy string) {
		out = append(out, Problem{Summary: who + " manages " + uplink.name + ", and would fight over it", Remedy: remedy, Force: true})
	}
	// NetworkManager keeps a file for each device that it knows.
	if text := h.read("/run/NetworkManager/devices", strconv.Itoa(uplink.index)); strings.Contains(text, "managed=true") {
		add("NetworkManager", fmt.Sprintf("write /etc/NetworkManager/conf.d/90-labnet.conf with the lines [keyfile] and unmanaged-devices=interface-name:%s;interface-name:%s, "+
			"and let labnet give the address: address = \"dhcp\", or a static one with gateway; then `nmcli general reload`", uplink.name, bridge))
	}
	// systemd-networkd keeps one for each link; netplan works by it.
	state := h.read("/run/systemd/netif/links", strconv.Itoa(uplink.index))
	if strings.Contains(state, "ADMIN_STATE=configured") || strings.Contains(state, "ADMIN_STATE=configuring") {
		if file := h.netplan(uplink.name); file != "" {
			add("netplan", fmt.Sprintf("take %s out of %s, and write /etc/systemd/network/05-labnet.network with the lines [Match], Name=%s %s, [Link], Unmanaged=yes; then `netplan apply`",
				uplink.name, file, uplink.name, bridge))
		} else {
			add("systemd-networkd", fmt.Sprintf("write /etc/systemd/network/05-labnet.network with the lines [Match], Name=%s %s, [Link], Unmanaged=yes; then `networkctl reload`",
				uplink.name, bridge))
		}
	}
	for _, file := range []string{"/run/network/ifstate", "/run/network/ifstate." + uplink.name} {
		if mentions(h.read(file), uplink.name) {
			add("ifupdown", fmt.Sprintf("in /etc/network/interfaces make its stanza `iface %s inet manual`, and let labnet give the address: address = \"dhcp\", or a static one with gateway", uplink.name))
			break
		}
	}
	for _, client := range []struct{ name, pattern string }{
		{"dhclient", "/run/dhclient*" + uplink.name + "*.pid"},
		{"dhclient", "/var/run/dhclient*" + uplink.name + "*.pid"},
		{"dhclient", "/var/lib/dhcp/dhclient*" + uplink.name + "*.pid"},
		{"dhcpcd", "/run/dhcpcd*" + uplink.name + "*.pid"},
		{"dhcpcd", "/run/dhcpcd/" + uplink.name + "*.pid"},
		{"udhcpc", "/run/udhcpc*" + uplink.name + "*.pid"},
	} {
		if pid := h.lives(client.name, client.pattern); pid != "" {
			add(client.name+" (pid "+pid+")", fmt.Sprintf("end it, so that the address stays: kill %s; and have labnet lease it: address = \"dhcp\"; or give a static one, with gateway", pid))
			break
		}
	}
	return out
}

// read returns a file's text, "" if there is none.
func (h *Host) read(path ...string) string {
	text, err := os.ReadFile(filepath.Join(append([]string{h.root, "/"}, path...)...))
	if err != nil {
		return ""
	}
	return string(text)
}

// mentions reports whether ifupdown's state has an interface up: lines of interface=name.
func mentions(state, name string) bool {
	for line := range strings.Lines(state) {
		if physical, _, _ := strings.Cut(strings.TrimSpace(line), "="); physical == name {
			return true
		}
	}
	return false
}

// netplan is the file of netplan's that names an interface, "" if none does.
func (h *Host) netplan(name string) string {
	files, _ := filepath.Glob(filepath.Join(h.root, "/etc/netplan/*.yaml")) // the pattern is a constant
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), name+":") {
			return strings.TrimPrefix(file, h.root)
		}
	}
	return ""
}

// lives is the pid in one of the files of a DHCP client that still runs, "" if none does.
func (h *Host) lives(client, pattern string) string {
	files, _ := filepath.Glob(filepath.Join(h.root, pattern)) // interface names that config takes have nothing that a pattern would mean otherwise
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid := strings.TrimSpace(string(text))
		if comm := strings.TrimSpace(h.read("/proc", pid, "comm")); comm == client {
			return pid
		}
	}
	return ""
}
