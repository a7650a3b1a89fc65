network "lab" {
  address = "10.0.0.1/24"
}

resolver {
  rebind_protection = "on"
  rebind_allow      = ["fritz..box", ".lan"]

  block {
    files  = ["ads.hosts", "/nonexistent/ads.hosts", "/nonexistent/ads.hosts", "/"]
    allow  = "good_example.com/"
    answer = "0.0.0.0"
  }
}
