package dnsmasqconf

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
)

// one imports a configuration around some lines, whose findings it returns.
func one(t *testing.T, lines string) (*Result, []error) {
	t.Helper()
	const around = "interface=br0\ndhcp-range=set:net,10.0.0.100,10.0.0.199,255.255.255.0,12h\ndomain=lab.test\nserver=192.0.2.53\nno-resolv\nno-hosts\ndhcp-authoritative\n"
	return Import([]string{"-"}, nil, Options{
		Stdin: strings.NewReader(around + lines), Addresses: []Interface{{Name: "br0", Prefix: netipPrefix("10.0.0.1/24")}}, BlockList: "/etc/labnet/b", HostsFile: "/etc/labnet/h",
	})
}

func TestDirectives(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		level       Level
		note        string // a part of one
		hcl         string // a part, with white space made one space
	}{
		{"an option by number", "dhcp-option=42,10.0.0.5", Exact, "", `option "ntp_servers" { value = ["10.0.0.5"] }`},
		{"our own address", "dhcp-option=option:ntp-server,0.0.0.0", Exact, "", `value = ["10.0.0.1"]`},
		{"an option for all", "dhcp-option-force=option:mtu,1400", Exact, "", `option "mtu" { value = 1400 always = true }`},
		{"a quoted number is text", `dhcp-option=224,"12"`, Exact, "", `code = 224 type = "text" value = "12"`},
		{"a number is a byte", `dhcp-option=224,12`, Exact, "", `code = 224 type = "hex" value = "0c"`},
		{"a number of two bytes", `dhcp-option=224,12s`, Exact, "", `value = "00:0c"`},
		{"a template in a text", `dhcp-option=224,"${x} %{y}"`, Exact, "", `value = "$${x} %%{y}"`},
		{"the later option counts", "dhcp-option=42,10.0.0.5\ndhcp-option=42,10.0.0.6", Ignored, "later line", `value = ["10.0.0.6"]`},
		{"routers elsewhere", "dhcp-option=121,10.1.0.0/16,10.9.0.1", Exact, "", `code = 121 type = "hex" value = "10:0a:01:0a:09:00:01"`},
		{"the MAC address of a group", "dhcp-host=11:22:33:44:55:66,x", Unsupported, "no machine's", ""},
		{"no DNS server", "dhcp-option=6", Unsupported, "withheld", ""},
		{"the lease's own", "dhcp-option=option:T1,30m", Approximated, "lease time", ""},
		{"DHCPv6", "dhcp-option=option6:dns-server,[::]", Unsupported, "DHCPv6", ""},
		{"nobody's tag", "dhcp-option=tag:nobody,42,10.0.0.5", Ignored, "nobody", ""},
		{"the range's tag", "dhcp-option=tag:net,42,10.0.0.5", Exact, "", `option "ntp_servers"`},
		{"the interface's tag", "dhcp-option=tag:br0,42,10.0.0.5", Exact, "", `option "ntp_servers"`},
		{"not the range's tag", "dhcp-option=tag:!net,42,10.0.0.5", Exact, "", ""},
		{"one of two architectures", "dhcp-match=set:u,option:client-arch,7\ndhcp-match=set:u,93,9\ndhcp-boot=tag:u,x.efi", Exact, "", `class "x86-64-uefi" { architecture = "x86-64-uefi"`},
		{"two conditions", "dhcp-mac=set:m,52:54:00:*:*:*\ndhcp-match=set:u,93,0\ndhcp-boot=tag:m,tag:u,x", Exact, "", `architecture = "x86-bios" mac = "52:54:00"`},
		{"two vendor classes at once", "dhcp-vendorclass=set:a,A\ndhcp-vendorclass=set:b,B\ndhcp-boot=tag:a,tag:b,x", Unsupported, "two of one kind", ""},
		{"a tag by a tag", "dhcp-mac=set:m,52:54:00:*:*:*\ntag-if=set:n,tag:m,tag:net\ndhcp-option=tag:n,26,1400", Exact, "", `mac = "52:54:00"`},
		{"a tag of a host", "dhcp-host=52:54:00:00:00:01,set:h,x\ndhcp-boot=tag:h,f", Exact, "", `host "x" { mac = "52:54:00:00:00:01" # standard input:9: dhcp-boot=tag:h,f boot_file = "f" }`},
		{"known hosts", "dhcp-host=52:54:00:00:00:01,x\ndhcp-option=tag:known,26,1400", Approximated, "each host", `host "x"`},
		{"a tag that a relay sets", "dhcp-remoteid=set:r,x\ndhcp-option=tag:r,26,1400", Unsupported, "can't tell", ""},
		{"a boot server by name", "dhcp-boot=f,s,boot.example.org", Unsupported, "not by its address", ""},
		{"the address of boot servers", "dhcp-option=option:server-ip-address,10.0.0.5", Exact, "", `next_server = "10.0.0.5"`},
		{"a service", "pxe-service=x86PC,Install,pxelinux", Approximated, "menu", `boot_file = "pxelinux.0"`},
		{"two services", "pxe-service=x86PC,A,a\npxe-service=x86PC,B,b", Unsupported, "menus", `"a.0"`},
		{"two MAC addresses", "dhcp-host=52:54:00:00:00:01,52:54:00:00:00:02,x,10.0.0.9", Unsupported, "first MAC", `host "x"`},
		{"a host to ignore", "dhcp-host=52:54:00:00:00:01,ignore", Unsupported, "ignored", ""},
		{"a host elsewhere", "dhcp-host=52:54:00:00:00:01,10.9.0.9", Ignored, "no network", ""},
		{"a name twice", "dhcp-host=52:54:00:00:00:01,x\ndhcp-host=52:54:00:00:00:02,x", Approximated, `"x-2"`, `host "x-2"`},
		{"a host by name", "dhcp-host=x,10.0.0.9", Exact, "", `hostname = "x" address = "10.0.0.9"`},
		{"an identifier in bytes", "dhcp-host=id:ff:0:1,x", Exact, "", `client_id = "ff:00:01"`},
		{"a range for a tag", "dhcp-range=tag:x,10.0.0.10,10.0.0.20", Unsupported, "with a tag", ""},
		{"a second range", "dhcp-range=10.0.0.10,10.0.0.20,1h", Approximated, "one lease time", `start = "10.0.0.10"`},
		{"IPv6", "dhcp-range=::,constructor:br0,ra-stateless", Unsupported, "DHCPv6", ""},
		{"all but known", "dhcp-ignore=tag:!known", Exact, "", `unknown_clients = "deny"`},
		{"by a tag", "dhcp-ignore=tag:net", Unsupported, "denied", ""},
		{"a name elsewhere", "host-record=x.example.org,192.0.2.9", Exact, "", `hosts_files = ["/etc/labnet/h"]`},
		{"an alias elsewhere", "cname=x.example.org,y.lab.test", Unsupported, "own domain", ""},
		{"all below a name elsewhere", "address=/x.example.org/192.0.2.9", Approximated, "below it", `hosts_files = ["/etc/labnet/h"]`},
		{"a hosts file of DHCP that isn't there", "dhcp-hostsfile=/none/such", Approximated, "does without it", ""},
		{"ranges with two tags", "dhcp-range=set:two,10.0.0.10,10.0.0.20,12h", Approximated, "whole network", `start = "10.0.0.10"`},
		{"a hosts file", "addn-hosts=/none/such", Approximated, "looks for it", `hosts_files = ["/none/such"]`},
		{"a bare name", "cname=a,b.lab.test", Approximated, "in the network's domain", `record "a"`},
		{"a CNAME beside others", "host-record=a.lab.test,10.0.0.9\ncname=a.lab.test,b", Unsupported, "stands alone", ""},
		{"an MX for this machine", "mx-host=lab.test", Unsupported, "name it", ""},
		{"an MX with a target", "mx-target=mail.lab.test\nmx-host=lab.test,,20", Exact, "", `value = "20 mail.lab.test."`},
		{"a record by number", "dns-rr=x.lab.test,16,02:68:69", Exact, "", `type = "TXT" value = "\"hi\""`},
		{"a record of an unknown type", "dns-rr=x.lab.test,65280,01:02", Exact, "", `type = "TYPE65280" value = "\\# 2 0102"`},
		{"a record that is none", "dns-rr=x.lab.test,65,00:01", Unsupported, "no HTTPS record", ""},
		{"no service", "srv-host=_x._tcp", Exact, "", `value = "0 0 1 ."`},
		{"our own zone", "server=/lab.test/192.0.2.1", Unsupported, "never forwarded", ""},
		{"ourselves", "server=/x.test/10.0.0.1", Unsupported, "labnet itself", ""},
		{"a source address", "server=/x.test/192.0.2.1@10.0.0.1", Approximated, "by the route", `domains = ["x.test"]`},
		{"a name to block", "local=/x.test/", Exact, "", `files = ["/etc/labnet/b"]`},
		{"every name by the address alone", "address=10.0.0.9", Unsupported, "every name", ""},
		{"two names", "dhcp-host=52:54:00:00:00:01,x,y", Ignored, "the last counts", `host "y"`},
		{"every name", "address=/#/10.0.0.9", Unsupported, "every name", ""},
		{"DNS on another port", "port=5353", Unsupported, "port 53", ""},
		{"a large cache", "cache-size=1000000", Approximated, "in bytes", `cache_size = "245MiB"`},
		{"stale answers", "use-stale-cache=3600", Approximated, "no upstream", `serve_stale = "3600s"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, mistakes := one(t, test.lines)
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			loads(t, result)
			if worst := result.Worst(); worst != test.level && !(test.level == Ignored && worst == Approximated) {
				t.Errorf("it is %s, want %s:\n%s", worst, test.level, report(result))
			}
			if !strings.Contains(report(result), test.note) {
				t.Errorf("no note says %q:\n%s", test.note, report(result))
			}
			if flat := strings.Join(strings.Fields(string(result.HCL)), " "); !strings.Contains(uncommented(flat, test.hcl), test.hcl) {
				t.Errorf("it lacks %s:\n%s", test.hcl, result.HCL)
			}
		})
	}
}

// uncommented is text without comments, unless some are looked for.
func uncommented(flat, want string) string {
	if strings.Contains(want, "# ") {
		return flat
	}
	return strings.Join(strings.Fields(regexp.MustCompile(`# standard input:\d+: \S+( \S+)*? (option|\}|class|record|host|start|boot_file|next_server|upstream|block|range|value|hosts_files|unknown_clients|cache_size|serve_stale|bridge|dhcp|dns|resolver|network)\b`).ReplaceAllString(flat, "$2")), " ")
}

// What dnsmasq would refuse is refused, with the line.
func TestMistakesNameTheLine(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"dhcp-rnage=10.0.0.1,10.0.0.9", `standard input:8: dnsmasq 2.90 has no option "dhcp-rnage"; did you mean dhcp-range?`},
		{"domain-needed=yes", "standard input:8: domain-needed: it takes no value"},
		{"dhcp-host", "standard input:8: dhcp-host: its value is missing"},
		{"txt-record=x,\"y", `standard input:8: a quote (") is not closed`},
		{"dhcp-range=10.0.0.1", "standard input:8: dhcp-range: it needs a start and an end"},
		{"dhcp-range=10.0.0.1,10.0.1.9,255.255.255.0", "10.0.1.9 is not in the subnet"},
		{"dhcp-range=10.0.0.1,10.0.0.9,255.0.255.0", "is not a netmask"},
		{"dhcp-option=option:no-such,1", `there is no DHCP option "no-such"`},
		{"dhcp-option=3,x", `"x" is not an address`},
		{"local-ttl=5m", `local-ttl: "5m" is not a number`},
		{"port=53\nport=0", "it may stand once only"},
		{"conf-file=/none/such", "conf-file: /none/such: no such file or directory"},
		{"pxe-service=vax,x", "there is no architecture"},
	} {
		_, mistakes := one(t, test.line)
		if len(mistakes) != 1 || !strings.Contains(mistakes[0].Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.line, mistakes, test.want)
		}
	}
}

