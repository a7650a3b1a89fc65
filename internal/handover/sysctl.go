package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A setting is named by its family and key: "ipv4/rp_filter", "ipv6/disable_ipv6".
const (
	disableIPv6 = "ipv6/disable_ipv6"
	acceptDAD   = "ipv6/accept_dad"
	acceptRA    = "ipv6/accept_ra"
	addrGenMode = "ipv6/addr_gen_mode"
)

// elsewhere are the settings that are others' affair: forwarding is the firewall's, which opens an interface only with its rules.
func elsewhere(key string) bool {
	switch key {
	case "ipv4/forwarding", "ipv6/forwarding", "ipv4/mc_forwarding", "ipv6/mc_forwarding", "ipv4/bc_forwarding":
		return true
	}
	return false
}

// settingPath is where a link's setting stands in /proc, of the calling thread's namespace. What is on disk about a handover may be
// another user's, the service's: root writes no other file because of it.
func settingPath(link, key string) (string, error) {
	family, name, _ := strings.Cut(key, "/")
	if family != "ipv4" && family != "ipv6" || !oneElement(link) || !oneElement(name) {
		return "", fmt.Errorf("%q of %q is no setting of a link", key, link)
	}
	return filepath.Join("/proc/sys/net", family, "conf", link, name), nil
}

// oneElement reports whether a name stands for itself alone in a path.
func oneElement(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// readSettings reads what a link has; some keys can't be read before they are set.
func readSettings(link string) (map[string]string, error) {
	values := map[string]string{}
	for _, family := range []string{"ipv4", "ipv6"} {
		dir := filepath.Join("/proc/sys/net", family, "conf", link)
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("reading the settings of %s: %w", link, err)
		}
		for _, e := range entries {
			if key := family + "/" + e.Name(); !elsewhere(key) {
				if text, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil {
					values[key] = strings.TrimSpace(string(text))
				}
			}
		}
	}
	return values, nil
}

// readSetting reads one key, "" if it can't be read: the kernel has no IPv6.
func readSetting(link, key string) string {
	path, err := settingPath(link, key)
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// writeSetting sets a key, unless it has the value already; a key that doesn't exist is passed over: the kernel has no IPv6.
func writeSetting(link, key, value string) error {
	path, err := settingPath(link, key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(text)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("setting %s of %s to %s: %w", key, link, value, err)
	}
	return nil
}

// copySettings gives a bridge what the uplink has, as far as the kernel takes it: a value that it refuses for a bridge means nothing there.
func copySettings(bridge string, from map[string]string) {
	for key, value := range from {
		switch key {
		case disableIPv6, acceptDAD, acceptRA, addrGenMode, "ipv6/stable_secret", "ipv6/mtu":
		default:
			_ = writeSetting(bridge, key, value)
		}
	}
}
