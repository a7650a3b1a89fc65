# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf.cfg01411c, /etc/dnsmasq.conf, /var/dnsmasq.d/extra. Each piece says where it comes from.

# /etc/dnsmasq.conf.cfg01411c:28: dhcp-range=set:lan,192.168.1.100,192.168.1.249,255.255.255.0,12h
network "lab" {
  address = "192.168.1.1/24"

  # /etc/dnsmasq.conf:2: interface=br-lan
  bridge {
    name = "br-lan"
  }

  dhcp {
    lease_time = "12h"

    # /etc/dnsmasq.conf.cfg01411c:28: dhcp-range=set:lan,192.168.1.100,192.168.1.249,255.255.255.0,12h
    range {
      start = "192.168.1.100"
      end   = "192.168.1.249"
    }

    # /etc/dnsmasq.conf.cfg01411c:30: dhcp-option=tag:phones,42,192.168.1.5
    class "52-54-00-bb" {
      mac = "52:54:00:bb"

      # /etc/dnsmasq.conf.cfg01411c:30: dhcp-option=tag:phones,42,192.168.1.5
      option "ntp_servers" {
        value = ["192.168.1.5"]
      }
    }

    # /etc/dnsmasq.conf.cfg01411c:29: dhcp-option=lan,option:domain-search,lan
    option "domain_search" {
      value = ["lan"]
    }
  }

  # /etc/dnsmasq.conf.cfg01411c:12: domain=lan
  dns {
    domain = "lan"
    # /etc/dnsmasq.conf.cfg01411c:14: addn-hosts=/var/hosts
    hosts_files = ["/etc/hosts", "/var/hosts/dhcp.cfg01411c"]

    # /var/dnsmasq.d/extra:1: cname=bell.lan,doorbell.lan
    record "bell" {
      type  = "CNAME"
      value = "doorbell.lan."
    }
  }

  # /etc/dnsmasq.conf.cfg01411c:6: read-ethers
  host "host-192-168-1-30" {
    mac     = "52:54:00:aa:00:05"
    address = "192.168.1.30"
  }

  # /etc/dnsmasq.conf.cfg01411c:6: read-ethers
  host "scanner" {
    mac = "52:54:00:aa:00:06"
  }

  # /etc/dnsmasq.conf.cfg01411c:25: dhcp-host=52:54:00:AA:00:01,set:kids,192.168.1.20,tablet,2h
  host "tablet" {
    mac        = "52:54:00:aa:00:01"
    address    = "192.168.1.20"
    lease_time = "2h"

    # /etc/dnsmasq.conf.cfg01411c:26: dhcp-option=tag:kids,6,192.0.2.3
    option "dns_servers" {
      value = ["192.0.2.3"]
    }
  }
}

resolver {
  # /etc/dnsmasq.conf.cfg01411c:17: stop-dns-rebind
  rebind_protection = "private"
  # /etc/dnsmasq.conf.cfg01411c:19: rebind-domain-ok=/fritz.box/
  rebind_allow = ["fritz.box"]

  # /etc/dnsmasq.conf.cfg01411c:16: resolv-file=/var/resolv.conf.d/resolv.conf.auto
  upstream "default" {
    servers = ["192.0.2.53"]
  }
}
