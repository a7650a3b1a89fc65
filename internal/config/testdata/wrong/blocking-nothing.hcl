network "lab" {
  address = "10.0.0.1/24"
}

resolver {
  rebind_protection = "off"
  rebind_allow      = ["fritz.box"]

  block {
    files = []
    alow  = ["good.example.com"]
  }
}
