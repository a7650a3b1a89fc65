# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:11: dhcp-range=set:mgmt,10.1.0.100,10.1.0.199,255.255.255.0,1d
network "mgmt" {
  address = "10.1.0.1/24"

  # /etc/dnsmasq.conf:7: interface=br-mgmt
  bridge {
    name = "br-mgmt"
  }

  dhcp {
    lease_time = "1d"

    # /etc/dnsmasq.conf:11: dhcp-range=set:mgmt,10.1.0.100,10.1.0.199,255.255.255.0,1d
    range {
      start = "10.1.0.100"
      end   = "10.1.0.199"
    }

    # /etc/dnsmasq.conf:16: dhcp-option=tag:mgmt,option:dns-server,10.1.0.1,192.0.2.53
    option "dns_servers" {
      value = ["10.1.0.1", "192.0.2.53"]
    }

    # /etc/dnsmasq.conf:19: dhcp-option=tag:!voice,option:ntp-server,192.0.2.123
    option "ntp_servers" {
      value = ["192.0.2.123"]
    }
  }

  # /etc/dnsmasq.conf:4: domain=mgmt.example.net,10.1.0.0/24
  dns {
    domain      = "mgmt.example.net"
    hosts_files = ["/etc/hosts"]

    # /etc/dnsmasq.conf:24: host-record=sw1.mgmt.example.net,10.1.0.10
    record "sw1" {
      type  = "A"
      value = "10.1.0.10"
    }
  }

  # /etc/dnsmasq.conf:22: dhcp-host=52:54:00:aa:00:01,sw1,10.1.0.10
  host "sw1" {
    mac     = "52:54:00:aa:00:01"
    address = "10.1.0.10"
  }
}

# /etc/dnsmasq.conf:12: dhcp-range=set:users,10.2.0.50,10.2.0.99,255.255.255.0,8h
# /etc/dnsmasq.conf:13: dhcp-range=set:users,10.2.0.150,10.2.0.199,255.255.255.0,8h
network "users" {
  address = "10.2.0.1/24"

  # /etc/dnsmasq.conf:8: interface=br-users
  bridge {
    name = "br-users"
  }

  dhcp {
    lease_time = "8h"

    # /etc/dnsmasq.conf:12: dhcp-range=set:users,10.2.0.50,10.2.0.99,255.255.255.0,8h
    range {
      start = "10.2.0.50"
      end   = "10.2.0.99"
    }

    # /etc/dnsmasq.conf:13: dhcp-range=set:users,10.2.0.150,10.2.0.199,255.255.255.0,8h
    range {
      start = "10.2.0.150"
      end   = "10.2.0.199"
    }

    # /etc/dnsmasq.conf:19: dhcp-option=tag:!voice,option:ntp-server,192.0.2.123
    option "ntp_servers" {
      value = ["192.0.2.123"]
    }
  }

  # /etc/dnsmasq.conf:5: domain=users.example.net,10.2.0.0/24
  dns {
    domain = "users.example.net"
  }

  # /etc/dnsmasq.conf:23: dhcp-host=52:54:00:aa:00:02,desk,10.2.0.10
  host "desk" {
    mac     = "52:54:00:aa:00:02"
    address = "10.2.0.10"
  }
}

# /etc/dnsmasq.conf:14: dhcp-range=set:voice,10.3.0.10,10.3.0.250,255.255.255.0,30m
network "voice" {
  address = "10.3.0.1/24"

  # /etc/dnsmasq.conf:9: interface=br-voice
  bridge {
    name = "br-voice"
  }

  dhcp {
    lease_time = "30m"

    # /etc/dnsmasq.conf:14: dhcp-range=set:voice,10.3.0.10,10.3.0.250,255.255.255.0,30m
    range {
      start = "10.3.0.10"
      end   = "10.3.0.250"
    }

    # /etc/dnsmasq.conf:21: dhcp-option=tag:phone,tag:voice,66,http://10.3.0.5/snom
    class "snom" {
      vendor_class = "snom*"
      next_server  = "10.3.0.1"
      server_name  = "http://10.3.0.5/snom"
    }
    server_name = "10.3.0.5"

    # /etc/dnsmasq.conf:17: dhcp-option=tag:voice,option:tftp-server-address,10.3.0.5
    option "tftp_servers" {
      value = ["10.3.0.5"]
    }
  }

  # /etc/dnsmasq.conf:6: domain=example.net
  dns {
    domain = "example.net"
  }
}

resolver {
  # /etc/dnsmasq.conf:3: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }
}
