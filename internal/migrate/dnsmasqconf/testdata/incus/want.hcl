# Written by `labnet import dnsmasq` from command line, /var/lib/incus/networks/incusbr0/dnsmasq.hosts/default_c1.eth-0, /var/lib/incus/networks/incusbr0/dnsmasq.hosts/default_c2.eth-0. Each piece says where it comes from.

# command line: dhcp-range=10.158.0.2,10.158.0.254,1h
network "lab" {
  address = "10.158.0.1/24"

  # command line: interface=incusbr0
  bridge {
    name = "incusbr0"
  }

  dhcp {
    lease_time = "1h"
    # command line: no-ping
    conflict_probe = false
    # command line: dhcp-rapid-commit
    rapid_commit = true

    # command line: dhcp-range=10.158.0.2,10.158.0.254,1h
    range {
      start = "10.158.0.2"
      end   = "10.158.0.254"
    }
  }

  # command line: domain=incus
  dns {
    domain      = "incus"
    hosts_files = ["/etc/hosts"]

    # command line: interface-name=_gateway.incus,incusbr0
    record "_gateway" {
      type  = "A"
      value = "10.158.0.1"
    }
  }

  # /var/lib/incus/networks/incusbr0/dnsmasq.hosts/default_c1.eth-0:1: dhcp-host=10:66:6a:aa:00:01,10.158.0.20,c1
  host "c1" {
    mac     = "10:66:6a:aa:00:01"
    address = "10.158.0.20"
  }

  # /var/lib/incus/networks/incusbr0/dnsmasq.hosts/default_c2.eth-0:1: dhcp-host=10:66:6a:aa:00:02,10.158.0.21,c2
  host "c2" {
    mac     = "10:66:6a:aa:00:02"
    address = "10.158.0.21"
  }
}
