# One routed network for the virtual machines of this host. `make run` starts it.

locals {
  lab = "10.0.0.0/24"
}

network "lab" {
  # The host's address on the bridge: the guests' gateway and resolver.
  address = "${cidrhost(local.lab, 1)}/24"

  bridge {
    name = "br0"

    # QEMU's TAP devices of this lab become ports as soon as they appear.
    attach = ["tap-lab*"]
  }

  dhcp {
    # The addresses below .100 are left for hosts with an address of their own.
    range {
      start = cidrhost(local.lab, 100)
      end   = cidrhost(local.lab, 199)
    }
  }

  # A guest that always gets the same address; ci.lab.internal is builder.lab.internal.
  host "builder" {
    mac     = "52:54:00:12:34:56"
    address = cidrhost(local.lab, 10)
    aliases = ["ci"]
  }
}
