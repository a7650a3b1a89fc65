package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// classText is a text that clients send, or with a star at the end the beginning of one.
func classText() kind {
	return ofText("text", func(s string) (any, error) {
		switch at := strings.IndexByte(s, '*'); {
		case s == "":
			return nil, faultf("Leave the argument out if it doesn't matter; \"*\" is any that is sent.", "the text is empty")
		case at >= 0 && at < len(s)-1:
			return nil, faultf(fmt.Sprintf("For whatever begins so, write %q.", s[:at+1]), "in %q a * stands before the end", s)
		case len(s) > 255:
			return nil, faultf("An option has at most 255.", "the text has %d bytes", len(s))
		}
		return s, nil
	})
}

// maxBootText is what an option holds; boot ROMs don't join pieces.
const maxBootText = 255

// bootText is a file or a server's name for a boot ROM.
func bootText() kind {
	return ofText("text", func(s string) (any, error) {
		if s == "" {
			return nil, faultf("Leave it out.", "the text is empty")
		}
		if len(s) > maxBootText {
			return nil, faultf(fmt.Sprintf("Boot ROMs take at most %d.", maxBootText), "the text has %d bytes", len(s))
		}
		for _, c := range s {
			if c < ' ' || c == 0x7f {
				return nil, faultf("", "the text has the control character %q in it", c)
			}
		}
		return s, nil
	})
}

// macPrefix is one to six bytes, as a string of raw bytes.
func macPrefix() kind {
	return ofText("MAC prefix", func(s string) (any, error) {
		// Stars may stand for the bytes behind it, as in dnsmasq.
		rest := strings.TrimRight(s, ":-*")
		b, err := parseHex(strings.ReplaceAll(rest, ".", ""))
		if err != nil || len(b) < 1 || len(b) > 6 {
			return nil, faultf(`One to six bytes: "52:54:00".`, "%q is not the beginning of a MAC address", s)
		}
		return string(b), nil
	})
}

// architectureDef is a client architecture by name.
type architectureDef struct {
	name    string
	codes   []uint16
	dnsmasq string // its name there
	doc     string
}

// architectures are IANA's processor architecture types, beside those that no machine has any more. Machines with 64-bit
// UEFI say 7 or 9: RFC 4578 and the machines that were built before IANA corrected it have the two the other way round.
func architectures() []architectureDef {
	return []architectureDef{
		{"x86-bios", []uint16{0}, "x86PC", "BIOS"},
		{"x86-uefi", []uint16{6}, "IA32_EFI", "32-bit UEFI"},
		{"x86-64-uefi", []uint16{7, 9}, "X86-64_EFI", "64-bit UEFI; some send 9, which was it in RFC 4578"},
		{"arm-uefi", []uint16{10}, "ARM32_EFI", "32-bit Arm UEFI"},
		{"arm64-uefi", []uint16{11}, "ARM64_EFI", "64-bit Arm UEFI"},
		{"powerpc-openfirmware", []uint16{12}, "", "PowerPC Open Firmware"},
		{"powerpc-epapr", []uint16{13}, "", "PowerPC ePAPR"},
		{"power-opal", []uint16{14}, "", "POWER OPAL v3"},
		{"x86-uefi-http", []uint16{15}, "", "32-bit UEFI that boots by HTTP"},
		{"x86-64-uefi-http", []uint16{16}, "", "64-bit UEFI that boots by HTTP"},
		{"arm-uefi-http", []uint16{18}, "", "32-bit Arm UEFI that boots by HTTP"},
		{"arm64-uefi-http", []uint16{19}, "", "64-bit Arm UEFI that boots by HTTP"},
		{"x86-bios-http", []uint16{20}, "", "BIOS that boots by HTTP"},
		{"arm-uboot", []uint16{21}, "", "32-bit Arm U-Boot"},
		{"arm64-uboot", []uint16{22}, "", "64-bit Arm U-Boot"},
		{"arm-uboot-http", []uint16{23}, "", "32-bit Arm U-Boot that boots by HTTP"},
		{"arm64-uboot-http", []uint16{24}, "", "64-bit Arm U-Boot that boots by HTTP"},
		{"riscv32-uefi", []uint16{25}, "", "32-bit RISC-V UEFI"},
		{"riscv32-uefi-http", []uint16{26}, "", "32-bit RISC-V UEFI that boots by HTTP"},
		{"riscv64-uefi", []uint16{27}, "", "64-bit RISC-V UEFI"},
		{"riscv64-uefi-http", []uint16{28}, "", "64-bit RISC-V UEFI that boots by HTTP"},
		{"s390", []uint16{31}, "", "s390 Basic"},
		{"s390-extended", []uint16{32}, "", "s390 Extended"},
		{"loongarch64-uefi", []uint16{39}, "", "64-bit LoongArch UEFI"},
		{"loongarch64-uefi-http", []uint16{40}, "", "64-bit LoongArch UEFI that boots by HTTP"},
		{"arm-rpiboot", []uint16{41}, "", "Raspberry Pi boot"},
	}
}

// architecture is a client architecture by name or by number; its value is the numbers.
func architecture() kind {
	return kind{name: "architecture", parse: func(v cty.Value) (any, error) {
		converted, err := convert.Convert(v, cty.String)
		if err != nil {
			return nil, faultf("Write one value.", "expected an architecture, not %s", withArticle(v.Type().FriendlyName()))
		}
		codes, found := architectureCodes(converted.AsString())
		if !found {
			return nil, faultf(architectureHint(converted.AsString()), "there is no architecture %q", converted.AsString())
		}
		return codes, nil
	}}
}

func architectureCodes(s string) ([]uint16, bool) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return []uint16{uint16(n)}, true
	}
	for _, def := range architectures() {
		if def.name == s {
			return def.codes, true
		}
	}
	return nil, false
}

// ParseArchitecture returns the number that a machine of the architecture s sends (option 93, RFC 4578); s is written as in a
// class. The error says what was probably meant.
func ParseArchitecture(s string) (uint16, error) {
	codes, found := architectureCodes(s)
	if !found {
		return 0, fmt.Errorf("there is no architecture %q. %s", s, architectureHint(s))
	}
	return codes[0], nil
}

// Architectures returns the names that ParseArchitecture knows.
func Architectures() []string {
	var names []string
	for _, def := range architectures() {
		names = append(names, def.name)
	}
	return names
}

// architectureHint suggests a name, also for what others call the same.
func architectureHint(s string) string {
	names := Architectures()
	for _, def := range architectures() {
		if def.dnsmasq != "" && strings.EqualFold(def.dnsmasq, s) {
			return fmt.Sprintf("Did you mean %q?", def.name)
		}
	}
	plain := strings.NewReplacer("_", "-", "uefi", "uefi", "efi", "uefi", "aarch64", "arm64", "amd64", "x86-64", "x64", "x86-64", "i386", "x86", "ia32", "x86", "arm32", "arm").Replace(strings.ToLower(s))
	for _, guess := range []string{plain, plain + "-uefi"} {
		if slices.Contains(names, guess) {
			return fmt.Sprintf("Did you mean %q?", guess)
		}
	}
	if n := nearest(plain, names); n != "" {
		return fmt.Sprintf("Did you mean %q?", n)
	}
	return `Usual are "x86-bios", "x86-64-uefi" and "arm64-uefi"; any other by its number (IANA, processor architecture types).`
}
