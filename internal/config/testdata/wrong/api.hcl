network "lab" { address = "10.0.0.1/24" }
api {
  admins = ["no-such-group", "%wheel", "net admin", "", "nogroup", "007", "4294967295", "no-such-group"]
  admin  = ["x"]
}
api {}
