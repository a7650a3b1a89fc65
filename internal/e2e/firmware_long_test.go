//go:build long

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// ipxeConfig gives each kind of firmware a file of its own, by TFTP, and to one that has come as far as iPXE a script.
const ipxeConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["tap*"]
  }
  dhcp {
    class "bios" {
      architecture = ["x86-bios"]
      next_server  = "10.0.0.1"
      boot_file    = "bios.ipxe"
    }
    class "uefi" {
      architecture = ["x86-64-uefi"]
      next_server  = "10.0.0.1"
      boot_file    = "uefi.bin"
    }
    class "uefi-ipxe" {
      architecture = ["x86-64-uefi"]
      user_class   = "iPXE"
      boot_file    = "uefi.ipxe"
    }
  }
}
`

// TestNetworkBootInFirmware starts emulated machines without a disk, each with a boot ROM that real machines have. It leases an
// address and loads the file for its kind by TFTP; iPXE then does what the file says, which is to load another one.
func TestNetworkBootInFirmware(t *testing.T) {
	nettest.NeedRoot(t)
	const uefi = "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"
	l := newLab(t)
	l.configure(t, ipxeConfig)
	l.start(t)
	files := t.TempDir()
	for _, kind := range []string{"bios", "uefi"} {
		write(t, filepath.Join(files, kind+".ipxe"),
			fmt.Sprintf("#!ipxe\necho the script for %s runs at ${net0/ip} on ${platform}\nchain tftp://${next-server}/%s-second.ipxe\n", kind, kind))
		write(t, filepath.Join(files, kind+"-second.ipxe"), "#!ipxe\necho the end\n")
	}
	write(t, filepath.Join(files, "uefi.bin"), "no program")
	_, tftp := l.router.Start(t, "dnsmasq", "-d", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--tftp-root="+files, "--user=root", "--log-facility=-")
	for i, tc := range []struct {
		name   string
		device []string
		loads  []string // by TFTP
		says   string   // on the console, before the address and behind it
		behind string
	}{
		{
			"iPXE in a BIOS",
			[]string{"-device", "virtio-net-pci,netdev=lab,mac=52:54:00:aa:00:00"},
			[]string{"bios.ipxe", "bios-second.ipxe"},
			"the script for bios runs at ", " on pcbios",
		},
		{
			"iPXE in UEFI",
			[]string{"-drive", uefi, "-device", "virtio-net-pci,netdev=lab,mac=52:54:00:aa:00:01"},
			[]string{"uefi.ipxe", "uefi-second.ipxe"},
			"the script for uefi runs at ", " on efi",
		},
		{
			"UEFI itself",
			[]string{"-drive", uefi, "-device", "virtio-net-pci,netdev=lab,mac=52:54:00:aa:00:02,romfile="},
			[]string{"uefi.bin"},
			"Station IP address is ", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			begin := time.Now()
			console := l.boot(t, fmt.Sprintf("tap%d", i), tc.device)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the console:\n%s\nTFTP:\n%s", console(), tftp())
				}
			})
			var addr string
			nettest.Eventually(t, bootLimit, func() error {
				for _, one := range l.leases(t) {
					if one.MAC == fmt.Sprintf("52:54:00:aa:00:%02x", i) && one.State == "bound" {
						addr = one.Address
					}
				}
				if addr == "" {
					return errorOf("no lease")
				}
				for _, file := range tc.loads {
					if err := contains(tftp(), "sent "+filepath.Join(files, file)+" to "+addr+"\n"); err != nil {
						return err
					}
				}
				return contains(console(), tc.says+addr+tc.behind)
			})
			t.Logf("%s after %v", addr, time.Since(begin).Round(time.Second))
			for line := range strings.Lines(tftp()) {
				file, sent := strings.CutSuffix(line, " to "+addr+"\n")
				if sent && !slices.Contains(tc.loads, filepath.Base(file)) {
					t.Errorf("it loads what isn't for it: %s", line)
				}
			}
		})
	}
	if c := l.counters(t); c.sum("nak_") != 0 {
		t.Errorf("somebody was refused: %v", c)
	}
}

// boot starts an emulated machine on a TAP device of the router's, and returns what its console says.
func (l *lab) boot(t *testing.T, tap string, device []string) (console func() string) {
	t.Helper()
	_, console = l.router.Start(t, append([]string{
		"qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-no-user-config", "-nographic", "-serial", "stdio",
		"-netdev", "tap,id=lab,ifname=" + tap + ",script=no,downscript=no", "-boot", "n",
	}, device...)...)
	return console
}
