package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// guideSnippet is the configuration in the guide that has this text in it.
func guideSnippet(t *testing.T, with string) string {
	t.Helper()
	for _, s := range snippets(t) {
		if strings.HasPrefix(s.place, "guide.md:") && s.language == "hcl" && strings.Contains(s.text, with) {
			return s.text
		}
	}
	t.Fatalf("the guide has no configuration with %s", with)
	return ""
}

// bootROM asks as a boot ROM does, and returns what it is told of booting.
func (g *guest) bootROM(t *testing.T, vendor string, arch int, userClass string) string {
	t.Helper()
	told := filepath.Join(g.dir, "boot.env")
	hook := filepath.Join(g.dir, "boot.sh")
	write(t, hook, fmt.Sprintf("#!/bin/sh\n[ \"$1\" = bound ] && env > %s\nexit 0\n", told))
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", hook, "-t", "10", "-T", "1", "-A", "1", "-p", filepath.Join(g.dir, "boot.pid"),
		"-V", fmt.Sprintf("%s:Arch:%05d:UNDI:003016", vendor, arch), "-x", fmt.Sprintf("0x5d:%04x", arch), "-O", "tftp", "-O", "bootfile", "-O", "60",
	}
	if userClass != "" {
		args = append(args, "-x", fmt.Sprintf("0x4d:%x", userClass))
	}
	g.Run(t, args...)
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[key] = value
	}
	return fmt.Sprintf("%s from %s, options %s %s %s", env["boot_file"], env["siaddr"], env["bootfile"], env["tftp"], env["vendor"])
}

// TestNetworkBootAsTheGuideSaysIt serves the guide's own configuration, and then one with another file by a reload.
func TestNetworkBootAsTheGuideSaysIt(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	text := strings.Replace(guideSnippet(t, `class "ipxe"`), "  dhcp {", "  bridge {\n    attach = [\"vm*\"]\n  }\n  dhcp {", 1)
	l.configure(t, text)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	rescue := l.newGuest(t, "rescue", "vm2")
	rescue.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:12:34:06")
	const script = "http://10.0.0.5/boot.ipxe"
	for _, tc := range []struct {
		g          *guest
		vendor     string
		arch       int
		user, want string
	}{
		{g, "PXEClient", 0, "", "undionly.kpxe from 10.0.0.5, options undionly.kpxe 10.0.0.5 "},
		{g, "PXEClient", 7, "", "ipxe.efi from 10.0.0.5, options ipxe.efi 10.0.0.5 "},
		{g, "PXEClient", 9, "", "ipxe.efi from 10.0.0.5, options ipxe.efi 10.0.0.5 "},
		{g, "PXEClient", 11, "", "ipxe-arm64.efi from 10.0.0.5, options ipxe-arm64.efi 10.0.0.5 "},
		{g, "PXEClient", 0, "iPXE", script + " from 10.0.0.5, options " + script + " 10.0.0.5 "},
		{g, "PXEClient", 7, "\x04iPXE", script + " from 10.0.0.5, options " + script + " 10.0.0.5 "},
		{g, "HTTPClient", 16, "", "http://10.0.0.5/ipxe.efi from 10.0.0.5, options http://10.0.0.5/ipxe.efi 10.0.0.5 HTTPClient"},
		{g, "udhcp", 0, "", " from 10.0.0.5, options  10.0.0.5 "},
		{rescue, "PXEClient", 0, "", "http://10.0.0.5/rescue.ipxe from 10.0.0.5, options http://10.0.0.5/rescue.ipxe 10.0.0.5 "},
	} {
		if got := tc.g.bootROM(t, tc.vendor, tc.arch, tc.user); got != tc.want {
			t.Errorf("%s %d %q:\n got %s\nwant %s", tc.vendor, tc.arch, tc.user, got, tc.want)
		}
	}

	l.configure(t, strings.Replace(text, `"ipxe.efi"`, `"snponly.efi"`, 1))
	l.reload(t, d, "the configuration is reloaded")
	if got, want := g.bootROM(t, "PXEClient", 7, ""), "snponly.efi from 10.0.0.5, options snponly.efi 10.0.0.5 "; got != want {
		t.Errorf("after the reload:\n got %s\nwant %s", got, want)
	}
}
