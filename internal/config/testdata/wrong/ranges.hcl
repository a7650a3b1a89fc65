network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    range {
      start = "10.0.0.20"
      end   = "10.0.0.10"
    }
    range {
      start = "10.0.0.100"
      end   = "10.0.0.150"
    }
    range {
      start = "10.0.0.150"
      end   = "10.0.0.160"
    }
    range {
      start = "10.0.0.170"
    }
  }
}
