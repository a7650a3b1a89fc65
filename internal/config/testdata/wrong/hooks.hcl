network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name = "br0"
  }
}

network "static" {
  address = "10.0.1.1/24"
  bridge {
    name = "br1"
  }
  dhcp {
    enabled = false
  }
}

hook "events" {
  on      = ["lease.bond", "bound", "del", "lease.expired", "lease.expired", "dns.query"]
  command = "/usr/local/bin/on-lease"
}
hook "nothing" {
  on = []
}
hook "both" {
  command = ["/bin/true"]
  url     = "https://inventory.example/hook"
}
hook "relative" {
  command  = ["on-lease", "--add"]
  networks = ["lap", "static", "lab", "lab"]
}
hook "shell" {
  command = "/usr/local/bin/on-lease --add"
}
hook "empty" {
  command = []
  user    = "nobody"
}
hook "foreign" {
  command     = ["/usr/local/bin/on-lease"]
  user        = ""
  secret_file = "/etc/labnet/hook.secret"
  token_file  = "hook.token"
}
hook "user" {
  url     = "https://inventory.example/hook"
  user    = "nobody"
  timeout = "10m"
}
hook "password" {
  url     = "https://admin:hunter2@inventory.example/hook"
  timeout = "0s"
}
hook "scheme" {
  url = "inventory.example/hook"
}
hook "hostless" {
  url = "https:///hook#here"
}
hook "clear" {
  url        = "http://inventory.example/hook"
  token_file = "/etc/labnet/hook.token"
}
hook "misspelt" {
  comand = ["/usr/local/bin/on-lease"]
}
hook "" {
  command = ["/usr/local/bin/on-lease"]
}
hook "Clear" {
  command = ["/usr/local/bin/on-lease"]
}
