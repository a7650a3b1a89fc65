network "lab" {
  address = "10.0.0.1/24"

  bridge {
    name = "br0"
  }
  host "builder" {
    mac = "52:54:00:12:34:56"
  }
  publish "unknown" {
    listen = 2201
    host   = "bilder"
  }
  publish "nobody" {
    listen = 2202
    host   = "web"
  }
  publish "outside" {
    listen = 2203
    host   = "10.0.1.10"
  }
  publish "gateway" {
    listen = 2204
    host   = "10.0.0.1"
  }
  publish "broadcast" {
    listen = 2205
    host   = "10.0.0.255"
  }
  publish "version-6" {
    listen = 2206
    host   = "2001:db8::1"
  }
  publish "zero" {
    listen = 0
    host   = "builder"
  }
  publish "large" {
    listen = "65530-65536"
    host   = "builder"
  }
  publish "reversed" {
    listen = "8010-8000"
    host   = "builder"
  }
  publish "unequal" {
    listen = "8000-8010"
    host   = "builder"
    port   = "80-81"
  }
  publish "ssh" {
    listen = "2222-2230"
    host   = "builder"
    port   = "22-30"
  }
  publish "again" {
    protocol = "both"
    listen   = 2225
    address  = "192.0.2.2"
    host     = "builder"
  }
  publish "loopback" {
    listen  = 2207
    address = "127.0.0.1"
    host    = "builder"
  }
  publish "any" {
    listen  = 2208
    address = "0.0.0.0"
    host    = "builder"
  }
  publish "guest" {
    listen  = 2209
    address = "10.0.0.7"
    host    = "builder"
  }
  publish "names" {
    protocol = "udp"
    listen   = 53
    host     = "builder"
  }
  publish "leases" {
    protocol = "udp"
    listen   = "60-70"
    address  = "10.0.0.1"
    host     = "builder"
  }
  publish "ssh" {
    listen = 2210
    host   = "builder"
  }
  publish "nothing" {
  }
}

network "quiet" {
  address = "10.0.2.1/24"

  bridge {
    name  = "br1"
    guard = "strict"
  }
  dhcp {
    enabled = false
  }
  host "nameless" {
    mac = "52:54:00:12:34:57"
  }
  host "anyone" {
    address = "10.0.2.9"
  }
  publish "never" {
    listen = 2211
    host   = "nameless"
  }
}

publish "elsewhere" {
  network = "quite"
  listen  = 2212
  host    = "10.0.2.9"
}

publish "twice" {
  network = "quiet"
  listen  = 2222
  host    = "10.0.2.9"
}
