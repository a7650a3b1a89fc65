network "lab" {
  address = "10.0.0.1/24"

  host "a" {
    mac = "52:54:00:12:34"
  }
  host "b" {
    mac = "01:00:5e:00:00:01"
  }
  host "c" {
    mac = "00:00:00:00:00:00"
  }
  host "d" {
    mac       = "5254.0012.3456"
    client_id = "xyz"
  }
  host "e" {
    mac      = "52:54:00:12:34:57"
    hostname = "e"
  }
  host "f" {
  }
}
