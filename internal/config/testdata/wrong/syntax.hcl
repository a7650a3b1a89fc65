network "lab" {
  address = "10.0.0.1/24
  dhcp {
    lease_time = 
  }
}
