daemon {
  log_level = "warning"
  state_dir = "state"
}

network "lab" {
  mode    = "switched"
  address = "10.0.0.1/24"

  bridge {
    mtu   = 500
    guard = "loose"
  }
  uplink {
    masquerade = "maybe"
  }
  dhcp {
    identity = "client-id"
    enabled  = [true]
  }
}
