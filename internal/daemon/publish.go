package daemon

import (
	"fmt"
	"os"
	"path"
	"strings"

	"labnet/internal/config"
	"labnet/internal/portowner"
	"labnet/netcfg"
)

// hostPublish is a publish block as the host's rules want it.
func hostPublish(p config.Publish) netcfg.Publish {
	out := netcfg.Publish{
		Name: p.Name, TCP: p.TCP, UDP: p.UDP, Address: p.Address, Listen: p.Listen.First, Port: p.Ports.First, Count: uint16(p.Listen.Len()), Target: p.Target,
	}
	if !p.Target.IsValid() {
		out.Guest = p.Host
	}
	return out
}

// publishProblems are published ports that a process of the host listens on: it would hear nothing more from outside. The calling thread's
// network namespace counts.
func publishProblems(cfg netcfg.Config) []netcfg.Problem {
	var found []netcfg.Problem
	for _, n := range cfg.Networks {
		for _, p := range n.Publish {
			for _, protocol := range []string{"tcp", "udp"} {
				if protocol == "tcp" && !p.TCP || protocol == "udp" && !p.UDP {
					continue
				}
				found = append(found, listenersOn(n, p, protocol)...)
			}
		}
	}
	return found
}

func listenersOn(n netcfg.Network, p netcfg.Publish, protocol string) []netcfg.Problem {
	holders, err := portowner.HoldersIn(protocol, p.Listen, p.Listen+p.Count-1)
	if err != nil {
		// It is a precaution; the rules are right all the same.
		return nil
	}
	for _, h := range holders {
		local := h.Local.Addr()
		switch {
		case local.IsLoopback():
			continue // published ports leave 127.0.0.1 alone
		case p.Address.IsValid() && !h.Receives(p.Address), local.Is6() && !local.IsUnspecified():
			continue
		}
		return []netcfg.Problem{{
			Network: n.Name, Fatal: true,
			Summary: fmt.Sprintf("publish %q: %s port %d of the host is in use by %s", p.Name, strings.ToUpper(protocol), h.Local.Port(), holderText(h)),
			Remedy:  "publish another port, or on an address of the host where nothing listens (address = …), or end that service",
		}}
	}
	return nil
}

// holderText names a process, and its unit if systemd runs it.
func holderText(h portowner.Holder) string {
	if h.PID == 0 {
		return fmt.Sprintf("a process of user %d that can't be seen from here", h.UID)
	}
	unit := ""
	if name := unitOf(h.PID); name != "" {
		unit = ", unit " + name
	}
	return fmt.Sprintf("%s (pid %d%s)", h.Process, h.PID, unit)
}

// unitOf is the systemd unit of a process, by its control group: the last part that names a service, a socket or a scope.
func unitOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	return unitIn(string(text))
}

func unitIn(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		// cgroups(7): hierarchy, controllers, path; systemd's own hierarchy is the unified one or "name=systemd".
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		for at := fields[2]; len(at) > 1; at = path.Dir(at) {
			if name := path.Base(at); strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".socket") {
				return name
			}
		}
	}
	return ""
}
