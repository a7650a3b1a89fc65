network "a" {
  address = "10.0.0.1"
  bridge {
    name = "br1"
  }
}
network "b" {
  address = "2001:db8::1/64"
  bridge {
    name = "br2"
  }
}
network "c" {
  address = "10.0.2.1/255.255.255.0"
  bridge {
    name = "br3"
  }
}
network "d" {
  address = "10.0.3.1/31"
  bridge {
    name = "br4"
  }
}
network "e" {
  address = "10.0.4.1/33"
  bridge {
    name = "br5"
  }
}
network "f" {
  address = "10.0.05.1/24"
  bridge {
    name = "br6"
  }
}
network "g" {
  address = "127.0.0.1/24"
  bridge {
    name = "br7"
  }
}
network "h" {
  address = "8.8.8.1/24"
  bridge {
    name = "br8"
  }
}
