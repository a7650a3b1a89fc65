# labnet: a network for virtual machines behind this host.
#
#   labnet check   finds mistakes in this file
#   labnet plan    shows what would change on this host
#   labnet run     brings the network up and serves it
#   labnet down    takes everything away again
#
# Everything but the address has a default: what is commented out shows either the default or an example.

network "lab" {
  # This host's address on the bridge, which is the guests' gateway and resolver, and how large the network is.
  address = "10.0.0.1/24"

  bridge {
    name = "br0"

    # Links that are plugged into the bridge as soon as they appear, e.g. the TAP devices of QEMU.
    attach = ["tap-lab*"]
  }

  uplink {
    # "auto" follows the default route.
    interface = "auto"

    # Guests leave with this host's address. Without, the LAN's router needs a route to the network.
    masquerade = true
  }

  dhcp {
    lease_time = "12h"

    # Without a range, every address but this host's own is leased.
    # range {
    #   start = "10.0.0.100"
    #   end   = "10.0.0.199"
    # }

    # option "ntp_servers" {
    #   value = ["10.0.0.1"]
    # }
  }

  dns {
    # A guest that calls itself web is web.lab.internal.
    domain = "lab.internal"

    # record "registry" {
    #   type  = "CNAME"
    #   value = "builder"
    # }
  }

  # A guest with an address and a name of its own.
  # host "builder" {
  #   mac     = "52:54:00:12:34:56"
  #   address = "10.0.0.10"
  # }
}

# Names outside are asked of this host's own resolvers, unless there is an upstream:
# resolver {
#   upstream "default" {
#     servers = ["udp://192.0.2.53"]
#   }
# }
