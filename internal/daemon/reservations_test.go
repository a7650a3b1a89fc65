package daemon

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
	"labnet/leases"
)

const keptFile = `network "lab" {
  address = "10.0.0.1/24"
  dns {
    record "www" {
      type  = "A"
      value = "192.0.2.1"
    }
  }
  host "builder" {
    mac     = "52:54:00:00:00:01"
    address = "10.0.0.10"
    aliases = ["ci"]
  }
}
network "static" {
  address = "10.1.0.1/24"
  bridge {
    name = "br1"
  }
  dhcp {
    enabled = false
  }
}
`

func TestTheFileCountsBeforeWhatWasReservedAtRunTime(t *testing.T) {
	file := load(t, strings.Replace(keptFile, "address = \"10.0.0.1/24\"\n", "address = \"10.0.0.1/24\"\n  bridge {\n    name = \"br0\"\n  }\n", 1))
	mac := func(last byte) leases.HWAddr { return leases.HWAddr([]byte{0x52, 0x54, 0, 0, 0, last}) }
	addr := netip.MustParseAddr
	cases := []struct {
		kept leases.KeptReservation
		want string // part of the obstacle
	}{
		{leases.KeptReservation{Network: "lab", HWAddr: mac(2), Addr: addr("10.0.0.20"), Name: "db"}, ""},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(3), Name: "any"}, ""},
		{leases.KeptReservation{Network: "lab", ID: leases.ClientIDFromOption([]byte("\x01\x02")), Addr: addr("10.0.0.21")}, ""},
		{leases.KeptReservation{Network: "gone", HWAddr: mac(2)}, `there is no network "gone"`},
		{leases.KeptReservation{Network: "static", HWAddr: mac(2)}, "has no DHCP"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(1), Addr: addr("10.0.0.30")}, `host "builder" is for the same client`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Addr: addr("10.0.0.10")}, `host "builder" has 10.0.0.10`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Name: "ci"}, `host "builder" has the name "ci"`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Name: "www"}, `a record has the name "www"`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Name: "gateway"}, "nobody's name"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Addr: addr("10.0.0.1")}, "the gateway's own"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Addr: addr("10.0.0.255")}, "no host's address"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Addr: addr("10.0.0.0")}, "no host's address"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(4), Addr: addr("10.1.0.9")}, "outside network"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(5), Addr: addr("10.0.0.20")}, `host "db" has 10.0.0.20`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac(5), Addr: addr("10.0.0.21")}, "the reservation for client 01:02 has 10.0.0.21"},
	}
	var kept []leases.KeptReservation
	for _, c := range cases {
		kept = append(kept, c.kept)
	}
	cfg, obstacles := withKept(file, kept)
	for i, c := range cases {
		if c.want == "" && obstacles[i] != "" || !strings.Contains(obstacles[i], c.want) {
			t.Errorf("%+v: %q, want %q", c.kept, obstacles[i], c.want)
		}
	}
	want := append(file.Networks[0].Hosts[:1:1],
		config.Host{Name: "db", MAC: string(mac(2)), Address: addr("10.0.0.20")},
		config.Host{Name: "any", MAC: string(mac(3))},
		config.Host{ClientID: "\x01\x02", Address: addr("10.0.0.21")})
	if diff := cmp.Diff(want, cfg.Networks[0].Hosts, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if len(file.Networks[0].Hosts) != 1 {
		t.Error("the file was changed")
	}
	// What is compiled of it is what the parts take.
	p := compile(cfg, "router1")
	if _, err := leases.NewTable(p.leases, leases.NewMemory(), nil); err != nil {
		t.Error(err)
	}
	if len(p.dns.Networks[0].Hosts) != 2 {
		t.Errorf("fixed names: %+v", p.dns.Networks[0].Hosts)
	}
}

// What a file says of a name or an address in any of its networks is no reason for the parts to refuse a start.
func TestARecordCountsBeforeWhatWasReservedAtRunTime(t *testing.T) {
	long := strings.Repeat("a", 60)
	file := load(t, `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name = "br0"
  }
  dns {
    domain = "lab.internal"
    record "db.dev" {
      type  = "CNAME"
      value = "elsewhere.example.org."
    }
    record "Web.DEV.lab.internal." {
      type  = "A"
      value = "10.0.0.9"
    }
    record "30.0.0.10.in-addr.arpa." {
      type  = "CNAME"
      value = "30.sub.example.org."
    }
  }
}
network "dev" {
  address = "10.1.0.1/24"
  bridge {
    name = "br1"
  }
  dns {
    domain = "dev.lab.internal"
  }
}
network "long" {
  address = "10.2.0.1/24"
  bridge {
    name = "br2"
  }
  dns {
    domain = "`+strings.Join([]string{long, long, long, "internal"}, ".")+`"
  }
}
`)
	mac := leases.HWAddr("\x52\x54\x00\x00\x00\x01")
	addr := netip.MustParseAddr
	for _, c := range []struct {
		kept leases.KeptReservation
		want string // part of the obstacle
	}{
		{leases.KeptReservation{Network: "dev", HWAddr: mac, Addr: addr("10.1.0.9"), Name: "db"}, `a record has the name "db"`},
		{leases.KeptReservation{Network: "dev", HWAddr: mac, Name: "web"}, `a record has the name "web"`},
		{leases.KeptReservation{Network: "lab", HWAddr: mac, Addr: addr("10.0.0.30"), Name: "db"}, "a record has the reverse name of 10.0.0.30"},
		{leases.KeptReservation{Network: "lab", HWAddr: mac, Addr: addr("10.0.0.30")}, ""}, // without a name it has no reverse one either
		{leases.KeptReservation{Network: "lab", HWAddr: mac, Addr: addr("10.0.0.31"), Name: "db"}, ""},
		{leases.KeptReservation{Network: "long", HWAddr: mac, Name: long + "abc"}, "is too long in the domain"},
		{leases.KeptReservation{Network: "long", HWAddr: mac, Name: long}, ""},
	} {
		_, obstacles := withKept(file, []leases.KeptReservation{c.kept})
		if c.want == "" && obstacles[0] != "" || !strings.Contains(obstacles[0], c.want) {
			t.Errorf("%+v: %q, want %q", c.kept, obstacles[0], c.want)
		}
	}
}
