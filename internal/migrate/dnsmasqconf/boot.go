package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"strings"
)

// boot is what dhcp-boot says, or the options that come to the same.
type boot struct {
	file, name string
	server     netip.Addr
	option     bool // it was said by options, each a part of it
	at         int
}

// over is b on top of what an earlier line said. Of options, each says its part; a dhcp-boot is whole.
func (b *boot) over(earlier *boot) *boot {
	if earlier == nil || !b.option {
		return b
	}
	out := *earlier
	if b.file != "" {
		out.file = b.file
	}
	if b.name != "" {
		out.name = b.name
	}
	if b.server.IsValid() {
		out.server = b.server
	}
	return &out
}

// options are b's parts as options, for where a dhcp-boot has the header's fields.
func (b *boot) options() []option {
	var out []option
	if b.name != "" {
		out = append(out, option{code: 66, data: []byte(b.name), text: true, at: b.at})
	}
	if b.file != "" {
		out = append(out, option{code: 67, data: []byte(b.file), text: true, at: b.at})
	}
	return out
}

// dhcpBoot reads [tag:…,]file[,server name[,address]].
func (im *importer) dhcpBoot(d Directive) {
	parts := fields(d.Arg)
	var tags []string
	for len(parts) > 0 {
		tag, ok := tagged(parts[0])
		if !ok {
			break
		}
		tags, parts = append(tags, tag), parts[1:]
	}
	if len(parts) == 0 {
		im.mistake(d, "it names no file")
		return
	}
	b := &boot{file: plain(parts[0]), at: im.at}
	if len(parts) > 1 {
		b.name = plain(parts[1])
	}
	if len(parts) > 2 && parts[2] != "" {
		a, err := netip.ParseAddr(plain(parts[2]))
		switch {
		case err != nil && strings.Trim(plain(parts[2]), "0123456789.") == "":
			im.mistake(d, "%q is not an address", plain(parts[2]))
			return
		case err != nil:
			im.note(Unsupported, fmt.Sprintf("the boot server is named, and not by its address: %q", plain(parts[2])))
			return
		}
		b.server = a
	}
	im.putBoot(tags, b)
}

func (im *importer) putBoot(tags []string, b *boot) {
	set, why := im.resolve(tags)
	if why != "" {
		im.note(Unsupported, why)
		return
	}
	im.place(set, item{boot: b})
}

// pxeService reads [tag:…,]CSA,text[,base name|number[,server]]. Without a menu, the one service of an architecture is what it boots.
func (im *importer) pxeService(d Directive) {
	parts := fields(d.Arg)
	var tags []string
	for len(parts) > 0 {
		tag, ok := tagged(parts[0])
		if !ok {
			break
		}
		tags, parts = append(tags, tag), parts[1:]
	}
	if len(parts) < 2 {
		im.mistake(d, "it needs an architecture and a text")
		return
	}
	code, ok := serviceArchitecture(plain(parts[0]))
	switch {
	case !ok:
		im.mistake(d, "there is no architecture %q", plain(parts[0]))
		return
	case len(parts) < 3 || parts[2] == "" || isNumber(plain(parts[2])):
		im.note(Unsupported, "there are no menus: a service has a file")
		return
	case im.hasService(d, parts[0]):
		im.note(Unsupported, "there are no menus: the first service of an architecture is what it boots")
		return
	}
	b := &boot{file: plain(parts[2]), at: im.at}
	// dnsmasq adds the layer's number for BIOS where the name has no ending.
	if !strings.Contains(b.file, ".") {
		b.file += ".0"
	}
	if len(parts) > 3 && parts[3] != "" {
		a, err := netip.ParseAddr(plain(parts[3]))
		if err != nil {
			im.note(Unsupported, "the boot server is named, and not by its address")
			return
		}
		b.server = a
	}
	im.note(Approximated, "the file is booted without a menu")
	set, why := im.resolve(tags)
	if why != "" {
		im.note(Unsupported, why)
		return
	}
	name, _ := architectureName(fmt.Sprint(code))
	set.ways = with(set.ways, alternative{condition: condition{vendor: []string{"PXEClient*"}, arch: []string{name}}})
	im.place(set, item{boot: b})
}

// hasService tells whether an earlier line is for the same architecture.
func (im *importer) hasService(d Directive, csa string) bool {
	for _, earlier := range im.directives()[:im.at] {
		if earlier.Name == d.Name {
			for _, part := range fields(earlier.Arg) {
				if strings.EqualFold(plain(part), plain(csa)) {
					return true
				}
			}
		}
	}
	return false
}

// serviceArchitecture reads the names of pxe-service, and numbers.
func serviceArchitecture(s string) (int, bool) {
	for i, name := range []string{"x86PC", "PC98", "IA64_EFI", "Alpha", "Arc_x86", "Intel_Lean_Client", "IA32_EFI", "x86-64_EFI", "Xscale_EFI", "BC_EFI", "ARM32_EFI", "ARM64_EFI"} {
		if strings.EqualFold(name, s) {
			return i, true
		}
	}
	n := 0
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || !isNumber(s) || n > 0xffff {
		return 0, false
	}
	// X86-64_EFI is 7 to dnsmasq, and BC_EFI 9.
	return n, true
}
