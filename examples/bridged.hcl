# Virtual machines on the LAN itself: the LAN's DHCP server gives them addresses. `labnet apply` moves what eth0 has to br0,
# and back after two minutes unless `labnet confirm` comes over a new connection.

network "lan" {
  mode = "bridged"

  uplink {
    interface = "eth0"
  }

  bridge {
    attach = ["tap-lan*"]
  }
}
