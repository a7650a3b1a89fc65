# The smallest file that does everything: a bridge br0, NAT through whatever the default route is, leases of 12 hours
# from 10.0.0.2 to 10.0.0.254, and names in lab.internal.

network "lab" {
  address = "10.0.0.1/24"
}
