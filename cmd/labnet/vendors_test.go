package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestVendors(t *testing.T) {
	list := filepath.Join(t.TempDir(), "oui.txt")
	text := "OUI/MA-L\tOrganization\n00-00-0C   (hex)\t\tCisco Systems, Inc\n00000C     (base 16)\t\tCisco Systems, Inc\r\n\t\tSan Jose\n08-00-2B   (hex)\t\t\x1b[31mDigital\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	with, without := newVendors(), newVendors()
	with.lists, without.lists = []string{list + ".none", list}, nil
	for mac, want := range map[string]string{
		"00:00:0c:01:02:03": "Cisco Systems, Inc",
		"08:00:2b:01:02:03": `"\x1b[31mDigital"`,
		"52:54:00:01:02:03": "QEMU/KVM",
		"de:ad:be:ef:00:01": "random",
		"00:11:22:33:44:55": "",
		"00:11:22":          "",
		"":                  "",
	} {
		if got := with.of(mac); got != want {
			t.Errorf("%s: %q, want %q", mac, got, want)
		}
	}
	if got := without.of("00:00:0c:01:02:03"); got != "" {
		t.Errorf("without a list: %q", got)
	}
}
