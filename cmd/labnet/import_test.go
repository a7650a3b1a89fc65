package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	theirConf = "interface=nobr0\ndhcp-range=192.0.2.100,192.0.2.199,255.255.255.0,2h\nlisten-address=192.0.2.1\ndhcp-authoritative\nno-hosts\n"
	ourConf   = `# Written by ` + "`labnet import dnsmasq`" + ` from their.conf. Each piece says where it comes from.

# their.conf:2: dhcp-range=192.0.2.100,192.0.2.199,255.255.255.0,2h
network "lab" {
  address = "192.0.2.1/24"

  # their.conf:1: interface=nobr0
  bridge {
    name = "nobr0"
  }

  dhcp {
    lease_time = "2h"

    # their.conf:2: dhcp-range=192.0.2.100,192.0.2.199,255.255.255.0,2h
    range {
      start = "192.0.2.100"
      end   = "192.0.2.199"
    }
  }

  dns {
    domain = "lab.internal"
  }
}
`
)

func TestImportDnsmasq(t *testing.T) {
	const exact = `exact        their.conf:1: interface=nobr0
exact        their.conf:2: dhcp-range=192.0.2.100,192.0.2.199,255.255.255.0,2h
exact        their.conf:3: listen-address=192.0.2.1
exact        their.conf:4: dhcp-authoritative
exact        their.conf:5: no-hosts
`
	const lost = "unsupported  their.conf:6: enable-tftp\n             any TFTP server serves the files; next_server says where it is\n"
	for _, test := range []struct {
		name, args, conf string
		want             result
	}{
		{"printed", "their.conf", theirConf, result{exitDone, ourConf, exact + "5 exact, 0 ignored, 0 approximated, 0 unsupported\n"}},
		{"unsupported", "their.conf -o out.hcl", theirConf + "enable-tftp\n", result{
			exitFailed, "",
			exact + lost + "5 exact, 0 ignored, 0 approximated, 1 unsupported\nnothing is written, since something is unsupported; --allow-lossy writes the rest\n",
		}},
		{"unsupported, and allowed", "their.conf --allow-lossy", theirConf + "enable-tftp\n", result{
			exitDone, ourConf, exact + lost + "5 exact, 0 ignored, 0 approximated, 1 unsupported\n",
		}},
		{"a mistake", "their.conf", theirConf + "enable-tfpt\n", result{
			exitFailed, "", "labnet: nothing is imported:\ntheir.conf:6: dnsmasq 2.90 has no option \"enable-tfpt\"; did you mean enable-tftp?\n",
		}},
		{"what nobody can have", "their.conf", theirConf + "host-record=x.localhost,192.0.2.9\ndomain=localhost\n", result{
			exitFailed, "", "labnet: nothing is imported:\ntheir.conf:7: labnet can't have what comes of it: the domain \"localhost\" has a meaning of its own. Programs treat names in it specially and never ask (RFC 6761, RFC 7686). Use \"lab.internal\", or a subdomain of a domain that is yours.\n",
		}},
		{"no file", "none.conf", "", result{exitFailed, "", "labnet: nothing is imported:\nnone.conf: no such file or directory\n"}},
		{"no argument", "", "", result{exitWrongUse, "", "labnet: labnet import dnsmasq wants a file, or options behind --; see `labnet import dnsmasq --help`\n"}},
		{"no address", "their.conf --address br0", theirConf, result{exitWrongUse, "", "labnet: --address: \"br0\" is not INTERFACE=ADDRESS/LENGTH, such as br0=10.0.0.1/24\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inDir(t, map[string]string{"their.conf": test.conf})
			got := labnet(t, nil, append([]string{"import", "dnsmasq"}, strings.Fields(test.args)...)...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			alone(t, "their.conf")
		})
	}
}

// The configuration and the list of blocked names are new files, or nothing is written over.
func TestImportWritesNewFiles(t *testing.T) {
	inDir(t, map[string]string{"their.conf": theirConf + "local=/ads.example/\n"})
	args := []string{"import", "dnsmasq", "their.conf", "-o", "our.hcl"}
	got := labnet(t, nil, args...)
	if got.Code != exitDone || got.Out != "" {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"our.blocked, our.hcl\n", "next: look at it, then `labnet check -c our.hcl` and `labnet plan -c our.hcl`\n"} {
		if !strings.Contains(got.ErrOut, want) {
			t.Errorf("says %q, without %q", got.ErrOut, want)
		}
	}
	wantFile(t, "our.blocked", "# Written by `labnet import dnsmasq`.\nlocal=/ads.example/\n")
	if got := labnet(t, nil, "check", "our.hcl"); got.Code != exitDone || !strings.Contains(got.Out, "fine") {
		t.Errorf("check says %+v", got)
	}
	if got := labnet(t, nil, args...); got.Code != exitFailed || !strings.Contains(got.ErrOut, "is there already; remove it, or write to another file") {
		t.Errorf("a second time: %+v", got)
	}
	if err := os.Remove("our.blocked"); err != nil {
		t.Fatal(err)
	}
	if got := labnet(t, nil, args...); got.Code != exitFailed || !strings.Contains(got.ErrOut, "our.hcl is there already") {
		t.Errorf("with the one of two: %+v", got)
	}
	// Nothing of the second try is left.
	alone(t, "our.hcl", "their.conf")
	// To standard output there is no list, unless it is named.
	if got := labnet(t, nil, "import", "dnsmasq", "their.conf"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "or name one by --block-list") {
		t.Errorf("printed: %+v", got)
	}
}

func TestImportReportsAsJSON(t *testing.T) {
	inDir(t, map[string]string{"their.conf": theirConf + "user=a\x1bb\n"})
	got := labnet(t, nil, "import", "dnsmasq", "their.conf", "--report", "json")
	var report importFindings
	if err := json.Unmarshal([]byte(got.ErrOut), &report); err != nil {
		t.Fatalf("%v: %s", err, got.ErrOut)
	}
	want := importFinding{"their.conf", 6, "user=a\x1bb", "ignored", []string{"the service says who runs labnet"}}
	if diff := cmp.Diff(want, report.Directives[len(report.Directives)-1]); diff != "" {
		t.Error(diff)
	}
	if !report.Written || report.Counts["exact"] != 5 || report.Counts["unsupported"] != 0 {
		t.Errorf("%+v", report)
	}
	if strings.ContainsAny(got.ErrOut+got.Out, "\x1b") || strings.ContainsAny(labnet(t, nil, "import", "dnsmasq", "their.conf").ErrOut, "\x1b") {
		t.Error("a control character of the file reaches the terminal")
	}
}

// A command line, as programs start dnsmasq.
func TestImportOfACommandLine(t *testing.T) {
	inDir(t, nil)
	got := labnet(t, nil, "import", "dnsmasq", "--network", "svc", "--", "-k", "-i", "nobr0", "--dhcp-range=192.0.2.100,192.0.2.199,2h", "-a192.0.2.1", "-K", "--no-hosts")
	if got.Code != exitDone || !strings.Contains(got.Out, `network "svc"`) || !strings.Contains(got.Out, `# command line: dhcp-range=`) {
		t.Errorf("%+v", got)
	}
}
