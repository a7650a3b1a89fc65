# Written by `labnet import dnsmasq` from /var/lib/libvirt/dnsmasq/private.conf. Each piece says where it comes from.

# /var/lib/libvirt/dnsmasq/private.conf:9: dhcp-option=3
# /var/lib/libvirt/dnsmasq/private.conf:12: dhcp-range=192.168.100.128,192.168.100.254,255.255.255.0
network "lab" {
  mode    = "isolated"
  address = "192.168.100.1/24"

  # /var/lib/libvirt/dnsmasq/private.conf:8: interface=virbr1
  bridge {
    name = "virbr1"
  }

  dhcp {
    lease_time = "1h"

    # /var/lib/libvirt/dnsmasq/private.conf:12: dhcp-range=192.168.100.128,192.168.100.254,255.255.255.0
    range {
      start = "192.168.100.128"
      end   = "192.168.100.254"
    }
  }

  # /var/lib/libvirt/dnsmasq/private.conf:3: domain=private.test
  dns {
    domain      = "private.test"
    hosts_files = ["/etc/hosts"]

    # /var/lib/libvirt/dnsmasq/private.conf:11: ptr-record=1.100.168.192.in-addr.arpa,gw.private.test
    record "1.100.168.192.in-addr.arpa." {
      type  = "PTR"
      value = "gw.private.test."
    }

    # /var/lib/libvirt/dnsmasq/private.conf:17: txt-record=motd,hello, there
    record "motd" {
      type  = "TXT"
      value = "\"hello, there\""
    }

    # /var/lib/libvirt/dnsmasq/private.conf:18: srv-host=_ldap._tcp.private.test,dc.private.test,389,10,5
    record "_ldap._tcp" {
      type  = "SRV"
      value = "10 5 389 dc.private.test."
    }
  }
}
