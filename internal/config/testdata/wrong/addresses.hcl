network "lab" {
  address   = "10.0.0.1/24"
  addresses = ["10.0.0.129/25", "10.5.0.1/24", "10.5.0.2/25", "10.6.0.0/24", "10.7.0.1", "203.0.113.1/24", "fd00::1/64"]

  bridge {
    name = "br-lab"
  }

  dhcp {
    range {
      start = "10.5.0.10"
      end   = "10.5.0.20"
    }
  }

  host "gateway2" {
    address = "10.5.0.1"
  }
  host "outside" {
    address = "10.9.0.1"
  }
  host "leased" {
    hostname = "leased"
    address  = "10.5.0.9"
  }
  publish "ssh" {
    listen = 2222
    host   = "10.5.0.255"
  }
}

network "ci" {
  address   = "10.1.0.1/24"
  addresses = ["10.5.0.65/26", "10.0.128.1/16"]

  bridge {
    name = "br-ci"
  }
}

network "lan" {
  mode      = "bridged"
  addresses = ["192.168.7.1/24"]

  bridge {
    name = "br-lan"
  }
  uplink {
    interface = "eth0"
  }
}

resolver {
  upstream "self" {
    servers = ["10.5.0.1"]
  }
}
