package dnsserver

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxResolvConf bounds what is read of a followed file, in bytes.
const maxResolvConf = 1 << 20

// readResolvConf returns the name servers of a file in resolv.conf's format (resolv.conf(5)). Lines that name none, or
// none that can be asked, are passed over as the C library does.
func readResolvConf(path string) ([]netip.AddrPort, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxResolvConf))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return parseResolvConf(string(text)), nil
}

func parseResolvConf(text string) []netip.AddrPort {
	var servers []netip.AddrPort
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err != nil || addr.IsMulticast() {
			continue
		}
		// To the C library an unspecified address means this host.
		if addr.IsUnspecified() {
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		if server := netip.AddrPortFrom(addr, defaultPort); !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	return servers
}

// followEvery is how often followed files are looked at. Polling sees what inotify misses: symbolic links that change
// their target, files that don't exist yet, other file systems.
const followEvery = time.Second

// follow reads followed files, block lists and hosts files again whenever one changes, and looks for upstreams that loop, until ctx ends.
func (s *Server) follow(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	looks := fileLooks{map[string]string{}, map[string]string{}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.collect.CompareAndSwap(true, false) {
			// A second later no question works with it any more. The collector, which doesn't see its memory, could wait for long.
			runtime.GC()
		}
		if err := s.refollow(looks); err != nil {
			s.log.Error("a followed file can't be used", "err", err)
		}
		s.findLoops()
	}
}

// fingerprint changes whenever a followed file does.
func (c *Config) fingerprint() string {
	var b strings.Builder
	for i := range c.Upstreams {
		path := c.Upstreams[i].Follow
		if path == "" {
			continue
		}
		fmt.Fprintf(&b, "%q", path)
		b.WriteString(stamp(path))
	}
	return b.String()
}

// stamp changes whenever a file does, or who may read it.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	}
	return fmt.Sprint(stat.Size, stat.Mtim, stat.Ctim, stat.Dev, stat.Ino)
}
