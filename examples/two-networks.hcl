# Two networks on one host. They do not reach each other; each has its own bridge, domain and leases.

network "lab" {
  address = "10.0.0.1/24"

  bridge {
    name   = "br-lab"
    attach = ["tap-lab*"]
  }
}

network "guests" {
  address = "10.0.1.1/24"

  bridge {
    name   = "br-guests"
    attach = ["tap-guest*"]
  }

  dhcp {
    lease_time = "30m"
  }
}
