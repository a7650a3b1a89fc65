# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:4: dhcp-range=set:lab,10.244.5.10,10.244.5.99,255.255.255.0,3600
network "lab" {
  address = "10.244.5.1/24"

  # /etc/dnsmasq.conf:2: interface=cni-lab
  bridge {
    name = "cni-lab"
  }

  dhcp {
    lease_time    = "1h"
    authoritative = false
    # /etc/dnsmasq.conf:8: dhcp-ignore-clid
    identity = "mac"

    # /etc/dnsmasq.conf:4: dhcp-range=set:lab,10.244.5.10,10.244.5.99,255.255.255.0,3600
    range {
      start = "10.244.5.10"
      end   = "10.244.5.99"
    }

    # /etc/dnsmasq.conf:16: dhcp-option=tag:vm,option:mtu,1400
    class "02-00-00" {
      mac = "02:00:00"

      # /etc/dnsmasq.conf:16: dhcp-option=tag:vm,option:mtu,1400
      option "mtu" {
        value = 1400
      }
    }

    # /etc/dnsmasq.conf:18: dhcp-option=121,10.96.0.0/12,10.244.5.10
    option "classless_routes" {
      value = ["10.96.0.0/12 via 10.244.5.10"]
    }

    # /etc/dnsmasq.conf:27: dhcp-option=option:ntp-server,10.244.5.1
    option "ntp_servers" {
      value = ["10.244.5.1"]
    }
  }

  # /etc/dnsmasq.conf:5: domain=k3s.test
  dns {
    domain = "k3s.test"

    # /etc/dnsmasq.conf:9: address=/apps.k3s.test/10.244.5.240
    record "apps" {
      type  = "A"
      value = "10.244.5.240"
    }

    # /etc/dnsmasq.conf:9: address=/apps.k3s.test/10.244.5.240
    record "*.apps" {
      type  = "A"
      value = "10.244.5.240"
    }

    # /etc/dnsmasq.conf:10: address=/api.k3s.test/10.244.5.10
    record "api" {
      type  = "A"
      value = "10.244.5.10"
    }

    # /etc/dnsmasq.conf:10: address=/api.k3s.test/10.244.5.10
    record "*.api" {
      type  = "A"
      value = "10.244.5.10"
    }

    # /etc/dnsmasq.conf:11: srv-host=_etcd-server._tcp.k3s.test,node1.k3s.test,2380
    # /etc/dnsmasq.conf:12: srv-host=_etcd-server._tcp.k3s.test,node2.k3s.test,2380
    record "_etcd-server._tcp" {
      type  = "SRV"
      value = ["0 0 2380 node1.k3s.test.", "0 0 2380 node2.k3s.test."]
    }
  }

  # /etc/dnsmasq.conf:13: dhcp-host=02:00:00:aa:00:01,id:*,node1,10.244.5.10
  host "node1" {
    mac     = "02:00:00:aa:00:01"
    address = "10.244.5.10"
  }

  # /etc/dnsmasq.conf:14: dhcp-host=02:00:00:aa:00:02,node2,10.244.5.11
  host "node2" {
    mac     = "02:00:00:aa:00:02"
    address = "10.244.5.11"
  }
}

resolver {
  # /etc/dnsmasq.conf:20: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }

  # /etc/dnsmasq.conf:19: server=/cluster.local/10.96.0.10
  upstream "cluster-local" {
    domains = ["cluster.local"]
    servers = ["10.96.0.10"]
  }
}

# /etc/dnsmasq.conf:23: dhcp-script=/var/lib/inventory/hook
hook "dnsmasq" {
  command = ["/var/lib/inventory/hook"]
  # /etc/dnsmasq.conf:25: script-on-renewal
  on = ["lease.bound", "lease.changed", "lease.released", "lease.expired", "lease.renewed"]
  # /etc/dnsmasq.conf:24: dhcp-scriptuser=nobody
  user = "nobody"
}
