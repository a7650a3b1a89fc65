package main

import (
	"fmt"
	"os"
	"path/filepath"

	"labnet/bench/dhcp/generator"
	"labnet/bench/stage"
)

// responderName is the argument that makes this program the server that leases nothing.
const responderName = "responder"

// subject is a server that is measured.
type subject struct {
	name      string // as on the command line
	title     string // as in the results
	ownBridge bool   // it makes the bridge itself
	relayOnly bool
	slow      bool // it isn't filled with leases
	version   []string
	// start starts it in a bed.
	start func(b *bed, mode generator.Mode) (*stage.Process, error)
}

// subjects are all servers that there are.
func subjects(o *options) []*subject {
	return []*subject{
		{
			name: responderName, title: "no server: answers at once", relayOnly: true,
			start: func(b *bed, _ generator.Mode) (*stage.Process, error) {
				program, err := os.Executable()
				if err != nil {
					return nil, err
				}
				return b.start(o.serverCPUs, nil, program, responderName, bridge)
			},
		},
		{
			name: "labnet", title: "labnet", ownBridge: true, version: []string{o.labnet, "version"},
			start: func(b *bed, _ generator.Mode) (*stage.Process, error) { return startLabnet(o, b) },
		},
		{
			name: "kea", title: "Kea", version: []string{"kea-dhcp4", "-v"},
			start: func(b *bed, m generator.Mode) (*stage.Process, error) { return startKea(o, b, m, 0) },
		},
		{
			name: "kea-mt", title: "Kea, 2 threads",
			start: func(b *bed, m generator.Mode) (*stage.Process, error) { return startKea(o, b, m, 2) },
		},
		{
			name: "dnsmasq", title: "dnsmasq", slow: true, version: []string{"dnsmasq", "--version"},
			start: func(b *bed, _ generator.Mode) (*stage.Process, error) { return startDnsmasq(o, b) },
		},
	}
}

const labnetConfig = `network "bench" {
  address = %q

  bridge {
    name   = %q
    attach = [%q]
  }
  dhcp {
    range {
      start = %q
      end   = %q
    }
  }
  dns {
    enabled = false
  }
}
`

// startLabnet starts labnet with all defaults; only its DNS service, which is not measured, is off.
func startLabnet(o *options, b *bed) (*stage.Process, error) {
	file := filepath.Join(b.dir, "labnet.hcl")
	text := fmt.Sprintf(labnetConfig, serverAddr, bridge, port, poolFirst, poolLast)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return b.start(o.serverCPUs, nil, o.labnet, "-c", file, "--state-dir", filepath.Join(b.dir, "state"), "--run-dir", filepath.Join(b.dir, "run"), "run")
}

const keaConfig = `{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ %q ], "dhcp-socket-type": %q },
  "multi-threading": { "enable-multi-threading": %t, "thread-pool-size": %d, "packet-queue-size": 512 },
  "lease-database": { "type": "memfile", "persist": true, "name": %q },
  "authoritative": true, "valid-lifetime": 43200, "renew-timer": 21600, "rebind-timer": 37800,
  "reservations-global": false, "reservations-in-subnet": false,
  "option-data": [ { "name": "routers", "data": %[6]q }, { "name": "domain-name-servers", "data": %[6]q } ],
  "subnet4": [ { "id": 1, "subnet": %q, "interface": %[1]q, "pools": [ { "pool": "%[8]s - %[9]s" } ] } ],
  "loggers": [ { "name": "kea-dhcp4", "severity": "WARN", "output_options": [ { "output": "stderr" } ] } ]
} }
`

// startKea starts Kea as fast as it can be configured: no reservations, no log of leases, UDP sockets where all clients
// are behind a relay. threads 0 is without multi-threading, its default.
func startKea(o *options, b *bed, mode generator.Mode, threads int) (*stage.Process, error) {
	socket := "raw"
	if mode == generator.Relay {
		socket = "udp"
	}
	file := filepath.Join(b.dir, "kea.json")
	text := fmt.Sprintf(keaConfig, bridge, socket, threads > 0, threads, filepath.Join(b.dir, "leases.csv"),
		serverAddr.Addr(), serverAddr.Masked(), poolFirst, poolLast)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return b.start(o.serverCPUs, []string{"KEA_PIDFILE_DIR=" + b.dir, "KEA_LOCKFILE_DIR=" + b.dir}, "kea-dhcp4", "-c", file)
}

// startDnsmasq starts dnsmasq without its DNS service, the pings before an offer, and a log of leases.
func startDnsmasq(o *options, b *bed) (*stage.Process, error) {
	return b.start(o.serverCPUs, nil, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
		"--interface="+bridge, "--except-interface=lo", "--pid-file=", "--log-facility=-", "--quiet-dhcp", "--no-ping",
		"--dhcp-authoritative", "--dhcp-lease-max=65000", "--dhcp-leasefile="+filepath.Join(b.dir, "leases"),
		fmt.Sprintf("--dhcp-range=%v,%v,255.255.0.0,12h", poolFirst, poolLast))
}
