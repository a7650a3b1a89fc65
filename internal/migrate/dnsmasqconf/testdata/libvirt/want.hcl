# Written by `labnet import dnsmasq` from command line, /var/lib/libvirt/dnsmasq/default.conf, /var/lib/libvirt/dnsmasq/default.hostsfile. Each piece says where it comes from.

# /var/lib/libvirt/dnsmasq/default.conf:12: dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0
network "lab" {
  address = "192.168.122.1/24"

  # /var/lib/libvirt/dnsmasq/default.conf:11: interface=virbr0
  bridge {
    name = "virbr0"
  }

  dhcp {
    lease_time = "1h"

    # /var/lib/libvirt/dnsmasq/default.conf:12: dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0
    range {
      start = "192.168.122.2"
      end   = "192.168.122.254"
    }
  }

  dns {
    domain = "lab.internal"
    # /var/lib/libvirt/dnsmasq/default.conf:17: addn-hosts=/var/lib/libvirt/dnsmasq/default.addnhosts
    hosts_files = ["/etc/hosts", "/var/lib/libvirt/dnsmasq/default.addnhosts"]
  }

  # /var/lib/libvirt/dnsmasq/default.hostsfile:1: dhcp-host=52:54:00:aa:00:01,192.168.122.50,web
  host "web" {
    mac     = "52:54:00:aa:00:01"
    address = "192.168.122.50"
  }

  # /var/lib/libvirt/dnsmasq/default.hostsfile:2: dhcp-host=52:54:00:aa:00:02,192.168.122.51
  host "host-192-168-122-51" {
    mac     = "52:54:00:aa:00:02"
    address = "192.168.122.51"
  }
}

# command line: dhcp-script=/var/lib/libvirt/leaseshelper
hook "dnsmasq" {
  command = ["/var/lib/libvirt/leaseshelper"]
  on      = ["lease.bound", "lease.changed", "lease.released", "lease.expired"]
}
