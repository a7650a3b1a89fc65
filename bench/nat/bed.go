package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"labnet/bench/stage"
)

// The addresses, the same behind each router. The LAN has no route to the guest: what isn't translated isn't answered.
const (
	gateway   = "10.0.0.1/24"
	guestAddr = "10.0.0.2/24"
	routerLAN = "192.0.2.2/24"
	lanAddr   = "192.0.2.1"
)

// bed is a guest, a router and a LAN, each in a namespace of its own.
type bed struct {
	title              string
	guest, router, lan string
	dir                string
	processes          []*stage.Process
}

// makeBed makes the namespaces and their links; the port on the router's side of the guest is port0.
func makeBed(dir, name, title string) (*bed, error) {
	b := &bed{title: title, guest: name + "-guest", router: name + "-router", lan: name + "-lan", dir: filepath.Join(dir, name)}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"netns", "add", b.guest},
		{"netns", "add", b.router},
		{"netns", "add", b.lan},
		{"-n", b.router, "link", "add", "port0", "type", "veth", "peer", "name", "eth0", "netns", b.guest},
		{"-n", b.router, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.lan},
		{"-n", b.guest, "address", "add", guestAddr, "dev", "eth0"},
		{"-n", b.router, "address", "add", routerLAN, "dev", "eth0"},
		{"-n", b.lan, "address", "add", lanAddr + "/24", "dev", "eth0"},
		{"-n", b.guest, "link", "set", "eth0", "up"},
		{"-n", b.router, "link", "set", "eth0", "up"},
		{"-n", b.router, "link", "set", "lo", "up"},
		{"-n", b.lan, "link", "set", "eth0", "up"},
		{"-n", b.guest, "route", "add", "default", "via", strings.TrimSuffix(gateway, "/24")},
		{"-n", b.router, "route", "add", "default", "via", lanAddr},
	} {
		if err := stage.IP(args...); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// plain makes the router what the usual recipe makes of it.
func (b *bed) plain() error {
	for _, args := range [][]string{
		{"ip", "link", "add", "br0", "type", "bridge"},
		{"ip", "address", "add", gateway, "dev", "br0"},
		{"ip", "link", "set", "port0", "master", "br0", "up"},
		{"ip", "link", "set", "br0", "up"},
		{"sysctl", "-q", "-w", "net.ipv4.ip_forward=1"},
		{"iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.0/24", "-o", "eth0", "-j", "MASQUERADE"},
	} {
		if _, err := b.onRouter(args...); err != nil {
			return err
		}
	}
	return nil
}

const labnetConfig = `network "lab" {
  address = %q
  bridge {
    attach = ["port0"]
  }
}
`

// labnet lets labnet make the router.
func (b *bed) labnet(o *options) error {
	config := filepath.Join(b.dir, "labnet.hcl")
	if err := os.WriteFile(config, fmt.Appendf(nil, labnetConfig, gateway), 0o644); err != nil {
		return err
	}
	args := []string{o.labnet, "-c", config, "--state-dir", filepath.Join(b.dir, "state"), "--run-dir", filepath.Join(b.dir, "run")}
	if _, err := b.start(b.router, o.cpus, append(args, "run")...); err != nil {
		return err
	}
	_, err := b.onRouter(append(args, "status", "--wait", "20s")...)
	return err
}

// start starts a program in one of the bed's namespaces; it ends with the bed.
func (b *bed) start(namespace string, cpus []int, args ...string) (*stage.Process, error) {
	dir, err := os.MkdirTemp(b.dir, "process")
	if err != nil {
		return nil, err
	}
	p, err := stage.Start(stage.Command{Namespace: namespace, Dir: dir, CPUs: cpus, Args: args})
	if err == nil {
		b.processes = append(b.processes, p)
	}
	return p, err
}

func (b *bed) onRouter(args ...string) (string, error) { return output(b.router, args...) }

// output runs a command in a namespace and returns what it prints.
func output(namespace string, args ...string) (string, error) {
	out, err := exec.Command("ip", append([]string{"netns", "exec", namespace}, args...)...).Output()
	if exit, ok := err.(*exec.ExitError); ok {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// remove ends the bed's programs, and takes its namespaces away.
func (b *bed) remove() {
	for _, p := range b.processes {
		p.Stop()
	}
	for _, name := range []string{b.guest, b.router, b.lan} {
		_ = stage.IP("netns", "del", name)
	}
}
