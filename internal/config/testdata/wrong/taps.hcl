network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name = "br0"
  }
  uplink {
    interface = "eth0"
  }
  host "builder" {
    mac = "52:54:00:00:00:01"
  }
  host "phone" {
    client_id = "text:phone"
  }
  tap "tap-builder-and-more" {}
  tap "tap0" {
    owner = "no-such-user"
    group = "no such group"
  }
  tap "tap0" {}
  tap "br0" {}
  tap "eth0" {}
  tap "tap1" {
    host = "bilder"
  }
  tap "tap2" {
    host = "phone"
  }
  tap "tap3" {
    host = "builder"
  }
  tap "tap4" {
    mac = "52:54:00:00:00:01"
  }
  tap "tap5" {
    host = "builder"
    mac  = "52:54:00:00:00:02"
  }
  tap "tap-dmz1" {
    owner = 4294967295
  }
}

network "dmz" {
  address = "10.1.0.1/24"
  bridge {
    name   = "br1"
    attach = ["tap-dmz*"]
  }
}

tap "tap6" {
  network = "dnz"
}

tap "tap7" {
  ownr = "root"
}

network "lan" {
  mode = "bridged"
  bridge {
    name = "br2"
  }
  uplink {
    interface = "eth1"
  }
  tap "tap8" {
    host = "builder"
  }
  tap "eth1" {}
}
