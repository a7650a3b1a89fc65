network "lab" {
  address = "10.0.0.1/24"

  hosts "builder" {
    address = "10.0.0.10"
  }
  range {
    start = "10.0.0.2"
    end   = "10.0.0.3"
  }
  mode {
  }
}

networks "other" {
}

host {
  network = "lab"
}

daemon "main" {
}

network {
}