func TestWithoutANetwork(t *testing.T) {
	_, mistakes := Import([]string{"-"}, nil, Options{Stdin: strings.NewReader("no-resolv\ninterface=br0\n")})
	if len(mistakes) != 1 || !strings.Contains(mistakes[0].Error(), "--address") {
		t.Error(mistakes)
	}
	// With the address alone, names are served.
	r, mistakes := Import([]string{"-"}, nil, Options{Stdin: strings.NewReader("interface=br0\n"), Running: func(name string) (Interface, bool) {
		return Interface{Name: name, Bridge: true, Prefix: netipPrefix("10.0.0.1/24")}, name == "br0"
	}})
	if len(mistakes) > 0 || !strings.Contains(string(r.HCL), "adopt = true") || !strings.Contains(string(r.HCL), "enabled = false") {
		t.Errorf("%v, %s", mistakes, r.HCL)
	}
}

// Findings have levels that the table, and so the document, lets them have.
func TestLevelsAreThoseOfTheTable(t *testing.T) {
	levels := map[string][]Level{}
	for _, k := range Directives() {
		levels[k.Name] = k.Levels
		for _, l := range k.Levels {
			if !slices.Contains(Levels(), l) {
				t.Errorf("%s: there is no level %q", k.Name, l)
			}
		}
		if len(k.Levels) == 0 || k.Note == "" || strings.HasSuffix(k.Note, ".") {
			t.Errorf("%s: %v, %q", k.Name, k.Levels, k.Note)
		}
	}
	dirs, _ := filepath.Glob("testdata/*/case.json")
	for _, path := range dirs {
		dir := filepath.Dir(path)
		c := readCase(t, dir)
		result, _ := Import(c.Files, c.Args, c.options(dir))
		for _, f := range result.Findings {
			name, _, _ := strings.Cut(f.Text, "=")
			if known, ok := levels[name]; ok && !slices.Contains(known, f.Level) {
				t.Errorf("%s: %s is %s, which the table doesn't say", f.Place(), f.Text, f.Level)
			}
		}
	}
}

