daemon {
}

network "lab" {
  address = "10.0.0.1/24"
  address = "10.0.0.2/24"
}
