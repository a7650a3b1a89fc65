network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "bridge-of-the-lab"
    attach = ["tap[", "tap/1", "tap0", "tap0", "*", "averylonginterfacename", ""]
  }
  uplink {
    interface = "eth 0"
  }
}

network "two" {
  address = "10.0.1.1/24"
  bridge {
    name   = "all"
    attach = ["tap0"]
  }
  uplink {
    interface = "br3"
  }
}

network "three" {
  address = "10.0.2.1/24"
  bridge {
    name   = "br3"
    attach = ["br?"]
  }
}
