# Written by `labnet import dnsmasq` from command line, /etc/NetworkManager/dnsmasq-shared.d/local.conf. Each piece says where it comes from.

# command line: dhcp-range=10.42.0.10,10.42.0.254,60m
network "lab" {
  address = "10.42.0.1/24"

  bridge {
    name = "br0"
  }

  dhcp {
    lease_time    = "1h"
    authoritative = false

    # command line: dhcp-range=10.42.0.10,10.42.0.254,60m
    range {
      start = "10.42.0.10"
      end   = "10.42.0.254"
    }

    # /etc/NetworkManager/dnsmasq-shared.d/local.conf:2: dhcp-option=option:ntp-server,10.42.0.1
    option "ntp_servers" {
      value = ["10.42.0.1"]
    }
  }

  dns {
    domain = "lab.internal"
  }

  # /etc/NetworkManager/dnsmasq-shared.d/local.conf:1: dhcp-host=52:54:00:aa:00:01,board,10.42.0.50
  host "board" {
    mac     = "52:54:00:aa:00:01"
    address = "10.42.0.50"
  }
}
