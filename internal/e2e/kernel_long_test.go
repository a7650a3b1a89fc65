//go:build long

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bootLimit is far more than an emulated machine needs for a scenario on two busy cores: 15 s where nothing else runs.
const bootLimit = 3 * time.Minute

// section is what a command in the virtual machine said; begin and end are since its boot.
type section struct {
	name, text string
	code       int
	begin, end time.Duration
}

// TestDebianKernel runs labnet on the kernel of the Debian release, whatever kernel this machine has.
func TestDebianKernel(t *testing.T) {
	m := boot(t, "routed")
	t.Logf("kernel %s: the shell after %v, the demo takes %v, the daemon serves after %v",
		strings.TrimSpace(m.ok(t, "uname")), m.find(t, "uname").begin, m.took(t, "demo"), m.took(t, "start"))

	if !strings.HasPrefix(m.ok(t, "version"), "labnet") {
		t.Errorf("version: %s", m.ok(t, "version"))
	}
	for _, want := range []string{"vm2.lab.internal.", "the LAN sees 192.0.2.2", "refused by the router", "the router is what it was before"} {
		if demo := m.ok(t, "demo"); !strings.Contains(demo, want) {
			t.Errorf("the demo has no %q:\n%s", want, demo)
		}
	}
	if plan := m.ok(t, "plan"); !strings.Contains(plan, "br0") {
		t.Errorf("the plan before says nothing of br0:\n%s", plan)
	}
	m.ok(t, "start")
	for _, name := range []string{"plan-after", "plan-settled"} {
		if plan := m.ok(t, name); plan != "" {
			t.Errorf("%s: the kernel isn't what labnet made it:\n%s", name, plan)
		}
	}
	m.ok(t, "dhcp")
	var leases []lease
	if err := json.Unmarshal([]byte(m.ok(t, "leases")), &leases); err != nil {
		t.Fatal(err)
	}
	if len(leases) != 1 || leases[0].Name != "vm1" || leases[0].State != "bound" {
		t.Fatalf("leases: %+v", leases)
	}
	if answer := m.ok(t, "dns"); !strings.Contains(answer, leases[0].Address) {
		t.Errorf("vm1's name isn't %s:\n%s", leases[0].Address, answer)
	}
	m.ok(t, "masquerade")
	var s status
	if err := json.Unmarshal([]byte(m.ok(t, "status")), &s); err != nil {
		t.Fatal(err)
	}
	if s.State != "ready" || len(s.Problems) > 0 {
		t.Errorf("status: %+v", s)
	}
	m.ok(t, "down")
	if diff := lost(m.ok(t, "before"), m.ok(t, "after")); diff != "" {
		t.Errorf("down leaves the host changed:\n%s", diff)
	}
	if first, again := m.ok(t, "plan"), m.ok(t, "plan-again"); first != again {
		t.Errorf("after down the plan isn't the first one:\n%s\nfirst:\n%s", again, first)
	}
	for _, example := range []string{"full", "two-networks"} {
		m.ok(t, "start "+example)
		if plan := m.ok(t, "plan "+example); plan != "" {
			t.Errorf("%s.hcl: the kernel isn't what labnet made it:\n%s", example, plan)
		}
		m.ok(t, "down "+example)
	}
	if diff := lost(m.ok(t, "before"), m.ok(t, "after-examples")); diff != "" {
		t.Errorf("the examples leave the host changed:\n%s", diff)
	}
	t.Logf("the daemon's memory:\n%s", m.ok(t, "memory"))
	t.Logf("modules: %s", strings.Join(strings.Fields(m.ok(t, "modules")), " "))
	m.healthy(t)
}

