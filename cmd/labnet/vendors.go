package main

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"sync"
)

// The IEEE's list of who makes network cards, where Debian's package ieee-data has put it. It is read if it is there, and never
// fetched.
var vendorLists = []string{"/usr/share/ieee-data/oui.txt", "/var/lib/ieee-data/oui.txt"}

// virtualVendors are prefixes of virtual machines: what a lab has most. Some aren't in the IEEE's list, since nobody has bought them.
var virtualVendors = map[string]string{
	"525400": "QEMU/KVM", "00163e": "Xen", "080027": "VirtualBox", "000c29": "VMware", "005056": "VMware", "00155d": "Hyper-V",
	"bc2411": "Proxmox", "001a4a": "oVirt",
}

// vendors tells who made a network card by its MAC.
type vendors struct {
	lists []string
	load  func() map[string]string
}

func newVendors() *vendors {
	v := &vendors{lists: vendorLists}
	v.load = sync.OnceValue(v.read)
	return v
}

// of is the vendor of a MAC, "random" for one that nobody has been given, and "" for one that isn't known.
func (v *vendors) of(mac string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(mac, ":", ""))
	if err != nil || len(raw) != 6 {
		return ""
	}
	prefix := hex.EncodeToString(raw[:3])
	if name, ok := virtualVendors[prefix]; ok {
		return name
	}
	if raw[0]&2 != 0 { // locally administered (IEEE 802, section 8)
		return "random"
	}
	return v.load()[prefix]
}

// read reads the first list that is there.
func (v *vendors) read() map[string]string {
	names := map[string]string{}
	for _, path := range v.lists {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// 00-00-0C   (hex)		Cisco Systems, Inc
			prefix, name, ok := strings.Cut(lines.Text(), "(hex)")
			if prefix = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(prefix), "-", "")); ok && len(prefix) == 6 {
				names[prefix] = printable(strings.TrimSpace(name))
			}
		}
		return names
	}
	return names
}
