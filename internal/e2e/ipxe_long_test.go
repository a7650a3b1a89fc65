//go:build long

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// ipxeConfig gives each kind of firmware a file of its own, by TFTP.
const ipxeConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["tap*"]
  }
  dhcp {
    class "bios" {
      architecture = ["x86-bios"]
      boot_file    = "bios.ipxe"
      next_server  = "10.0.0.1"
    }
    class "uefi" {
      architecture = ["x86-64-uefi"]
      boot_file    = "uefi.ipxe"
      next_server  = "10.0.0.1"
    }
  }
}
`

// TestIPXEBootsByArchitecture starts emulated machines without a disk: the boot ROM of QEMU's network card leases an address, loads
// the script for its kind of firmware by TFTP, and does what it says: to load another file.
func TestIPXEBootsByArchitecture(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, ipxeConfig)
	l.start(t)
	files := t.TempDir()
	for _, kind := range []string{"bios", "uefi"} {
		write(t, filepath.Join(files, kind+".ipxe"), fmt.Sprintf("#!ipxe\necho %s script: ${net0/ip} ${platform} ${buildarch}\nchain tftp://${next-server}/${net0/ip}/%s-end.ipxe\n", kind, kind))
	}
	_, tftp := l.router.Start(t, "dnsmasq", "-d", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root="+files, "--user=root", "--log-facility=-")
	for _, tc := range []struct {
		kind     string
		firmware []string
	}{
		{"bios", nil},
		{"uefi", []string{"-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"}},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			begin := time.Now()
			console := l.netboot(t, "tap-"+tc.kind, append(tc.firmware, "-device", "virtio-net-pci,netdev=lab"))
			t.Cleanup(func() {
				t.Logf("console:\n%s\nTFTP:\n%s", console(), tftp())
			})
			nettest.Eventually(t, bootLimit, func() error { return contains(tftp(), tc.kind+"-end.ipxe") })
			t.Logf("booted after %v", time.Since(begin).Round(time.Second))
			_ = os.Args
			_ = regexp.MustCompile
			_ = strings.Cut
		})
	}
}

// netboot starts an emulated machine on a TAP device of the router's, and returns what its console says.
func (l *lab) netboot(t *testing.T, tap string, device []string) (console func() string) {
	t.Helper()
	_, console = l.router.Start(t, append([]string{
		"qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-user-config", "-nographic", "-serial", "stdio",
		"-netdev", "tap,id=lab,ifname=" + tap + ",script=no,downscript=no", "-boot", "n",
	}, device...)...)
	return console
}
