# Most blocks and arguments, many of them with their default; what you leave out is as good. docs/config.md has all of them.

locals {
  lab = "10.0.0.0/24"
}

daemon {
  state_dir  = "/var/lib/labnet"
  run_dir    = "/run/labnet"
  log_level  = "info"
  log_format = "auto"

  lease_history = "90d"
}

network "lab" {
  mode    = "routed"
  address = "${cidrhost(local.lab, 1)}/24"

  bridge {
    name   = "br0"
    mtu    = 1500
    attach = ["tap-lab*"]
    guard  = "subnet"
  }

  uplink {
    interface  = "auto"
    masquerade = true
  }

  dhcp {
    enabled         = true
    lease_time      = "12h"
    identity        = "auto"
    authoritative   = true
    conflict_probe  = true
    unknown_clients = "serve"
    rapid_commit    = false
    relays          = [cidrhost(local.lab, 5), "192.0.2.7"]
    next_server     = cidrhost(local.lab, 10)
    server_name     = "builder"

    range {
      start = cidrhost(local.lab, 100)
      end   = cidrhost(local.lab, 149)
    }
    range {
      start = cidrhost(local.lab, 200)
      end   = cidrhost(local.lab, 249)
    }

    option "ntp_servers" {
      value = [cidrhost(local.lab, 1)]
    }
    option "domain_search" {
      value = ["lab.internal", "corp.example.com"]
    }
    option "classless_routes" {
      value = ["10.1.0.0/16 via ${cidrhost(local.lab, 10)}"]
    }
    # An option that labnet has no name for.
    option "wpad" {
      code   = 252
      type   = "text"
      value  = "http://${cidrhost(local.lab, 10)}/wpad.dat"
      always = true
    }

    # Network boot: each ROM gets iPXE for its architecture, and iPXE its script.
    class "pxe-bios" {
      vendor_class = "PXEClient*"
      architecture = "x86-bios"
      boot_file    = "undionly.kpxe"
    }
    class "pxe-uefi" {
      vendor_class = "PXEClient*"
      architecture = ["x86-64-uefi", 11]
      boot_file    = "ipxe.efi"
    }
    class "ipxe" {
      user_class = "iPXE"
      boot_file  = "http://${cidrhost(local.lab, 10)}/boot.ipxe"
    }
    class "phones" {
      mac         = ["00:1b:54", "00:1e:f7"]
      lease_time  = "1h"
      next_server = cidrhost(local.lab, 12)
      server_name = "phones.example.org"

      option "tftp_servers" {
        value = [cidrhost(local.lab, 12)]
      }
    }
  }

  dns {
    enabled       = true
    domain        = "lab.internal"
    name_conflict = "first_wins"
    clients       = ["192.168.1.0/24"]

    record "registry" {
      type  = "CNAME"
      value = "builder"
      ttl   = "5m"
    }
    record "@" {
      type  = "MX"
      value = ["10 mail", "20 mail.example.org."]
    }
    record "_ldap._tcp" {
      type  = "SRV"
      value = "0 5 389 builder"
    }
    record "*.apps" {
      type  = "A"
      value = cidrhost(local.lab, 10)
    }
    record "about" {
      type  = "TXT"
      value = "text needs no quotes of its own; not even with \"these\""
    }
  }

  # Recognised by its MAC address.
  host "builder" {
    mac     = "52:54:00:12:34:56"
    address = cidrhost(local.lab, 10)
    aliases = ["ci", "runner"]

    boot_file   = "rescue.kpxe"
    next_server = cidrhost(local.lab, 12)
    server_name = "mail"

    option "host_name" {
      value = "builder"
    }
  }

  # Recognised by its client identifier; it gets any address of the ranges, for ever.
  host "phone" {
    client_id  = "text:phone-7"
    lease_time = "infinite"
  }

  # Recognised by the name that it sends.
  host "camera" {
    hostname = "ipcam"
    address  = cidrhost(local.lab, 11)
  }

  # Sets its address itself: here it only has a name, and nobody else gets the address.
  host "mail" {
    address = cidrhost(local.lab, 12)
  }

  # A TAP device for the builder's machine: who starts that needs no privilege.
  tap "tap-builder" {
    owner = "root"
    host  = "builder"
  }

  # One for whoever is of a group, with a MAC address said here.
  tap "tap-team" {
    group       = "root"
    mac         = "52:54:00:12:34:60"
    multi_queue = true
    vnet_hdr    = true
  }
}

# A host may also stand by itself, for instance in a file of its own in the configuration directory.
host "nas" {
  network = "lab"
  mac     = "52-54-00-12-34-57"
  address = cidrhost(local.lab, 13)
}

# So may a TAP device.
tap "tap-nas" {
  network = "lab"
  host    = "nas"
}

resolver {
  cache_size        = "64MiB"
  serve_stale       = "1h" # answers may be used so long after their time, if no upstream answers
  rebind_protection = "private"
  rebind_allow      = ["zen.spamhaus.org"]

  # Names that are not answered: hosts files, or a domain a line.
  block {
    files  = ["/etc/labnet/ads.hosts"]
    allow  = ["good.example.com"]
    answer = "null"
  }

  upstream "default" {
    servers = ["udp://192.0.2.53", "udp://198.51.100.53:5353"]
  }
  upstream "corp" {
    domains = ["corp.example.com", "10.in-addr.arpa"]
    servers = ["203.0.113.53"]
  }
}

# A program that is told what happens to leases.
hook "inventory" {
  on       = ["lease.bound", "lease.released", "lease.expired", "lease.conflict"]
  networks = ["lab"]
  command  = ["/usr/local/bin/on-lease", "--add"]
  user     = "nobody"
  timeout  = "10s"
}

# Or a URL.
hook "chat" {
  on          = ["lease.conflict", "lease.cleared"]
  url         = "https://chat.example.org/hooks/lab"
  secret_file = "/etc/labnet/chat.secret"
  token_file  = "/etc/labnet/chat.token"
}

# Who may change things over the control socket, beside root.
api {
  admins = ["netadmin"]
}

# Counters for Prometheus and answers for probes, for this host alone.
metrics {
  listen = "127.0.0.1:9167"
}
