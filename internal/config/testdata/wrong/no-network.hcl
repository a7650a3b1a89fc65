# nothing here yet
locals {
  lab = "10.0.0.0/24"
}
