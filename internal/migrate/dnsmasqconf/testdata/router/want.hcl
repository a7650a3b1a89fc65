# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:16: dhcp-range=192.168.1.100,192.168.1.199,255.255.255.0,12h
network "lab" {
  address = "192.168.1.1/24"

  # /etc/dnsmasq.conf:7: interface=br-lan
  bridge {
    name = "br-lan"
  }

  dhcp {
    lease_time = "12h"

    # /etc/dnsmasq.conf:16: dhcp-range=192.168.1.100,192.168.1.199,255.255.255.0,12h
    range {
      start = "192.168.1.100"
      end   = "192.168.1.199"
    }

    # /etc/dnsmasq.conf:17: dhcp-option=option:router,192.168.1.1
    option "routers" {
      value = ["192.168.1.1"]
    }

    # /etc/dnsmasq.conf:18: dhcp-option=option:ntp-server,0.0.0.0
    option "ntp_servers" {
      value = ["192.168.1.1"]
    }

    # /etc/dnsmasq.conf:19: dhcp-option=option:domain-search,home.example,example.org
    option "domain_search" {
      value = ["home.example", "example.org"]
    }
  }

  # /etc/dnsmasq.conf:11: domain=home.example
  dns {
    domain = "home.example"
    # /etc/dnsmasq.conf:36: log-queries
    query_log = true

    # /etc/dnsmasq.conf:29: host-record=router.home.example,192.168.1.1
    record "router" {
      type  = "A"
      value = "192.168.1.1"
    }

    # /etc/dnsmasq.conf:30: address=/media.home.example/192.168.1.10
    record "media" {
      type  = "A"
      value = "192.168.1.10"
    }

    # /etc/dnsmasq.conf:30: address=/media.home.example/192.168.1.10
    record "*.media" {
      type  = "A"
      value = "192.168.1.10"
    }

    # /etc/dnsmasq.conf:31: cname=files.home.example,nas.home.example
    record "files" {
      type  = "CNAME"
      value = "nas.home.example."
    }

    # /etc/dnsmasq.conf:32: mx-host=home.example,nas.home.example,10
    record "@" {
      type  = "MX"
      value = "10 nas.home.example."
    }

    # /etc/dnsmasq.conf:33: txt-record=home.example,v=spf1 a -all
    record "@" {
      type  = "TXT"
      value = "\"v=spf1 a -all\""
    }

    # /etc/dnsmasq.conf:34: srv-host=_ipp._tcp.home.example,printer.home.example,631
    record "_ipp._tcp" {
      type  = "SRV"
      value = "0 0 631 printer.home.example."
    }
  }

  # /etc/dnsmasq.conf:20: dhcp-host=52:54:00:aa:00:01,nas,192.168.1.10,infinite
  host "nas" {
    mac        = "52:54:00:aa:00:01"
    address    = "192.168.1.10"
    lease_time = "infinite"
  }

  # /etc/dnsmasq.conf:21: dhcp-host=52:54:00:aa:00:02,printer,192.168.1.11
  host "printer" {
    mac     = "52:54:00:aa:00:02"
    address = "192.168.1.11"
  }

  # /etc/dnsmasq.conf:22: dhcp-host=52:54:00:aa:00:03,192.168.1.12
  host "host-192-168-1-12" {
    mac     = "52:54:00:aa:00:03"
    address = "192.168.1.12"
  }

  # /etc/dnsmasq.conf:23: dhcp-host=52:54:00:aa:00:04,laptop,45m
  host "laptop" {
    mac        = "52:54:00:aa:00:04"
    lease_time = "45m"
  }

  # /etc/dnsmasq.conf:24: dhcp-host=id:01:02:03:04,tv,192.168.1.13
  host "tv" {
    client_id = "01:02:03:04"
    address   = "192.168.1.13"
  }

  # /etc/dnsmasq.conf:25: dhcp-host=id:kodi,kodi,192.168.1.14
  host "kodi" {
    client_id = "text:kodi"
    address   = "192.168.1.14"
  }
}

resolver {
  # /etc/dnsmasq.conf:5: server=192.0.2.53
  # /etc/dnsmasq.conf:6: server=198.51.100.53#5353
  upstream "default" {
    servers = ["192.0.2.53", "198.51.100.53:5353"]
  }
}
