package config

import (
	"fmt"
	"strings"
	"testing"
)

func recordOf(t *testing.T, name, typ, value string) ([]string, *Diagnostics) {
	t.Helper()
	cfg, diags := loadText(fmt.Sprintf("network \"lab\" {\naddress = \"10.0.0.1/24\"\ndns {\nrecord %q {\ntype = %q\nvalue = %s\n}\n}\n}", name, typ, value))
	if cfg == nil {
		return nil, diags
	}
	return cfg.Networks[0].DNS.Records[0].Values, diags
}

func TestRecordValuesAreAbsolute(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ name, typ, value, want string }{
		{"a", "A", `"192.0.2.1"`, "192.0.2.1"},
		{"a", "a", `["192.0.2.1", "192.0.2.2"]`, "192.0.2.1|192.0.2.2"},
		{"a", "AAAA", `"2001:DB8::0:1"`, "2001:db8::1"},
		{"a", "CNAME", `"b"`, "b.lab.internal."},
		{"a", "CNAME", `"b.example.org."`, "b.example.org."},
		{"@", "MX", `"10 mail"`, "10 mail.lab.internal."},
		{"_sip._udp", "SRV", `"0 5 5060 pbx"`, "0 5 5060 pbx.lab.internal."},
		{"*.apps", "A", `"192.0.2.1"`, "192.0.2.1"},
		{"a", "TXT", `"v=spf1 -all; and more"`, `"v=spf1 -all; and more"`},
		{"a", "TXT", `"say \"hello\" \\ bye"`, `"say \"hello\" \\ bye"`},
		{"a", "TXT", `"\"one\" \"two\""`, `"one" "two"`},
		{"a", "TXT", `""`, `""`},
		{"a", "TXT", `"` + long + `"`, `"` + long[:255] + `" "` + long[255:] + `"`},
		{"a", "CAA", `"0 issue \"ca.example.org\""`, `0 issue "ca.example.org"`},
		{"a", "TYPE65280", `"\\# 4 0a000001"`, `\# 4 0a000001`},
		{"9.0.0.10.in-addr.arpa.", "PTR", `"b"`, "b.lab.internal."},
		{"a.lab.internal.", "A", `"192.0.2.1"`, "192.0.2.1"},
	} {
		got, diags := recordOf(t, c.name, c.typ, c.value)
		if len(diags.All()) > 0 {
			t.Errorf("%s %s %s\n%s", c.name, c.typ, c.value, textOf(t, diags))
			continue
		}
		if joined := strings.Join(got, "|"); joined != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.name, c.typ, c.value, joined, c.want)
		}
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, typ, value string }{
		{"a", "A", `"2001:db8::1"`},
		{"a", "A", `"192.0.2.1\nb A 192.0.2.2"`},
		{"a", "A", `""`},
		{"a", "A", `[]`},
		{"a", "A", `"192.0.2.1 192.0.2.2"`},
		{"a", "AAAA", `"192.0.2.1"`},
		{"a", "ANY", `"x"`},
		{"a", "SOA", `"x"`},
		{"a", "TYPE1", `"\\# 4 0a000001"`},
		{"a", "TYPE70000", `"\\# 0"`},
		{"a", "TYPE65280", `"10.0.0.1"`},
		{"a b", "A", `"192.0.2.1"`},
		{"a..b", "A", `"192.0.2.1"`},
		{"x.*.y", "A", `"192.0.2.1"`},
		{"9.1.0.10.in-addr.arpa.", "PTR", `"b"`},
		{"www.example.org.", "A", `"192.0.2.1"`},
		{"a", "CNAME", `"a"`},
		{"gateway", "CNAME", `"a"`},
	} {
		if got, diags := recordOf(t, c.name, c.typ, c.value); !diags.HasErrors() {
			t.Errorf("%s %s %s: accepted as %q", c.name, c.typ, c.value, got)
		}
	}
}

func TestRecordTraps(t *testing.T) {
	for _, c := range []struct{ name, typ, value, want string }{
		{"a", "CNAME", `"www.example.com"`, "end it with a dot"},
		{"a", "MX", `"10 mail.lab.internal"`, "end it with a dot"},
		{"a.lab.internal", "A", `"192.0.2.1"`, "a.lab.internal.lab.internal"},
	} {
		_, diags := recordOf(t, c.name, c.typ, c.value)
		if errors, warnings := diags.Counts(); errors != 0 || warnings != 1 || !strings.Contains(textOf(t, diags), c.want) {
			t.Errorf("%s %s %s:\n%s", c.name, c.typ, c.value, textOf(t, diags))
		}
	}
}
