network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    range {
      start = "10.0.0.0"
      end   = "10.0.0.99"
    }
    range {
      start = "10.0.0.200"
      end   = "10.0.0.255"
    }
  }

  host "a" {
    address = "10.0.0.1"
  }
  host "b" {
    address = "10.0.0.0"
  }
  host "c" {
    address = "10.0.0.255"
  }
}
