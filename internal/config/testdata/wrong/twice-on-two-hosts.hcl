network "lab" {
  address = "10.0.0.1/24"

  host "builder" {
    mac     = "52:54:00:12:34:56"
    address = "10.0.0.10"
    aliases = ["ci"]
  }
  host "Builder" {
    mac     = "52-54-00-12-34-56"
    address = "10.0.0.10"
  }
  host "c" {
    client_id = "01:02:03"
    aliases   = ["x", "CI"]
  }
  host "d" {
    client_id = "010203"
  }
  host "e" {
    hostname = "e"
  }
  host "f" {
    hostname = "E"
  }
}
