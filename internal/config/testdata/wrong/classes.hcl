network "lab" {
  address = "10.0.0.1/24"

  dhcp {
    rapid_comit = true
    next_server = "boot.example.org"
    relays      = ["10.0.0.1", "10.0.0.255", "10.0.0.5", "10.0.0.5", "255.255.255.255", "relay1"]

    class "nobody" {
      boot_file = "pxelinux.0"
    }
    class "empty" {
      user_class = []
      boot_file  = "pxelinux.0"
    }
    class "starry" {
      vendor_class = ["PXE*Client", ""]
      boot_file    = "pxelinux.0"
    }
    class "machines" {
      architecture = ["x64-uefi", "ARM64_EFI", "x86-64-uefy", "mainframe", 70000, 7]
      boot_file    = "ipxe.efi"
    }
    class "cards" {
      mac       = ["52:54:0", "52:54:00:12:34:56:78", "52:*:00", "52:54:00:*:*:*", "5254.00"]
      boot_file = ""
    }
    class "misspelt" {
      vendor_clas = "PXEClient"
      bootfile    = "ipxe.efi"
      lease_time  = "5s"
      option "root_pth" {
        value = "/"
      }
      option "subnet_selection" {
        value = "10.0.0.0"
      }
    }
    class "Misspelt" {
      user_class = "iPXE"
    }
    class "useless" {
      user_class = "iPXE"
    }
    class "web" {
      architecture = "x86-64-uefi-http"
      boot_file    = "/ipxe.efi"
    }
    class "rom" {
      vendor_class = ["PXEClient", "HTTPClient*"]
      boot_file    = "http://10.0.0.5/ipxe.efi"
    }
    class {
      user_class = "iPXE"
    }
    klass "x" {
    }
  }

  host "builder" {
    mac         = "52:54:00:12:34:56"
    boot_fil    = "a"
    next_server = "10.0.0.5/24"
  }
}
