network "lab" {
  address = "10.0.0.1/24"

  bridge {
    name           = "br-lab"
    isolate_guests = true
  }

  host "router" {
    mac     = "52:54:00:00:00:02"
    address = "10.0.0.2"
  }
  host "roaming" {
    mac = "52:54:00:00:00:03"
  }

  route "10.1.0.0/16" {
    via = "router"
  }
  route "10.1.2.0/24" {
    via = "10.0.0.2"
  }
  route "10.2.0.1/24" {
    via = "10.0.0.2"
  }
  route "10.3.0.0" {
    via = "10.0.0.2"
  }
  route "0.0.0.0/0" {
    via = "10.0.0.2"
  }
  route "10.4.0.0/16" {
    via = "10.0.0.1"
  }
  route "10.5.0.0/16" {
    via = "10.7.0.2"
  }
  route "10.6.0.0/16" {
    via = "ruter"
  }
  route "10.7.0.0/16" {
    via = "roaming"
  }
  route "10.8.0.0/16" {
    via = "10.0.0.9"
  }
  route "10.9.0.0/16" {
  }
}

route "10.0.0.0/25" {
  network = "lab"
  via     = "router"
}
route "10.10.0.0/16" {
  network = "lap"
  via     = "router"
}
route "10.11.0.0/16" {
  network = "lan"
  via     = "router"
}

network "lan" {
  mode = "bridged"

  bridge {
    name = "br-lan"
  }
  uplink {
    interface = "eth0"
  }
  route "10.12.0.0/16" {
    via = "10.0.0.2"
  }
}
