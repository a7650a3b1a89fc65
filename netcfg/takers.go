package netcfg

import (
	"fmt"
	"net/netip"
	"os"
	"path"
	"strings"

	"labnet/internal/portowner"
)

// taker is a process that has a port which a network needs.
type taker struct {
	network string
	service string // DNS or DHCP
	at      netip.AddrPort
	pid     int    // 0 if it can't be seen
	process string // its name
	unit    string // of systemd, "" if it is of none
	libvirt string // the network of libvirt's that it serves, "" for none
}

// findTakers looks for processes that have port 53 or 67 where ours will be. The calling thread's namespace counts. What can't be read
// is left out: the servers say it themselves when they start.
func findTakers(cfg Config, f *facts) []taker {
	holders := map[string][]portowner.Holder{}
	for _, port := range []struct {
		protocol string
		number   uint16
	}{{"udp", 53}, {"tcp", 53}, {"udp", 67}} {
		found, err := portowner.Holders(port.protocol, port.number)
		if err == nil {
			holders[fmt.Sprint(port.protocol, port.number)] = found
		}
	}
	self, _ := os.ReadFile("/proc/self/comm")
	var takers []taker
	seen := map[taker]bool{}
	for _, n := range cfg.Networks {
		bridge, _ := f.link(n.Bridge)
		look := func(protocol, service string, port uint16, at netip.Addr) {
			for _, h := range holders[fmt.Sprint(protocol, port)] {
				ours := h.PID == os.Getpid() || h.Process == strings.TrimSpace(string(self)) && TrustedUser(h.UID)
				elsewhere := h.Link != portowner.AnyLink && h.Link != portowner.UnknownLink && h.Link != bridge.index
				if ours || elsewhere || !h.Receives(at) {
					continue
				}
				t := taker{
					network: n.Name, service: service, at: netip.AddrPortFrom(at, port),
					pid: h.PID, process: h.Process, unit: unitOf(h.PID), libvirt: libvirtNetwork(h.PID),
				}
				if !seen[t] {
					seen[t] = true
					takers = append(takers, t)
				}
			}
		}
		if n.DNS {
			for _, a := range n.addresses() {
				look("udp", "DNS", 53, a.Addr())
				look("tcp", "DNS", 53, a.Addr())
			}
		}
		if n.DHCP {
			look("udp", "DHCP", 67, n.Address.Addr())
		}
	}
	return takers
}

// unitOf is the systemd unit of a process, by the last part of its control group's path, cgroups(7).
func unitOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name := path.Base(strings.TrimSpace(line)); strings.HasSuffix(name, ".service") {
			return name
		}
	}
	return ""
}

// libvirtNetwork is the network whose dnsmasq a process is: libvirt names its file by the network.
func libvirtNetwork(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	for argument := range strings.SplitSeq(string(text), "\x00") {
		if file, ok := strings.CutPrefix(argument, "--conf-file=/var/lib/libvirt/dnsmasq/"); ok {
			return strings.TrimSuffix(file, ".conf")
		}
	}
	return ""
}

func (t taker) problem() Problem {
	who := "a process that can't be seen from here"
	if t.pid != 0 {
		who = fmt.Sprintf("%s (pid %d)", t.process, t.pid)
	}
	if t.unit != "" {
		who = fmt.Sprintf("%s (pid %d, %s)", t.process, t.pid, t.unit)
	}
	remedy := "end it, or let it leave that address alone"
	switch {
	case t.libvirt != "":
		remedy = fmt.Sprintf("virsh net-destroy %[1]s && virsh net-autostart --disable %[1]s", t.libvirt)
	case t.process == "systemd-resolve" && t.service == "DNS":
		// It listens on 127.0.0.53, unless told otherwise by this.
		remedy = `mkdir -p /etc/systemd/resolved.conf.d && printf '[Resolve]\nDNSStubListenerExtra=\n' >/etc/systemd/resolved.conf.d/labnet.conf && systemctl restart systemd-resolved`
	case t.unit != "":
		remedy = "systemctl disable --now " + t.unit
	case t.pid != 0:
		remedy = fmt.Sprintf("kill %d", t.pid)
	}
	return Problem{
		Network: t.network, Remedy: remedy,
		Summary: fmt.Sprintf("port %d of %s is taken by %s: labnet can't serve %s there", t.at.Port(), t.at.Addr(), who, t.service),
	}
}
