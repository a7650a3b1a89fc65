network "lab" {
  adress     = "10.0.0.1/24"
  lease_time = "1h"
  dhcp       = { lease_time = "1h" }

  bridge {
    Name = "br1"
    colour = "red"
  }
}

lab = "10.0.0.0/24"
