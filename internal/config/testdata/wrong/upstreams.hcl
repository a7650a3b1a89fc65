network "lab" {
  address = "10.0.0.1/24"
}

resolver {
  cache_size  = "64"
  serve_stale = "8d"

  upstream "default" {
    servers = ["udp://10.0.0.1", "192.0.2.53", "udp://192.0.2.53:53"]
  }
  upstream "second" {
    servers = ["tls://192.0.2.1", "dns.example.org", "192.0.2.1:99999", "192.0.2.1#5353"]
  }
  upstream "corp" {
    domains = ["corp.example.com"]
    servers = ["203.0.113.53"]
  }
  upstream "corp2" {
    domains = ["other.example.com", "Corp.example.com."]
    servers = []
  }
  upstream "inside" {
    domains = ["sub.lab.internal", ".example.net"]
    servers = ["[2001:db8::53]:5353"]
  }
}
