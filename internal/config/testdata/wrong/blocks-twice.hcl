daemon {
}
daemon {
}
locals {
  a = 1
}
locals {
  a = 2
}

network "lab" {
  address = "10.0.0.1/24"
  dhcp {
  }
  dhcp {
    lease_time = "1h"
  }
}