const document = "../../../docs/dnsmasq.md"

// TestDirectivesAreDocumented holds the document's list of directives to the table; -update writes it.
func TestDirectivesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- directives: written by `make docs` -->\n", "<!-- end of directives -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no list of directives", document)
	}
	var b strings.Builder
	b.WriteString("| directive | import | here |\n| --- | --- | --- |\n")
	for _, k := range Directives() {
		var levels []string
		for _, l := range k.Levels {
			levels = append(levels, string(l))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, strings.Join(levels, ", "), resolved(k))
	}
	golden(t, document, before+begin+b.String()+end+after)
}

// resolved is a note for a list in another order, where "likewise" would mean another line.
func resolved(k Known) string {
	if !strings.HasPrefix(k.Note, "likewise") {
		return k.Note
	}
	all := table()
	at := slices.IndexFunc(all, func(o known) bool { return o.name == k.Name })
	for strings.HasPrefix(all[at].note, "likewise") {
		at--
	}
	return all[at].note + strings.TrimPrefix(k.Note, "likewise")
}

// The table of equivalents names nothing that the importer doesn't know, and agrees with it on what isn't here.
func TestEquivalentsAreKnown(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string][]Level{}
	for _, k := range Directives() {
		levels[k.Name] = k.Levels
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 2 || !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, code := range regexp.MustCompile("`([a-zA-Z0-9-]+)(=[^`]*)?`").FindAllStringSubmatch(cells[0], -1) {
			known, ok := levels[code[1]]
			if !ok {
				continue // a set:, a signal, or an argument
			}
			rows++
			if strings.HasPrefix(cells[1], "not here") && slices.Equal(known, []Level{Exact}) {
				t.Errorf("%s isn't here, says the table of equivalents, and the importer takes it for exact", code[1])
			}
		}
	}
	if rows < 60 {
		t.Errorf("only %d directives found", rows)
	}
}

// parses fails unless the text is HCL.
func parses(t *testing.T, text []byte) {
	t.Helper()
	if formatted, diags := config.Format(text, "labnet.hcl"); diags.HasErrors() {
		t.Errorf("what was written isn't HCL:\n%s", text)
	} else if diff := cmp.Diff(string(formatted), string(text)); diff != "" {
		t.Error(diff)
	}
}
