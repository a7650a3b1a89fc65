# labnet: virtual machines on the LAN itself, by a bridge that this host's network card becomes a port of.
#
#   labnet check    finds mistakes in this file
#   labnet plan     shows what would change on this host
#   labnet run      serves, and leaves the network card alone at first
#   labnet apply    moves the card's addresses to the bridge; everything is as it was after two minutes, unless you
#   labnet confirm  it over a new connection: from then on it is so after each start
#   labnet down     gives the card back what it had

network "lan" {
  mode = "bridged"

  # "inherit": the bridge gets the addresses and routes that the uplink has. "dhcp": the LAN's DHCP server gives it one, which is
  # renewed. Or an address of the LAN in their place:
  # address = "192.168.1.5/24"
  # gateway = "192.168.1.1"
  address = "inherit"

  uplink {
    # The network card. Whoever configures it now must leave it alone; labnet apply says how.
    interface = "eth0"
  }

  bridge {
    name = "br0"

    # Links that are plugged into the bridge as soon as they appear, e.g. the TAP devices of QEMU.
    attach = ["tap-lan*"]
  }

  apply {
    # Time to open a new connection to this host, and to confirm.
    confirm_within = "120s"
  }
}
