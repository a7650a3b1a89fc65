//go:build long

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
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
	return bootFor(t, bootLimit, "scenario="+scenario)
}

// bootFor is boot with words for the kernel's command line, and with more devices of the machine.
func bootFor(t *testing.T, limit time.Duration, words string, devices ...string) machine {
	t.Helper()
	kernel, initramfs := bootFiles(t, labConfig)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", append(devices,
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", kernel, "-initrd", initramfs,
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 random.trust_cpu=on "+words)...)
	var console, complaints bytes.Buffer
	qemu.Stdout, qemu.Stderr = &console, &complaints
	begin := time.Now()
	err := qemu.Run()
	text := strings.ReplaceAll(console.String(), "\r", "")
	if err != nil || !strings.Contains(text, "\n@@off\n") {
		t.Fatalf("the machine didn't end by itself (%v):\n%s%s", err, complaints.String(), text)
	}
	if strings.Contains(text, "@@begin awaiting ") {
		t.Errorf("what the scenario waits for doesn't come")
	}
	t.Logf("%s: %v in all", words, time.Since(begin).Round(time.Second))
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
