# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf, /etc/dnsmasq.d/ads.conf, /etc/dnsmasq.d/track.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:4: dhcp-range=192.168.3.10,192.168.3.250,6h
network "lab" {
  address = "192.168.3.1/24"

  # /etc/dnsmasq.conf:2: interface=br-lan
  bridge {
    name = "br-lan"
  }

  dhcp {
    lease_time    = "6h"
    authoritative = false

    # /etc/dnsmasq.conf:4: dhcp-range=192.168.3.10,192.168.3.250,6h
    range {
      start = "192.168.3.10"
      end   = "192.168.3.250"
    }
  }

  # /etc/dnsmasq.conf:3: domain=lan
  dns {
    domain = "lan"
  }
}

resolver {
  # /etc/dnsmasq.conf:5: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }

  # /etc/dnsmasq.conf:9: local=/test/invalid-corp.example/
  # /etc/dnsmasq.conf:10: address=/one-ad.example.com/
  block {
    files  = ["/etc/dnsmasq.d/ads.conf", "/etc/dnsmasq.d/track.conf", "/etc/labnet/labnet.blocked"]
    answer = "null"
  }
}
