package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/dhcpclient"
	"labnet/internal/durable"
)

const (
	resolvConf = "/etc/resolv.conf"
	// formerResolvConf is what stood in resolv.conf before ours, in the directory of the handover's state.
	formerResolvConf = "resolv.conf"
	resolvMark       = "# labnet: the DNS servers that the DHCP server of the LAN has given to "
)

// resolve lets the host's programs ask the DNS servers of a lease, as its former DHCP client did: by systemd-resolved or resolvconf where
// one of them keeps resolv.conf, else in that file. One that names only the host itself is left alone: whoever runs a resolver of
// his own wants it asked.
func (t *tenant) resolve(l dhcpclient.Lease) error {
	bridge := t.state.Config.Bridge
	if len(l.Resolvers) == 0 {
		return nil
	}
	domains := slices.Clone(l.Search)
	if len(domains) == 0 && l.Domain != "" {
		domains = []string{l.Domain}
	}
	keeper := t.resolvKeeper()
	switch keeper {
	case "systemd-resolved":
		args := []string{"dns", bridge}
		for _, r := range l.Resolvers {
			args = append(args, r.String())
		}
		return errors.Join(call(nil, "resolvectl", args...), call(nil, "resolvectl", append([]string{"domain", bridge}, domains...)...),
			call(nil, "resolvectl", "default-route", bridge, "true"))
	case "resolvconf":
		return call(resolvText("", l.Resolvers, domains), "resolvconf", "-a", bridge+".labnet")
	case "":
		return nil
	}
	return t.writeResolvConf(resolvText(resolvMark+bridge+"\n", l.Resolvers, domains))
}

// unresolve takes back what resolve has done to files; what systemd-resolved knows of a bridge goes with it.
func (h *Host) unresolve(bridge string) error {
	if h.resolvKeeper() == "resolvconf" {
		return call(nil, "resolvconf", "-d", bridge+".labnet")
	}
	path := filepath.Join(h.root, resolvConf)
	former := filepath.Join(h.dir, formerResolvConf)
	text, err := readOwn(former)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Whoever has written it since has the last word.
	if now, err := os.ReadFile(path); err == nil && bytes.HasPrefix(now, []byte(resolvMark)) {
		if err := overwrite(path, text); err != nil {
			return err
		}
	}
	return h.remove(formerResolvConf)
}

// resolvKeeper says who keeps resolv.conf: systemd-resolved, resolvconf, "file" for nobody; "" if it is none of this host's business.
func (h *Host) resolvKeeper() string {
	if h.root == "" && sharesFiles() {
		return ""
	}
	switch target, err := os.Readlink(filepath.Join(h.root, resolvConf)); {
	case err != nil:
	case strings.Contains(target, "/run/systemd/resolve/"):
		return "systemd-resolved"
	case strings.Contains(target, "/run/resolvconf/"):
		return "resolvconf"
	default:
		return "" // somebody else's, who isn't known
	}
	if strings.Contains(h.read(resolvConf), "enerated by resolvconf") {
		return "resolvconf"
	}
	return "file"
}

// sharesFiles reports whether the calling thread's network namespace has the files of another one: then resolv.conf is that one's.
func sharesFiles() bool {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return false
	}
	first, err := os.Readlink("/proc/1/ns/net")
	if err != nil || own == first {
		return false
	}
	// `ip netns exec` gives a namespace a resolv.conf of its own by a mount.
	ours, err := os.Stat(resolvConf)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	theirs, err := os.Stat("/proc/1/root" + resolvConf)
	return err != nil || os.SameFile(ours, theirs)
}

func (t *tenant) writeResolvConf(text []byte) error {
	path := filepath.Join(t.root, resolvConf)
	now, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(now, text) || t.asksItself(now) {
		return nil
	}
	if !bytes.HasPrefix(now, []byte(resolvMark)) {
		if err := durable.Replace(filepath.Join(t.dir, formerResolvConf), now, 0o700); err != nil {
			return fmt.Errorf("keeping the former %s: %w", resolvConf, err)
		}
	}
	err = overwrite(path, text)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%w; only root may write it: docs/operations.md, As a service, has the drop-in for that", err)
	}
	return err
}

// asksItself reports whether a resolv.conf names servers, and all of them are this host.
func (t *tenant) asksItself(text []byte) bool {
	all, err := t.conn.addresses()
	if err != nil {
		return true
	}
	own, others := 0, 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err == nil && (addr.IsLoopback() || slices.ContainsFunc(all, func(a address) bool { return a.prefix().Addr() == addr })) {
			own++
		} else {
			others++
		}
	}
	return own > 0 && others == 0
}

func resolvText(head string, servers []netip.Addr, domains []string) []byte {
	var text strings.Builder
	text.WriteString(head)
	if len(domains) > 0 {
		fmt.Fprintf(&text, "search %s\n", strings.Join(domains, " "))
	}
	for _, s := range servers {
		fmt.Fprintf(&text, "nameserver %v\n", s)
	}
	return []byte(text.String())
}

// overwrite replaces a file that everybody reads, at once where it can be: not where it is a mount.
func overwrite(path string, text []byte) error {
	file := path + ".labnet"
	err := os.WriteFile(file, text, 0o644)
	if err == nil {
		err = os.Rename(file, path)
	}
	if err == nil {
		return nil
	}
	_ = os.Remove(file)
	if errors.Is(err, unix.EBUSY) {
		err = os.WriteFile(path, text, 0o644)
	}
	return err
}

// callPatience is how long a program of the host's may take.
const callPatience = 10 * time.Second

// call runs a program of the host's.
func call(stdin []byte, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