// TestMissingModulesAreNamed starts the daemon where nothing loads kernel modules by itself. Each refusal must name what to load.
func TestMissingModulesAreNamed(t *testing.T) {
	m := boot(t, "lacking")
	rounds := 0
	for _, s := range m {
		if s.name == "run" {
			rounds++
		}
		switch {
		case strings.HasPrefix(s.name, "modprobe ") && s.code != 0:
			t.Errorf("%s: what labnet asks for can't be loaded: %s", s.name, s.text)
		case s.name == "refused-cable" && (s.code == 0 || !strings.Contains(s.text, "`modprobe veth`")):
			t.Errorf("the demo doesn't name veth: exit code %d: %s", s.code, s.text)
		case s.name == "refused" && (s.code == 0 || !strings.Contains(s.text, "`modprobe nf_tables`")):
			t.Errorf("run doesn't name nf_tables: exit code %d: %s", s.code, s.text)
		case s.name == "refused-demo" && (s.code == 0 || !strings.Contains(s.text, "`modprobe nf_tables`")):
			t.Errorf("the demo doesn't name nf_tables: exit code %d: %s", s.code, s.text)
		case s.name == "refused-down" && s.code != 0:
			t.Errorf("down fails although nothing can be up: %s", s.text)
		case s.name == "after":
			if diff := lost(m.ok(t, "before"), s.text); diff != "" {
				t.Errorf("a refused run leaves the host changed:\n%s", diff)
			}
		}
	}
	last := slices.IndexFunc(m, func(s section) bool { return s.name == "status" }) - 1
	if last < 0 || m[last].name != "run" || m[last].code != 0 {
		t.Fatalf("after %d rounds the daemon doesn't serve, and names no module that is missing:\n%s", rounds, m[max(last, 0)].text)
	}
	if rounds < 3 {
		t.Errorf("only %d rounds: the machine isn't without modules", rounds)
	}
	m.ok(t, "status")
	m.ok(t, "down")
	m.healthy(t)
}

// lost is the lines of before that are missing after, and those of links, addresses and routes that are new. A module that is loaded
// brings sysctls with it, and stays.
func lost(before, after string) string {
	var out strings.Builder
	is, was := strings.Split(after, "\n"), strings.Split(before, "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			fmt.Fprintln(&out, "-", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) && !strings.HasPrefix(line, "net.") {
			fmt.Fprintln(&out, "+", line)
		}
	}
	return out.String()
}

type machine []section

func (m machine) find(t *testing.T, name string) section {
	t.Helper()
	i := slices.IndexFunc(m, func(s section) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("the machine's console has no section %q", name)
	}
	return m[i]
}

// ok is the output of a command that had to succeed.
func (m machine) ok(t *testing.T, name string) string {
	t.Helper()
	s := m.find(t, name)
	if s.code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", name, s.code, s.text)
	}
	return s.text
}

func (m machine) took(t *testing.T, name string) time.Duration {
	t.Helper()
	s := m.find(t, name)
	return s.end - s.begin
}

// healthy looks for complaints of the kernel.
func (m machine) healthy(t *testing.T) {
	t.Helper()
	if found := regexp.MustCompile(`(?m)^.*(WARNING:|BUG:|Oops|netlink: .*attribute|bytes leftover).*$`).FindAllString(m.ok(t, "dmesg"), -1); found != nil {
		t.Errorf("the kernel complains:\n%s", strings.Join(found, "\n"))
	}
}

// boot plays a scenario of testdata/kernel/init in an emulated machine.
func boot(t *testing.T, scenario string) machine {
	t.Helper()
	root := os.Getenv("LABNET_KERNEL")
	if root == "" {
		t.Fatal("LABNET_KERNEL isn't set: run this by `make test-long`")
	}
	kernels, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("kernels in %s: %v, %v", root, kernels, err)
	}
	initramfs := filepath.Join(t.TempDir(), "initramfs")
	release := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := os.WriteFile(initramfs, makeInitramfs(t, root, release), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", kernels[0], "-initrd", initramfs,
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 random.trust_cpu=on scenario="+scenario)
	var console, complaints bytes.Buffer
	qemu.Stdout, qemu.Stderr = &console, &complaints
	begin := time.Now()
	err = qemu.Run()
	text := strings.ReplaceAll(console.String(), "\r", "")
	if err != nil || !strings.Contains(text, "\n@@off\n") {
		t.Fatalf("the machine didn't end by itself (%v):\n%s%s", err, complaints.String(), text)
	}
	if strings.Contains(text, "@@begin awaiting ") {
		t.Errorf("what the scenario waits for doesn't come")
	}
	t.Logf("scenario %s: %v in all", scenario, time.Since(begin).Round(time.Second))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the console:\n%s", text)
		}
	})
	return readConsole(t, text)
}

