network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    lease_time = 3600
  }
  dns {
    record "a" {
      type  = "A"
      value = "192.0.2.1"
      ttl   = "infinite"
    }
  }
  host "a" {
    address    = "10.0.0.2"
    lease_time = "-5m"
  }
  host "b" {
    address    = "10.0.0.3"
    lease_time = "30s"
  }
  host "c" {
    address    = "10.0.0.4"
    lease_time = "2 hours"
  }
  host "d" {
    address    = "10.0.0.5"
    lease_time = "61.5s"
  }
  host "e" {
    address    = "10.0.0.6"
    lease_time = "9000w"
  }
}
