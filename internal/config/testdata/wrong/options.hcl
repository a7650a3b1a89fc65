network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    option "ntp_server" {
      value = "10.0.0.1"
    }
    option "classless-static-route" {
      value = "10.1.0.0/16 via 10.0.0.2"
    }
    option "lease_time" {
      value = 60
    }
    option "mine" {
      code  = 82
      type  = "hex"
      value = "0102"
    }
    option "half" {
      code  = 250
      value = "x"
    }
    option "frobnicate" {
      value = "x"
    }
    option "mtu" {
      value = 20
    }
    option "time_offset" {
      value = "east"
    }
    option "ntp_servers" {
      code  = 42
      value = "10.0.0.1"
    }
    option "dns_servers" {
      value = ["10.0.0.1", "dns.example.org"]
    }
    option "log_servers" {
      value = []
    }
    option "swap_server" {
      value = ["10.0.0.1", "10.0.0.2"]
    }
    option "static_routes" {
      value = ["10.1.0.0/16 10.0.0.2"]
    }
    option "host_name" {
      value = "everyone"
    }
    option "captive_portal" {
      value = "portal"
    }
    option "tftp_servers" {
      value = "10.0.0.5"
    }
    option "boot" {
      code  = 150
      type  = "ip"
      value = "10.0.0.5"
    }
    option "classless_routes" {
      value = ["10.1.0.5/16 via 10.0.0.2", "10.2.0.0/16 10.0.0.2"]
    }
  }
}