// readConsole finds the sections on the console.
func readConsole(t *testing.T, text string) machine {
	t.Helper()
	seconds := func(s string) time.Duration {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("the machine's uptime: %v", err)
		}
		return time.Duration(f * float64(time.Second))
	}
	var m machine
	inside := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "@@begin ") && len(f) >= 3 && !inside:
			m = append(m, section{name: strings.Join(f[1:len(f)-1], " "), begin: seconds(f[len(f)-1])})
			inside = true
		case strings.HasPrefix(line, "@@end ") && len(f) == 3 && inside:
			s := &m[len(m)-1]
			code, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatalf("the exit code of %s: %v", s.name, err)
			}
			s.code, s.end = code, seconds(f[2])
			inside = false
		case inside:
			m[len(m)-1].text += line
		}
	}
	return m
}

// makeInitramfs packs what the machine boots into: busybox, labnet, the modules for networks, and the scenarios.
func makeInitramfs(t *testing.T, root, release string) []byte {
	t.Helper()
	a := &archive{}
	file := func(name, source string, mode uint32) {
		data, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		a.add(name, mode, data)
	}
	file("init", "testdata/kernel/init", 0o755)
	file("etc/udhcpc", "testdata/kernel/udhcpc", 0o755)
	file("bin/busybox", filepath.Join(root, "bin/busybox"), 0o755)
	file("bin/labnet", binary(t), 0o755)
	a.add("etc/labnet/labnet.hcl", 0o644, []byte(labConfig))
	for _, example := range []string{"full.hcl", "two-networks.hcl"} {
		file("etc/labnet/examples/"+example, "../../examples/"+example, 0o644)
	}
	a.add("etc/resolv.conf", 0o644, []byte("nameserver 192.0.2.1\n"))

	modules := filepath.Join("lib/modules", release)
	for _, index := range []string{"modules.dep", "modules.alias", "modules.symbols", "modules.builtin"} {
		if _, err := os.Stat(filepath.Join(root, modules, index)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		file(filepath.Join(modules, index), filepath.Join(root, modules, index), 0o644)
	}
	for _, module := range networkModules(t, filepath.Join(root, modules)) {
		file(filepath.Join(modules, module), filepath.Join(root, modules, module), 0o644)
	}
	return a.bytes()
}

// networkModules are the modules of a host's network and all that they depend on, as modules.dep says.
func networkModules(t *testing.T, dir string) []string {
	t.Helper()
	wanted := regexp.MustCompile(`^kernel/(net/(802|bridge|ipv4|ipv6|llc|netfilter|netlink|packet|unix)/|drivers/net/(veth|tun|dummy)\.)`)
	dependencies := map[string][]string{}
	var queue []string
	for line := range strings.Lines(read(t, filepath.Join(dir, "modules.dep"))) {
		module, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		dependencies[module] = strings.Fields(needs)
		if wanted.MatchString(module) {
			queue = append(queue, module)
		}
	}
	var all []string
	for len(queue) > 0 {
		module := queue[0]
		queue = queue[1:]
		if !slices.Contains(all, module) {
			all = append(all, module)
			queue = append(queue, dependencies[module]...)
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d modules found in %s", len(all), dir)
	}
	return all
}

// archive is a cpio archive of the format that the kernel unpacks ("newc", Documentation/driver-api/early-userspace/buffer-format).
type archive struct {
	buffer bytes.Buffer
	inode  int
	dirs   []string
}

// add writes a file, and the directories above it.
func (a *archive) add(name string, mode uint32, data []byte) {
	if dir := filepath.Dir(name); dir != "." && !slices.Contains(a.dirs, dir) {
		a.dirs = append(a.dirs, dir)
		a.directory(dir)
	}
	const regular = 0o100000
	a.entry(name, regular|mode, data)
}

func (a *archive) directory(name string) {
	if parent := filepath.Dir(name); parent != "." && !slices.Contains(a.dirs, parent) {
		a.dirs = append(a.dirs, parent)
		a.directory(parent)
	}
	const directory = 0o040000
	a.entry(name, directory|0o755, nil)
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	a.inode++
	// inode, mode, uid, gid, links, time, size, four device numbers, size of the name with its zero, checksum
	fmt.Fprintf(&a.buffer, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.buffer.WriteString(name + "\x00")
	a.pad()
	a.buffer.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.buffer.Len()%4 != 0 {
		a.buffer.WriteByte(0)
	}
}

func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.buffer.Bytes()
}
