network "lan" {
  mode       = "bridged"
  address    = "192.168.1.5/24"
  gateway    = "192.168.2.1"

  bridge {
    mtu   = 9000
    guard = "off"
  }
  uplink {
    masquerade = true
  }
  dhcp {
    range {
      start = "192.168.1.100"
      end   = "192.168.1.199"
    }
  }
  dns {
    domain = "lan.example.org"
  }
  host "builder" {
    mac = "52:54:00:12:34:56"
  }
  apply {
    confirm_within = "1s"
  }
}

host "nas" {
  network = "lan"
  address = "192.168.1.7"
}

network "second" {
  mode    = "bridged"
  address = "dhcp"
  bridge {
    name = "br1"
  }
  uplink {
    interface = "eth1"
  }
}

network "lab" {
  address = "inherit"
  gateway = "10.0.0.254"
  bridge {
    name = "br2"
  }
  apply {
    confirm_within = "60s"
  }
}

network "ci" {
  bridge {
    name = "br3"
  }
}
