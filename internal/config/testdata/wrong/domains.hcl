network "a" {
  address = "10.0.0.1/24"
  bridge {
    name = "br1"
  }
  dns {
    domain = "lab.local"
  }
}
network "b" {
  address = "10.0.1.1/24"
  bridge {
    name = "br2"
  }
  dns {
    domain = "dev"
  }
}
network "c" {
  address = "10.0.2.1/24"
  bridge {
    name = "br3"
  }
  dns {
    domain = ""
  }
}
network "d" {
  address = "10.0.3.1/24"
  bridge {
    name = "br4"
  }
  dns {
    domain = "my_lab.example.org"
  }
}
network "e" {
  address = "10.0.4.1/24"
  bridge {
    name = "br5"
  }
  dns {
    domain = "localhost"
  }
}
network "f" {
  address = "10.0.5.1/24"
  bridge {
    name = "br6"
  }
  dns {
    domain = "bücher.example.org"
  }
}
