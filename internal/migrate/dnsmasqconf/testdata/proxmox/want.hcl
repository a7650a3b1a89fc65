# Written by `labnet import dnsmasq` from /etc/dnsmasq.d/simple/00-default.conf, /etc/dnsmasq.d/simple/ethers. Each piece says where it comes from.

# /etc/dnsmasq.d/simple/00-default.conf:13: dhcp-range=set:simple-10.50.0.0-24,10.50.0.0,static,255.255.255.0,infinite
network "lab" {
  address = "10.50.0.1/24"

  # /etc/dnsmasq.d/simple/00-default.conf:12: interface=vnet0
  bridge {
    name = "vnet0"
  }

  dhcp {
    lease_time    = "infinite"
    authoritative = false
    # /etc/dnsmasq.d/simple/00-default.conf:8: dhcp-ignore=tag:!known
    unknown_clients = "deny"

    # /etc/dnsmasq.d/simple/00-default.conf:9: dhcp-option=26,1450
    option "mtu" {
      value = 1450
    }

    # /etc/dnsmasq.d/simple/00-default.conf:11: dhcp-option=option:dns-server,192.0.2.53
    option "dns_servers" {
      value = ["192.0.2.53"]
    }

    # /etc/dnsmasq.d/simple/00-default.conf:14: dhcp-option=tag:simple-10.50.0.0-24,option:router,10.50.0.1
    option "routers" {
      value = ["10.50.0.1"]
    }
  }

  dns {
    domain = "lab.internal"
  }

  # /etc/dnsmasq.d/simple/ethers:1: dhcp-host=BC:24:11:AA:00:01,10.50.0.100
  host "host-10-50-0-100" {
    mac     = "bc:24:11:aa:00:01"
    address = "10.50.0.100"
  }

  # /etc/dnsmasq.d/simple/ethers:2: dhcp-host=BC:24:11:AA:00:02,10.50.0.101
  host "host-10-50-0-101" {
    mac     = "bc:24:11:aa:00:02"
    address = "10.50.0.101"
  }
}
