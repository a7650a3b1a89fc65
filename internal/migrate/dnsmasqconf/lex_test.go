package dnsmasqconf

import (
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
)

func TestLinesAreReadAsDnsmasqReadsThem(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"plain", "domain-needed", "domain-needed"},
		{"spaces around", "  server = 192.0.2.53  ", "server = 192.0.2.53"},
		{"comment", "no-hosts # not these", "no-hosts"},
		{"comment alone", "# nothing", ""},
		{"a number sign within", "server=192.0.2.53#5353", "server=192.0.2.53#5353"},
		{"a number sign behind a space", "server=192.0.2.53 #5353", "server=192.0.2.53"},
		{"tab", "port\t=\t0", "port = 0"},
		{"carriage return", "no-resolv\r", "no-resolv"},
		{"quoted", `txt-record=a,"x # y"`, "txt-record=a,x # y"},
		{"escapes", `txt-record=a,"\t\"\\\e\q"`, "txt-record=a,\t\"\\\x1b\\q"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := cleanLine(test.line)
			if diff := cmp.Diff(test.want, plain(got)); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		})
	}
	// Of two that adjoin, dnsmasq takes the second's beginning for text.
	for _, line := range []string{`txt-record=a,"x`, `txt-record=a,"x""y"`} {
		if got, err := cleanLine(line); err == nil {
			t.Errorf("%s: a quote without an end is no mistake: %s", line, plain(got))
		}
	}
}

func TestQuotesProtect(t *testing.T) {
	line, err := cleanLine(`txt-record=a,"b,c","1.2.3.4"`)
	if err != nil {
		t.Fatal(err)
	}
	_, arg, _ := splitLine(line)
	var got []string
	for _, part := range fields(arg) {
		got = append(got, plain(part))
	}
	if diff := cmp.Diff([]string{"a", "b,c", "1.2.3.4"}, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever is hidden comes back as it was.
func TestHiddenTextComesBack(t *testing.T) {
	same := func(s string) bool {
		s = strings.Map(func(c rune) rune {
			if isHidden(c) {
				return -1
			}
			return c
		}, strings.ToValidUTF8(s, ""))
		var b strings.Builder
		for i := range len(s) {
			b.WriteString(hide(s[i]))
		}
		return plain(b.String()) == s
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

// FuzzImport: any configuration is imported or refused, and what comes out of it is one that can be parsed.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		"interface=br0\ndhcp-range=10.0.0.100,10.0.0.199,12h\n",
		"dhcp-range=set:a,10.0.0.5,static\ndhcp-host=52:54:00:00:00:01,set:b,x,10.0.0.9\ndhcp-option=tag:b,tag:!a,3\ndhcp-boot=tag:a,\"f\"\n",
		"address=/a/#\nserver=/b/1.2.3.4#5@eth0\nrev-server=10.0.0.0/13,192.0.2.1\ndhcp-range=10.0.0.1,10.0.0.9\nlisten-address=::1\n",
		"dhcp-range=0.0.0.0,255.255.255.255\ntxt-record=a.b,\"${x}%{y}\"\ndns-rr=x,16,01\ncaa-record=a,0,b,c\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		result, mistakes := Import([]string{"-"}, nil, Options{Stdin: strings.NewReader(withoutFiles(text)), BlockList: "/b", HostsFile: "/h"})
		if len(mistakes) == 0 {
			parses(t, result.HCL)
			if _, diags := config.LoadText("labnet.hcl", result.HCL); diags.HasErrors() {
				var all strings.Builder
				_ = diags.WriteText(&all, false, 0)
				t.Errorf("%s\n%s", all.String(), result.HCL)
			}
		}
	})
}

// withoutFiles keeps a fuzzer from reading this machine's files.
func withoutFiles(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "=")
		switch strings.Trim(name, " \t\r\n\v\f") {
		case "conf-file", "conf-dir", "servers-file", "dhcp-hostsfile", "dhcp-hostsdir", "dhcp-optsfile", "dhcp-optsdir", "addn-hosts", "hostsdir", "resolv-file", "read-ethers":
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}
