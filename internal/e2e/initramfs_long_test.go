//go:build long

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bootFiles are the kernel that LABNET_KERNEL has, and an initramfs with this configuration.
func bootFiles(t *testing.T, config string) (kernel, initramfs string) {
	t.Helper()
	root := os.Getenv("LABNET_KERNEL")
	if root == "" {
		t.Fatal("LABNET_KERNEL isn't set: run this by `make test-long`")
	}
	kernels, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("kernels in %s: %v, %v", root, kernels, err)
	}
	initramfs = filepath.Join(t.TempDir(), "initramfs")
	release := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := os.WriteFile(initramfs, makeInitramfs(t, root, release, config), 0o644); err != nil {
		t.Fatal(err)
	}
	return kernels[0], initramfs
}

// makeInitramfs packs what the machine boots into: busybox, labnet, the modules for networks and disks, and the scenarios.
func makeInitramfs(t *testing.T, root, release, config string) []byte {
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
	a.add("etc/labnet/labnet.hcl", 0o644, []byte(config))
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
	for _, module := range neededModules(t, filepath.Join(root, modules)) {
		file(filepath.Join(modules, module), filepath.Join(root, modules, module), 0o644)
	}
	return a.bytes()
}

// neededModules are the modules of a host's network and of the machine's devices, and all that they depend on, as modules.dep says.
func neededModules(t *testing.T, dir string) []string {
	t.Helper()
	wanted := regexp.MustCompile(`^kernel/(net/(802|bridge|ipv4|ipv6|llc|netfilter|netlink|packet|unix)/|drivers/(net/(veth|tun|dummy|virtio_net)|block/virtio_blk|virtio/virtio_pci)\.|fs/ext4/)`)
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
