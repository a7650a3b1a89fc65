network "lab" {
  address = "10.0.0.1/24"

  host "builder" {
    address = "10.0.0.10"
  }

  dns {
    record "builder" {
      type  = "CNAME"
      value = "other"
    }
    record "@" {
      type  = "CNAME"
      value = "builder"
    }
    record "www" {
      type  = "CNAME"
      value = ["builder", "other"]
    }
    record "a" {
      type  = "A"
      value = ["10.0.0.300", "builder"]
    }
    record "m" {
      type  = "MX"
      value = "mail"
    }
    record "s" {
      type  = "SRV"
      value = "0 5 99999 builder"
    }
    record "t" {
      type  = "CNMAE"
      value = "x"
    }
    record "n" {
      type  = "NS"
      value = "x"
    }
    record "www.example.com." {
      type  = "A"
      value = "192.0.2.1"
    }
    record "loop1" {
      type  = "CNAME"
      value = "loop2"
    }
    record "loop2" {
      type  = "cname"
      value = "loop1"
    }
    record "out" {
      type  = "CNAME"
      value = "www.example.com"
    }
    record "twice" {
      type  = "TXT"
      value = "one"
    }
    record "twice" {
      type  = "TXT"
      value = "two"
    }
    record "x y" {
      type  = "A"
      value = "192.0.2.1"
    }
  }
}
