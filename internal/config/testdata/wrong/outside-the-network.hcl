network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    range {
      start = "10.0.0.200"
      end   = "10.0.1.20"
    }
    option "classless_routes" {
      value = ["10.9.0.0/16 via 10.0.5.1"]
    }
    option "routers" {
      value = "10.0.7.1"
    }
  }

  host "a" {
    address = "10.0.1.5"
  }
}
