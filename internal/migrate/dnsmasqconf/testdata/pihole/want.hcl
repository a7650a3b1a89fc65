# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf, /etc/dnsmasq.d/01-pihole.conf, /etc/dnsmasq.d/02-pihole-dhcp.conf, /etc/dnsmasq.d/04-pihole-static-dhcp.conf. Each piece says where it comes from.

# /etc/dnsmasq.d/02-pihole-dhcp.conf:2: dhcp-range=192.168.7.50,192.168.7.150,24h
network "lab" {
  address = "192.168.7.1/24"

  # /etc/dnsmasq.d/01-pihole.conf:17: interface=enp3s0
  bridge {
    name   = "br-lab"
    attach = ["enp3s0"]
  }

  dhcp {
    lease_time = "1d"

    # /etc/dnsmasq.d/02-pihole-dhcp.conf:2: dhcp-range=192.168.7.50,192.168.7.150,24h
    range {
      start = "192.168.7.50"
      end   = "192.168.7.150"
    }

    # /etc/dnsmasq.d/02-pihole-dhcp.conf:3: dhcp-option=option:router,192.168.7.1
    option "routers" {
      value = ["192.168.7.1"]
    }

    # /etc/dnsmasq.d/02-pihole-dhcp.conf:10: dhcp-option=6,0.0.0.0
    option "dns_servers" {
      value = ["192.168.7.1"]
    }
  }

  # /etc/dnsmasq.d/02-pihole-dhcp.conf:5: domain=lan
  dns {
    domain = "lan"
    # /etc/dnsmasq.d/01-pihole.conf:13: log-queries
    query_log = true
    # /etc/dnsmasq.d/01-pihole.conf:2: addn-hosts=/etc/pihole/local.list
    # /etc/dnsmasq.d/01-pihole.conf:4: addn-hosts=/etc/pihole/custom.list
    hosts_files = ["/etc/pihole/local.list", "/etc/pihole/custom.list"]
  }

  # /etc/dnsmasq.d/04-pihole-static-dhcp.conf:1: dhcp-host=52:54:00:AA:00:01,192.168.7.10,desk
  host "desk" {
    mac     = "52:54:00:aa:00:01"
    address = "192.168.7.10"
  }

  # /etc/dnsmasq.d/04-pihole-static-dhcp.conf:2: dhcp-host=52:54:00:AA:00:02,192.168.7.11
  host "host-192-168-7-11" {
    mac     = "52:54:00:aa:00:02"
    address = "192.168.7.11"
  }
}

resolver {
  # /etc/dnsmasq.d/01-pihole.conf:16: server=127.0.0.1#5335
  upstream "default" {
    servers = ["127.0.0.1:5335"]
  }

  block {
    files  = ["/etc/pihole/gravity.list"]
    answer = "null"
  }
}
