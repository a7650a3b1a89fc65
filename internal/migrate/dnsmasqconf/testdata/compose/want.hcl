# Written by `labnet import dnsmasq` from command line. Each piece says where it comes from.

# command line: dhcp-range=172.30.0.100,172.30.0.200,255.255.255.0,30m
network "lab" {
  address = "172.30.0.1/24"

  # command line: interface=br-svc
  bridge {
    name = "br-svc"
  }

  dhcp {
    lease_time    = "30m"
    authoritative = false

    # command line: dhcp-range=172.30.0.100,172.30.0.200,255.255.255.0,30m
    range {
      start = "172.30.0.100"
      end   = "172.30.0.200"
    }

    # command line: dhcp-option=option:dns-server,172.30.0.1
    option "dns_servers" {
      value = ["172.30.0.1"]
    }
  }

  # command line: domain=svc.test
  dns {
    domain = "svc.test"
    # command line: log-queries
    query_log = true

    # command line: address=/api.svc.test/172.30.0.10
    record "api" {
      type  = "A"
      value = "172.30.0.10"
      ttl   = "30s"
    }

    # command line: address=/api.svc.test/172.30.0.10
    record "*.api" {
      type  = "A"
      value = "172.30.0.10"
      ttl   = "30s"
    }

    # command line: host-record=db.svc.test,172.30.0.11
    record "db" {
      type  = "A"
      value = "172.30.0.11"
      ttl   = "30s"
    }

    # command line: host-record=db.svc.test,172.30.0.11
    record "11.0.30.172.in-addr.arpa." {
      type  = "PTR"
      value = "db.svc.test."
      ttl   = "30s"
    }
  }
}

resolver {
  # command line: cache-size=0
  cache_size = "64KiB"

  # command line: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }

  # command line: server=/consul/172.31.0.2#8600
  upstream "consul" {
    domains = ["consul"]
    servers = ["172.31.0.2:8600"]
  }
}
