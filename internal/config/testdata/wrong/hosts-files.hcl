network "lab" {
  address = "10.0.0.1/24"

  dns {
    hosts_files = ["hosts", "/nonexistent/hosts", "/nonexistent/hosts", "/"]
  }
}
