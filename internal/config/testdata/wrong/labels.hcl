network "my_lab" {
  address = "10.0.0.1/24"

  host "web.lab" {
    address = "10.0.0.2"
    aliases = ["-x", "a b", "", "7"]
  }
  host "gateway" {
    address = "10.0.0.3"
  }
  host "101" {
    hostname = "102"
    address  = "10.0.0.6"
  }
  host "localhost" {
    address = "10.0.0.4"
  }
  host "this-name-is-longer-than-the-sixty-three-bytes-that-a-label-may-have" {
    address = "10.0.0.5"
  }
}
