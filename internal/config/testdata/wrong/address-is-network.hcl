network "lab" {
  address = "10.0.0.0/24"
}

network "two" {
  address = "10.0.1.255/24"
  bridge {
    name = "br1"
  }
}
