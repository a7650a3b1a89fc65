network "lab" {
  address = "10.0.0.1/24"
  bridge {
    mtu = 65536
  }
}

network "two" {
  address = "10.0.1.1/24"
  bridge {
    name = "br1"
    mtu  = 1500.5
  }
}

network "three" {
  address = "10.0.2.1/24"
  bridge {
    name = "br2"
    mtu  = "jumbo"
  }
}
