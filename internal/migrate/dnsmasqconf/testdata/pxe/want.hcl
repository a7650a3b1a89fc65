# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf. Each piece says where it comes from.

# /etc/dnsmasq.conf:4: dhcp-range=10.9.0.100,10.9.0.200,255.255.255.0,1h
network "lab" {
  address = "10.9.0.1/24"

  # /etc/dnsmasq.conf:3: interface=br-pxe
  bridge {
    name = "br-pxe"
  }

  dhcp {
    lease_time = "1h"
    # /etc/dnsmasq.conf:7: no-ping
    conflict_probe = false
    # /etc/dnsmasq.conf:6: dhcp-rapid-commit
    rapid_commit = true

    # /etc/dnsmasq.conf:4: dhcp-range=10.9.0.100,10.9.0.200,255.255.255.0,1h
    range {
      start = "10.9.0.100"
      end   = "10.9.0.200"
    }

    # /etc/dnsmasq.conf:16: dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe
    class "x86-bios" {
      architecture = "x86-bios"
      # /etc/dnsmasq.conf:16: dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe
      boot_file   = "undionly.kpxe"
      next_server = "10.9.0.1"
    }

    # /etc/dnsmasq.conf:17: dhcp-boot=tag:efi64,tag:!ipxe,ipxe.efi,boot,10.9.0.5
    class "x86-64-uefi" {
      architecture = "x86-64-uefi"
      # /etc/dnsmasq.conf:17: dhcp-boot=tag:efi64,tag:!ipxe,ipxe.efi,boot,10.9.0.5
      boot_file   = "ipxe.efi"
      next_server = "10.9.0.5"
      server_name = "boot"
    }

    # /etc/dnsmasq.conf:18: dhcp-boot=tag:arm64,tag:!ipxe,ipxe-arm64.efi
    class "arm64-uefi" {
      architecture = "arm64-uefi"
      # /etc/dnsmasq.conf:18: dhcp-boot=tag:arm64,tag:!ipxe,ipxe-arm64.efi
      boot_file   = "ipxe-arm64.efi"
      next_server = "10.9.0.1"
    }

    # /etc/dnsmasq.conf:20: dhcp-option=tag:http,option:bootfile-name,http://10.9.0.5/ipxe.efi
    # /etc/dnsmasq.conf:21: dhcp-option-force=tag:http,60,HTTPClient
    class "httpclient" {
      vendor_class = "HTTPClient*"
      # /etc/dnsmasq.conf:20: dhcp-option=tag:http,option:bootfile-name,http://10.9.0.5/ipxe.efi
      boot_file   = "http://10.9.0.5/ipxe.efi"
      next_server = "10.9.0.1"

      # /etc/dnsmasq.conf:21: dhcp-option-force=tag:http,60,HTTPClient
      option "vendor_class" {
        value  = "HTTPClient"
        always = true
      }
    }

    # /etc/dnsmasq.conf:19: dhcp-boot=tag:ipxe,http://10.9.0.5/boot.ipxe
    # /etc/dnsmasq.conf:23: dhcp-option=tag:ipxe,encap:175,176,1b
    # /etc/dnsmasq.conf:24: dhcp-option=tag:ipxe,encap:175,177,text
    class "ipxe" {
      user_class = "iPXE"
      # /etc/dnsmasq.conf:19: dhcp-boot=tag:ipxe,http://10.9.0.5/boot.ipxe
      boot_file   = "http://10.9.0.5/boot.ipxe"
      next_server = "10.9.0.1"

      # /etc/dnsmasq.conf:24: dhcp-option=tag:ipxe,encap:175,177,text
      option "option_175" {
        code  = 175
        type  = "hex"
        value = "b1:04:74:65:78:74:b0:01:01:ff"
      }
    }

    # /etc/dnsmasq.conf:25: dhcp-option=vendor:PXEClient,6,2b
    class "pxeclient" {
      vendor_class = "PXEClient*"

      # /etc/dnsmasq.conf:25: dhcp-option=vendor:PXEClient,6,2b
      option "vendor_specific" {
        value = "06:01:02:ff"
      }
    }

    # /etc/dnsmasq.conf:26: dhcp-option=option:root-path,/srv/nfs,root
    option "root_path" {
      value = "/srv/nfs,root"
    }

    # /etc/dnsmasq.conf:27: dhcp-option-force=209,configs/common
    option "pxelinux_config_file" {
      value  = "configs/common"
      always = true
    }

    # /etc/dnsmasq.conf:28: dhcp-option-force=211,30i
    option "pxelinux_reboot_time" {
      value  = "30s"
      always = true
    }

    # /etc/dnsmasq.conf:29: dhcp-option=150,10.9.0.5
    option "tftp_servers" {
      value = ["10.9.0.5"]
    }
  }

  dns {
    # /etc/dnsmasq.conf:2: port=0
    enabled = false
    domain  = "lab.internal"
  }

  # /etc/dnsmasq.conf:30: dhcp-host=52:54:00:aa:00:09,set:rescue,worker,10.9.0.10
  host "worker" {
    mac     = "52:54:00:aa:00:09"
    address = "10.9.0.10"
    # /etc/dnsmasq.conf:31: dhcp-boot=tag:rescue,rescue.0,,10.9.0.6
    boot_file   = "rescue.0"
    next_server = "10.9.0.6"
  }
}
