network "lab" {
  address    = "10.0.0.1/24"
  allow_from = ["cli", "lab", "ci", "ci"]
  bridge {
    name = "br-lab"
  }
}

network "ci" {
  mode        = "isolated"
  address     = "10.0.1.1/24"
  host_access = "some"
  bridge {
    name           = "br-ci"
    isolate_guests = "maybe"
  }
  uplink {
    interface = "eth0"
  }
}
