network "lab" {
  address = "10.0.0.1/24"
}

metrics {
  listen = "10.0.0.1:53"
}
