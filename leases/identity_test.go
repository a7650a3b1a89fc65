package leases

import (
	"strings"
	"testing"
)

func TestIdentitiesAsText(t *testing.T) {
	mac := []byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	for _, c := range []struct {
		name string
		id   ClientID
		want string
	}{
		{"Ethernet", ClientIDFromHardware(1, mac), "mac:52:54:00:12:34:56"},
		{"InfiniBand", ClientIDFromHardware(32, mac), "hw32:52:54:00:12:34:56"},
		{"option with hardware type", ClientIDFromOption(append([]byte{1}, mac...)), "01:52:54:00:12:34:56"},
		{"option of one byte", ClientIDFromOption([]byte{0xff}), "ff"},
		{"option that looks like hardware", ClientIDFromOption([]byte{0, 1, 2}), "00:01:02"},
		{"found by ARP", ClientIDFromARP(HWAddr(mac)), "arp:52:54:00:12:34:56"},
		{"nothing found", ClientIDFromARP(""), ""},
		{"none", ClientIDFromOption(nil), ""},
		{"no hardware", ClientIDFromHardware(1, nil), ""},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		var back ClientID
		if err := back.UnmarshalText([]byte(c.want)); err != nil || back != c.id {
			t.Errorf("%s: read back as %q, %v", c.name, back, err)
		}
	}
	for _, text := range []string{"mac:", "mac", "arp:", "arp", "5", "52:5", "52-54", "hw999:01", "hw:01", "zz", "mac:52:54:", ":52"} {
		var id ClientID
		if err := id.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, id)
		}
	}
}

func TestStatesAsText(t *testing.T) {
	for s := Offered; s <= Expired; s++ {
		var back State
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%v: read back as %v, %v", s, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText(nil); err == nil {
		t.Errorf("nothing was read as %v", s)
	}
}

func TestCleanName(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct{ in, want string }{
		{"web", "web"},
		{"WEB-1.lab.example.org", "web-1"},
		{"web\x00\x00", "web"},
		{"1a", "1a"},
		{long, long},
		{long + "a", ""},
		{"", ""},
		{".lab", ""},
		{"123", ""},
		{"-a", ""},
		{"a-", ""},
		{"a_b", ""},
		{"a b", ""},
		{"a\x00b", ""},
		{"é", ""},
		{"\xff", ""},
		{"\x00", ""},
		{"-", ""},
		{"a\nb", ""},
		{"\u212a", ""},
	} {
		if got, ok := CleanName(c.in); got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q (%v), want %q", c.in, got, ok, c.want)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"web", "WEB.lab", "-", "a\x00", "\xff\xfe", strings.Repeat("9", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		label, ok := CleanName(raw)
		if ok != (label != "") {
			t.Fatalf("%q: %q, %v", raw, label, ok)
		}
		if !ok {
			return
		}
		if len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || label != strings.ToLower(label) ||
			strings.Trim(label, "0123456789") == "" || label[0] == '-' || label[len(label)-1] == '-' {
			t.Fatalf("%q: %q is not a host's label", raw, label)
		}
		if again, ok := CleanName(label); !ok || again != label {
			t.Fatalf("%q: cleaning it again gives %q", label, again)
		}
		for i := 2; i <= maxSuffix; i++ {
			if name, ok := CleanName(withSuffix(label, i)); !ok || !suffixed(name, label) {
				t.Fatalf("%q: suffix %d gives %q", label, i, name)
			}
		}
	})
}

func FuzzEscape(f *testing.F) {
	f.Add("udhcp 1.30\x00\"\\\x1b[31m")
	f.Fuzz(func(t *testing.T, raw string) {
		text := escape(raw)
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q is not harmless", text)
		}
		if back, err := unescape(text); err != nil || back != raw {
			t.Fatalf("%q: read back as %q, %v", raw, back, err)
		}
	})
}
