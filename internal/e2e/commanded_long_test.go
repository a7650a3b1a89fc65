//go:build long

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// commanded is an emulated router that does what the test tells it on its console. Its state is on a disk whose power can be cut with
// its own, and its card is eth0 of the place, where its guests are.
type commanded struct {
	place *nettest.Host
	disk  *volatileDisk

	kernel, initramfs string
	server            *nbdServer
	qemu              *exec.Cmd
	console           *os.File // what the machine says
	keyboard          io.WriteCloser
	seen              int // bytes of the console
	asked             int
}

// newCommanded makes a machine that isn't switched on, and its place.
func newCommanded(t *testing.T, config string, disk *volatileDisk) *commanded {
	t.Helper()
	m := &commanded{place: nettest.NewHost(t, "outside"), disk: disk, server: newNBDServer(t, disk)}
	m.kernel, m.initramfs = bootFiles(t, config)
	// It stays when the machine goes.
	m.place.Run(t, "ip", "tuntap", "add", "eth0", "mode", "tap")
	m.place.Run(t, "ip", "link", "set", "eth0", "up")
	return m
}

// emptyFileSystem is an ext4 file system with nothing in it.
func emptyFileSystem(t *testing.T) []byte {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	write(t, image, "")
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	// Whole from the start: the kernel would else write tables in the background.
	if out, err := exec.Command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	return []byte(read(t, image))
}

// silence is after how long a machine that has said nothing at all is switched off and on again: emulated ones hang in the start once in a hundred
// times or so, before anything of ours runs.
const silence = 90 * time.Second

// on switches the machine on and waits until its disk is mounted. It goes off when the test ends, if not before.
func (m *commanded) on(t *testing.T) {
	t.Helper()
	for tries := 1; ; tries++ {
		m.power(t)
		if m.speaks(t) || tries == 3 {
			break
		}
		t.Logf("the machine hangs before its first word; off and on again")
		m.off(t)
	}
	if s := m.await(t, "disk"); s.code != 0 {
		t.Fatalf("the disk can't be mounted: %s", s.text)
	}
}

// speaks waits for the machine's first word, and says whether it came.
func (m *commanded) speaks(t *testing.T) bool {
	t.Helper()
	for deadline := time.Now().Add(silence); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if read(t, m.console.Name()) != "" {
			return true
		}
	}
	return false
}

// power starts the emulator.
func (m *commanded) power(t *testing.T) {
	t.Helper()
	var err error
	if m.console, err = os.Create(filepath.Join(t.TempDir(), "console")); err != nil {
		t.Fatal(err)
	}
	m.seen = 0
	m.qemu = m.place.Command(t.Context(), "qemu-system-x86_64",
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", m.kernel, "-initrd", m.initramfs,
		"-netdev", "tap,id=card,ifname=eth0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=card,romfile=",
		"-drive", "file=nbd:unix:"+m.server.path+",format=raw,if=virtio,cache=writeback",
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 random.trust_cpu=on scenario=commanded")
	m.qemu.Stdout, m.qemu.Stderr = m.console, m.console
	if m.keyboard, err = m.qemu.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.qemu.Start(); err != nil {
		t.Fatal(err)
	}
	qemu, console := m.qemu, m.console.Name()
	t.Cleanup(func() {
		if qemu.ProcessState == nil {
			m.off(t)
		}
		if t.Failed() {
			t.Logf("the console:\n%s", tail(read(t, console), 100))
		}
	})
}

// off takes the power away, from the disk too; what was in the disk's cache is still there.
func (m *commanded) off(t *testing.T) {
	t.Helper()
	_ = m.qemu.Process.Kill()
	_ = m.qemu.Wait()
	_ = m.console.Close()
	m.server.left(t)
}

// do runs a command in the machine, which must succeed, and returns what it says.
func (m *commanded) do(t *testing.T, command string) string {
	t.Helper()
	s := m.await(t, m.tell(t, command))
	if s.code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", command, s.code, s.text)
	}
	return s.text
}

// tell has the machine run a command, and returns the name of its section on the console.
func (m *commanded) tell(t *testing.T, command string) (name string) {
	t.Helper()
	m.asked++
	name = "command" + strconv.Itoa(m.asked)
	if _, err := fmt.Fprintf(m.keyboard, "%s %s\n", name, command); err != nil {
		t.Fatal(err)
	}
	return name
}

// await waits for a section of the console.
func (m *commanded) await(t *testing.T, name string) (s section) {
	t.Helper()
	nettest.Eventually(t, bootLimit, func() error {
		var ok bool
		if s, ok = m.heard(t, name); !ok {
			return fmt.Errorf("no %s on the console:\n%s", name, tail(read(t, m.console.Name()), 20))
		}
		return nil
	})
	return s
}

// heard finds a section that has ended.
func (m *commanded) heard(t *testing.T, name string) (section, bool) {
	t.Helper()
	text := strings.ReplaceAll(read(t, m.console.Name()), "\r", "")
	end := strings.LastIndexByte(text, '\n') + 1 // the last line may still grow
	for _, s := range readConsole(t, text[m.seen:end]) {
		if s.name == name && s.end != 0 {
			m.seen = end
			return s, true
		}
	}
	return section{}, false
}

// serve starts labnet, and returns by how much the machine's clock is ahead of ours, or less.
func (m *commanded) serve(t *testing.T) (ahead time.Duration) {
	t.Helper()
	m.do(t, "start >/dev/null || { tail -n 50 /tmp/log; false; }")
	m.do(t, "await test -e /sys/class/net/vm0/master")
	return m.ahead(t)
}

// ahead is by how much the machine's clock is ahead of ours, or up to two seconds less. It is never more.
func (m *commanded) ahead(t *testing.T) time.Duration {
	t.Helper()
	seconds, err := strconv.ParseInt(strings.TrimSpace(m.do(t, "date +%s")), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(time.Unix(seconds, 0))
}

// leases is what labnet has in the machine.
func (m *commanded) leases(t *testing.T) []lease {
	t.Helper()
	var found []lease
	if err := json.Unmarshal([]byte(m.do(t, "labnet leases -o json")), &found); err != nil {
		t.Fatal(err)
	}
	return found
}
