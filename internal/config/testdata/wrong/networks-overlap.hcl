network "lab" {
  address = "10.0.0.1/16"
  bridge {
    name = "br-lab"
  }
}

network "other" {
  address = "10.0.5.1/24"
  bridge {
    name = "br-lab"
  }
  dns {
    domain = "lab.internal"
  }
}

network "third" {
  address = "10.9.0.1/24"
}

network "lab" {
  address = "10.8.0.1/24"
}
