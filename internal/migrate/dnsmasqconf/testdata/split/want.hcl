# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:7: dhcp-range=172.20.0.50,172.20.0.250,255.255.255.0,2h
network "lab" {
  address = "172.20.0.1/24"

  # /etc/dnsmasq.conf:2: interface=br0
  bridge {
    name = "br0"
  }

  dhcp {
    lease_time    = "2h"
    authoritative = false

    # /etc/dnsmasq.conf:7: dhcp-range=172.20.0.50,172.20.0.250,255.255.255.0,2h
    range {
      start = "172.20.0.50"
      end   = "172.20.0.250"
    }
  }

  # /etc/dnsmasq.conf:5: domain=dev.example.com
  dns {
    domain = "dev.example.com"
    # /etc/dnsmasq.conf:28: address=/wild.example.net/172.20.0.12
    hosts_files = ["/etc/labnet/labnet.hosts"]

    # /etc/dnsmasq.conf:16: address=/git.dev.example.com/172.20.0.10
    record "git" {
      type  = "A"
      value = "172.20.0.10"
    }

    # /etc/dnsmasq.conf:16: address=/git.dev.example.com/172.20.0.10
    record "*.git" {
      type  = "A"
      value = "172.20.0.10"
    }

    # /etc/dnsmasq.conf:17: address=/pages.dev.example.com/172.20.0.10
    record "pages" {
      type  = "A"
      value = "172.20.0.10"
    }

    # /etc/dnsmasq.conf:17: address=/pages.dev.example.com/172.20.0.10
    record "*.pages" {
      type  = "A"
      value = "172.20.0.10"
    }

    # /etc/dnsmasq.conf:18: host-record=registry.dev.example.com,reg.dev.example.com,172.20.0.11,2001:db8::11,300
    record "registry" {
      type  = "A"
      value = "172.20.0.11"
      ttl   = "300s"
    }

    # /etc/dnsmasq.conf:18: host-record=registry.dev.example.com,reg.dev.example.com,172.20.0.11,2001:db8::11,300
    record "registry" {
      type  = "AAAA"
      value = "2001:db8::11"
      ttl   = "300s"
    }

    # /etc/dnsmasq.conf:18: host-record=registry.dev.example.com,reg.dev.example.com,172.20.0.11,2001:db8::11,300
    record "reg" {
      type  = "A"
      value = "172.20.0.11"
      ttl   = "300s"
    }

    # /etc/dnsmasq.conf:18: host-record=registry.dev.example.com,reg.dev.example.com,172.20.0.11,2001:db8::11,300
    record "reg" {
      type  = "AAAA"
      value = "2001:db8::11"
      ttl   = "300s"
    }

    # /etc/dnsmasq.conf:18: host-record=registry.dev.example.com,reg.dev.example.com,172.20.0.11,2001:db8::11,300
    record "11.0.20.172.in-addr.arpa." {
      type  = "PTR"
      value = "registry.dev.example.com."
      ttl   = "300s"
    }

    # /etc/dnsmasq.conf:19: cname=www.dev.example.com,mirror.dev.example.com,git.dev.example.com
    record "www" {
      type  = "CNAME"
      value = "git.dev.example.com."
    }

    # /etc/dnsmasq.conf:19: cname=www.dev.example.com,mirror.dev.example.com,git.dev.example.com
    record "mirror" {
      type  = "CNAME"
      value = "git.dev.example.com."
    }

    # /etc/dnsmasq.conf:20: naptr-record=dev.example.com,100,10,U,E2U+sip,!^.*$!sip:info@example.com!
    record "@" {
      type  = "NAPTR"
      value = "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" ."
    }

    # /etc/dnsmasq.conf:21: caa-record=dev.example.com,0,issue,ca.example.org
    record "@" {
      type  = "CAA"
      value = "0 issue \"ca.example.org\""
    }

    # /etc/dnsmasq.conf:22: dns-rr=dev.example.com,99,05:68:65:6c:6c:6f
    record "@" {
      type  = "SPF"
      value = "\"hello\""
    }

    # /etc/dnsmasq.conf:23: txt-record=_acme.dev.example.com,one, two,three
    record "_acme" {
      type  = "TXT"
      value = "\"one, two\" \"three\""
    }

    # /etc/dnsmasq.conf:24: ptr-record=77.0.20.172.in-addr.arpa,old.dev.example.com
    record "77.0.20.172.in-addr.arpa." {
      type  = "PTR"
      value = "old.dev.example.com."
    }
  }
}

resolver {
  # /etc/dnsmasq.conf:25: stop-dns-rebind
  rebind_protection = "private"
  # /etc/dnsmasq.conf:26: rebind-domain-ok=/corp.example.com/hq.example.com/
  rebind_allow = ["corp.example.com", "hq.example.com"]

  # /etc/dnsmasq.conf:8: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }

  # /etc/dnsmasq.conf:9: server=/corp.example.com/hq.example.com/10.0.0.53
  # /etc/dnsmasq.conf:10: server=/corp.example.com/10.0.0.54
  upstream "corp-example-com" {
    domains = ["corp.example.com"]
    servers = ["10.0.0.53", "10.0.0.54"]
  }

  # /etc/dnsmasq.conf:9: server=/corp.example.com/hq.example.com/10.0.0.53
  # /etc/dnsmasq.conf:13: rev-server=10.0.0.0/8,10.0.0.53
  # /etc/dnsmasq.conf:14: rev-server=192.168.16.0/20,10.0.0.53
  upstream "hq-example-com" {
    domains = ["hq.example.com", "10.in-addr.arpa", "16.168.192.in-addr.arpa", "17.168.192.in-addr.arpa", "18.168.192.in-addr.arpa", "19.168.192.in-addr.arpa", "20.168.192.in-addr.arpa", "21.168.192.in-addr.arpa", "22.168.192.in-addr.arpa", "23.168.192.in-addr.arpa", "24.168.192.in-addr.arpa", "25.168.192.in-addr.arpa", "26.168.192.in-addr.arpa", "27.168.192.in-addr.arpa", "28.168.192.in-addr.arpa", "29.168.192.in-addr.arpa", "30.168.192.in-addr.arpa", "31.168.192.in-addr.arpa"]
    servers = ["10.0.0.53"]
  }

  # /etc/dnsmasq.conf:11: server=/open.corp.example.com/#
  upstream "open-corp-example-com" {
    domains = ["open.corp.example.com"]
    servers = ["192.0.2.53"]
  }

  # /etc/dnsmasq.conf:12: server=/_msdcs.corp.example.com/10.0.0.55#5353
  upstream "_msdcs-corp-example-com" {
    domains = ["_msdcs.corp.example.com"]
    servers = ["10.0.0.55:5353"]
  }

  # /etc/dnsmasq.conf:15: local=/internal.example.com/
  block {
    files = ["/etc/labnet/labnet.blocked"]
  }
}
