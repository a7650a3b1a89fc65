network "lab" {
  address = "10.0.0.1/24"

  bridge {
    name = "br-lab"
  }

  dns {
    query_log      = false
    query_log_file = "/var/log/labnet/queries.log"
    query_log_size = "1KiB"
  }
}

network "ci" {
  address = "10.1.0.1/24"

  bridge {
    name = "br-ci"
  }

  dns {
    query_log_file = "/var/log/labnet/queries.log"
    query_log_keep = -1
  }
}

network "dev" {
  address = "10.2.0.1/24"

  bridge {
    name = "br-dev"
  }

  dns {
    query_log_keep = 3
  }
}
