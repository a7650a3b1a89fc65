locals {
  lab   = "10.0.0.0/24"
  loop  = local.loop2
  loop2 = local.loop
  bad   = local.lob
}

network "lab" {
  mode    = routed
  address = "${cidrhost(locl.lab, 1)}/24"

  bridge {
    name = lab
  }
  dhcp {
    range {
      start = cidrhots(local.lab, 100)
      end   = cidrhost(local.labb, 199)
    }
    lease_time = env("LABNET_NO_SUCH_VARIABLE")
  }
  host "a" {
    address = cidrhost(local.lab, 300)
  }
}

host "b" {
  network = "lap"
  address = "10.0.0.5"
}
