# Written by `labnet import dnsmasq` from /etc/dnsmasq.conf, /etc/dnsmasq.hosts.d/runners. Each piece says where it comes from.

# /etc/dnsmasq.conf:5: dhcp-range=10.20.0.0,static,255.255.252.0,4h
network "lab" {
  address = "10.20.0.1/22"

  # /etc/dnsmasq.conf:2: interface=br-ci
  bridge {
    name = "br-ci"
  }

  dhcp {
    lease_time = "4h"
    # /etc/dnsmasq.conf:6: dhcp-ignore=tag:!known
    unknown_clients = "deny"

    # /etc/dnsmasq.conf:9: dhcp-option=option:ntp-server,10.20.0.2
    option "ntp_servers" {
      value = ["10.20.0.2"]
    }

    # /etc/dnsmasq.conf:10: dhcp-option=option:classless-static-route,10.30.0.0/16,10.20.0.2,0.0.0.0/0,10.20.0.1
    option "classless_routes" {
      value = ["10.30.0.0/16 via 10.20.0.2", "0.0.0.0/0 via 10.20.0.1"]
    }

    # /etc/dnsmasq.conf:11: dhcp-option=252,http://10.20.0.2/wpad.dat
    option "option_252" {
      code  = 252
      type  = "text"
      value = "http://10.20.0.2/wpad.dat"
    }

    # /etc/dnsmasq.conf:12: dhcp-option=224,text of our own
    option "option_224" {
      code  = 224
      type  = "text"
      value = "text of our own"
    }

    # /etc/dnsmasq.conf:13: dhcp-option=225,01:02:03
    option "option_225" {
      code  = 225
      type  = "hex"
      value = "01:02:03"
    }

    # /etc/dnsmasq.conf:14: dhcp-option=226,10.20.0.2,10.20.0.3
    option "option_226" {
      code  = 226
      type  = "ip_list"
      value = ["10.20.0.2", "10.20.0.3"]
    }

    # /etc/dnsmasq.conf:15: dhcp-option=227,300
    option "option_227" {
      code  = 227
      type  = "hex"
      value = "01:2c"
    }

    # /etc/dnsmasq.conf:16: dhcp-option=option:mtu,1450
    option "mtu" {
      value = 1450
    }
  }

  # /etc/dnsmasq.conf:3: domain=ci.example.net
  dns {
    domain = "ci.example.net"
  }

  # /etc/dnsmasq.hosts.d/runners:1: dhcp-host=52:54:00:c1:00:00,runner001,10.20.1.1
  host "runner001" {
    mac     = "52:54:00:c1:00:00"
    address = "10.20.1.1"
  }

  # /etc/dnsmasq.hosts.d/runners:2: dhcp-host=52:54:00:c1:00:01,runner002,10.20.1.2
  host "runner002" {
    mac     = "52:54:00:c1:00:01"
    address = "10.20.1.2"
  }

  # /etc/dnsmasq.hosts.d/runners:3: dhcp-host=52:54:00:c1:00:02,runner003,10.20.1.3
  host "runner003" {
    mac     = "52:54:00:c1:00:02"
    address = "10.20.1.3"
  }

  # /etc/dnsmasq.hosts.d/runners:4: dhcp-host=52:54:00:c1:00:03,runner004,10.20.1.4
  host "runner004" {
    mac     = "52:54:00:c1:00:03"
    address = "10.20.1.4"
  }

  # /etc/dnsmasq.hosts.d/runners:5: dhcp-host=52:54:00:c1:00:04,runner005,10.20.1.5
  host "runner005" {
    mac     = "52:54:00:c1:00:04"
    address = "10.20.1.5"
  }

  # /etc/dnsmasq.hosts.d/runners:6: dhcp-host=52:54:00:c1:00:05,runner006,10.20.1.6
  host "runner006" {
    mac     = "52:54:00:c1:00:05"
    address = "10.20.1.6"
  }

  # /etc/dnsmasq.hosts.d/runners:7: dhcp-host=52:54:00:c1:00:06,runner007,10.20.1.7
  host "runner007" {
    mac     = "52:54:00:c1:00:06"
    address = "10.20.1.7"
  }

  # /etc/dnsmasq.hosts.d/runners:8: dhcp-host=52:54:00:c1:00:07,runner008,10.20.1.8
  host "runner008" {
    mac     = "52:54:00:c1:00:07"
    address = "10.20.1.8"
  }

  # /etc/dnsmasq.hosts.d/runners:9: dhcp-host=52:54:00:c1:00:08,runner009,10.20.1.9
  host "runner009" {
    mac     = "52:54:00:c1:00:08"
    address = "10.20.1.9"
  }

  # /etc/dnsmasq.hosts.d/runners:10: dhcp-host=52:54:00:c1:00:09,runner010,10.20.1.10
  host "runner010" {
    mac     = "52:54:00:c1:00:09"
    address = "10.20.1.10"
  }

  # /etc/dnsmasq.hosts.d/runners:11: dhcp-host=52:54:00:c1:00:0a,runner011,10.20.1.11
  host "runner011" {
    mac     = "52:54:00:c1:00:0a"
    address = "10.20.1.11"
  }

  # /etc/dnsmasq.hosts.d/runners:12: dhcp-host=52:54:00:c1:00:0b,runner012,10.20.1.12
  host "runner012" {
    mac     = "52:54:00:c1:00:0b"
    address = "10.20.1.12"
  }

  # /etc/dnsmasq.hosts.d/runners:13: dhcp-host=52:54:00:c1:00:0c,runner013,10.20.1.13
  host "runner013" {
    mac     = "52:54:00:c1:00:0c"
    address = "10.20.1.13"
  }

  # /etc/dnsmasq.hosts.d/runners:14: dhcp-host=52:54:00:c1:00:0d,runner014,10.20.1.14
  host "runner014" {
    mac     = "52:54:00:c1:00:0d"
    address = "10.20.1.14"
  }

  # /etc/dnsmasq.hosts.d/runners:15: dhcp-host=52:54:00:c1:00:0e,runner015,10.20.1.15
  host "runner015" {
    mac     = "52:54:00:c1:00:0e"
    address = "10.20.1.15"
  }

  # /etc/dnsmasq.hosts.d/runners:16: dhcp-host=52:54:00:c1:00:0f,runner016,10.20.1.16
  host "runner016" {
    mac     = "52:54:00:c1:00:0f"
    address = "10.20.1.16"
  }

  # /etc/dnsmasq.hosts.d/runners:17: dhcp-host=52:54:00:c1:00:10,runner017,10.20.1.17
  host "runner017" {
    mac     = "52:54:00:c1:00:10"
    address = "10.20.1.17"
  }

  # /etc/dnsmasq.hosts.d/runners:18: dhcp-host=52:54:00:c1:00:11,runner018,10.20.1.18
  host "runner018" {
    mac     = "52:54:00:c1:00:11"
    address = "10.20.1.18"
  }

  # /etc/dnsmasq.hosts.d/runners:19: dhcp-host=52:54:00:c1:00:12,runner019,10.20.1.19
  host "runner019" {
    mac     = "52:54:00:c1:00:12"
    address = "10.20.1.19"
  }

  # /etc/dnsmasq.hosts.d/runners:20: dhcp-host=52:54:00:c1:00:13,runner020,10.20.1.20
  host "runner020" {
    mac     = "52:54:00:c1:00:13"
    address = "10.20.1.20"
  }

  # /etc/dnsmasq.hosts.d/runners:21: dhcp-host=52:54:00:c1:00:14,runner021,10.20.1.21
  host "runner021" {
    mac     = "52:54:00:c1:00:14"
    address = "10.20.1.21"
  }

  # /etc/dnsmasq.hosts.d/runners:22: dhcp-host=52:54:00:c1:00:15,runner022,10.20.1.22
  host "runner022" {
    mac     = "52:54:00:c1:00:15"
    address = "10.20.1.22"
  }

  # /etc/dnsmasq.hosts.d/runners:23: dhcp-host=52:54:00:c1:00:16,runner023,10.20.1.23
  host "runner023" {
    mac     = "52:54:00:c1:00:16"
    address = "10.20.1.23"
  }

  # /etc/dnsmasq.hosts.d/runners:24: dhcp-host=52:54:00:c1:00:17,runner024,10.20.1.24
  host "runner024" {
    mac     = "52:54:00:c1:00:17"
    address = "10.20.1.24"
  }

  # /etc/dnsmasq.hosts.d/runners:25: dhcp-host=52:54:00:c1:00:18,runner025,10.20.1.25
  host "runner025" {
    mac     = "52:54:00:c1:00:18"
    address = "10.20.1.25"
  }

  # /etc/dnsmasq.hosts.d/runners:26: dhcp-host=52:54:00:c1:00:19,runner026,10.20.1.26
  host "runner026" {
    mac     = "52:54:00:c1:00:19"
    address = "10.20.1.26"
  }

  # /etc/dnsmasq.hosts.d/runners:27: dhcp-host=52:54:00:c1:00:1a,runner027,10.20.1.27
  host "runner027" {
    mac     = "52:54:00:c1:00:1a"
    address = "10.20.1.27"
  }

  # /etc/dnsmasq.hosts.d/runners:28: dhcp-host=52:54:00:c1:00:1b,runner028,10.20.1.28
  host "runner028" {
    mac     = "52:54:00:c1:00:1b"
    address = "10.20.1.28"
  }

  # /etc/dnsmasq.hosts.d/runners:29: dhcp-host=52:54:00:c1:00:1c,runner029,10.20.1.29
  host "runner029" {
    mac     = "52:54:00:c1:00:1c"
    address = "10.20.1.29"
  }

  # /etc/dnsmasq.hosts.d/runners:30: dhcp-host=52:54:00:c1:00:1d,runner030,10.20.1.30
  host "runner030" {
    mac     = "52:54:00:c1:00:1d"
    address = "10.20.1.30"
  }

  # /etc/dnsmasq.hosts.d/runners:31: dhcp-host=52:54:00:c1:00:1e,runner031,10.20.1.31
  host "runner031" {
    mac     = "52:54:00:c1:00:1e"
    address = "10.20.1.31"
  }

  # /etc/dnsmasq.hosts.d/runners:32: dhcp-host=52:54:00:c1:00:1f,runner032,10.20.1.32
  host "runner032" {
    mac     = "52:54:00:c1:00:1f"
    address = "10.20.1.32"
  }

  # /etc/dnsmasq.hosts.d/runners:33: dhcp-host=52:54:00:c1:00:20,runner033,10.20.1.33
  host "runner033" {
    mac     = "52:54:00:c1:00:20"
    address = "10.20.1.33"
  }

  # /etc/dnsmasq.hosts.d/runners:34: dhcp-host=52:54:00:c1:00:21,runner034,10.20.1.34
  host "runner034" {
    mac     = "52:54:00:c1:00:21"
    address = "10.20.1.34"
  }

  # /etc/dnsmasq.hosts.d/runners:35: dhcp-host=52:54:00:c1:00:22,runner035,10.20.1.35
  host "runner035" {
    mac     = "52:54:00:c1:00:22"
    address = "10.20.1.35"
  }

  # /etc/dnsmasq.hosts.d/runners:36: dhcp-host=52:54:00:c1:00:23,runner036,10.20.1.36
  host "runner036" {
    mac     = "52:54:00:c1:00:23"
    address = "10.20.1.36"
  }

  # /etc/dnsmasq.hosts.d/runners:37: dhcp-host=52:54:00:c1:00:24,runner037,10.20.1.37
  host "runner037" {
    mac     = "52:54:00:c1:00:24"
    address = "10.20.1.37"
  }

  # /etc/dnsmasq.hosts.d/runners:38: dhcp-host=52:54:00:c1:00:25,runner038,10.20.1.38
  host "runner038" {
    mac     = "52:54:00:c1:00:25"
    address = "10.20.1.38"
  }

  # /etc/dnsmasq.hosts.d/runners:39: dhcp-host=52:54:00:c1:00:26,runner039,10.20.1.39
  host "runner039" {
    mac     = "52:54:00:c1:00:26"
    address = "10.20.1.39"
  }

  # /etc/dnsmasq.hosts.d/runners:40: dhcp-host=52:54:00:c1:00:27,runner040,10.20.1.40
  host "runner040" {
    mac     = "52:54:00:c1:00:27"
    address = "10.20.1.40"
  }

  # /etc/dnsmasq.hosts.d/runners:41: dhcp-host=52:54:00:c1:00:28,runner041,10.20.1.41
  host "runner041" {
    mac     = "52:54:00:c1:00:28"
    address = "10.20.1.41"
  }

  # /etc/dnsmasq.hosts.d/runners:42: dhcp-host=52:54:00:c1:00:29,runner042,10.20.1.42
  host "runner042" {
    mac     = "52:54:00:c1:00:29"
    address = "10.20.1.42"
  }

  # /etc/dnsmasq.hosts.d/runners:43: dhcp-host=52:54:00:c1:00:2a,runner043,10.20.1.43
  host "runner043" {
    mac     = "52:54:00:c1:00:2a"
    address = "10.20.1.43"
  }

  # /etc/dnsmasq.hosts.d/runners:44: dhcp-host=52:54:00:c1:00:2b,runner044,10.20.1.44
  host "runner044" {
    mac     = "52:54:00:c1:00:2b"
    address = "10.20.1.44"
  }

  # /etc/dnsmasq.hosts.d/runners:45: dhcp-host=52:54:00:c1:00:2c,runner045,10.20.1.45
  host "runner045" {
    mac     = "52:54:00:c1:00:2c"
    address = "10.20.1.45"
  }

  # /etc/dnsmasq.hosts.d/runners:46: dhcp-host=52:54:00:c1:00:2d,runner046,10.20.1.46
  host "runner046" {
    mac     = "52:54:00:c1:00:2d"
    address = "10.20.1.46"
  }

  # /etc/dnsmasq.hosts.d/runners:47: dhcp-host=52:54:00:c1:00:2e,runner047,10.20.1.47
  host "runner047" {
    mac     = "52:54:00:c1:00:2e"
    address = "10.20.1.47"
  }

  # /etc/dnsmasq.hosts.d/runners:48: dhcp-host=52:54:00:c1:00:2f,runner048,10.20.1.48
  host "runner048" {
    mac     = "52:54:00:c1:00:2f"
    address = "10.20.1.48"
  }

  # /etc/dnsmasq.hosts.d/runners:49: dhcp-host=52:54:00:c1:00:30,runner049,10.20.1.49
  host "runner049" {
    mac     = "52:54:00:c1:00:30"
    address = "10.20.1.49"
  }

  # /etc/dnsmasq.hosts.d/runners:50: dhcp-host=52:54:00:c1:00:31,runner050,10.20.1.50
  host "runner050" {
    mac     = "52:54:00:c1:00:31"
    address = "10.20.1.50"
  }

  # /etc/dnsmasq.hosts.d/runners:51: dhcp-host=52:54:00:c1:00:32,runner051,10.20.1.51
  host "runner051" {
    mac     = "52:54:00:c1:00:32"
    address = "10.20.1.51"
  }

  # /etc/dnsmasq.hosts.d/runners:52: dhcp-host=52:54:00:c1:00:33,runner052,10.20.1.52
  host "runner052" {
    mac     = "52:54:00:c1:00:33"
    address = "10.20.1.52"
  }

  # /etc/dnsmasq.hosts.d/runners:53: dhcp-host=52:54:00:c1:00:34,runner053,10.20.1.53
  host "runner053" {
    mac     = "52:54:00:c1:00:34"
    address = "10.20.1.53"
  }

  # /etc/dnsmasq.hosts.d/runners:54: dhcp-host=52:54:00:c1:00:35,runner054,10.20.1.54
  host "runner054" {
    mac     = "52:54:00:c1:00:35"
    address = "10.20.1.54"
  }

  # /etc/dnsmasq.hosts.d/runners:55: dhcp-host=52:54:00:c1:00:36,runner055,10.20.1.55
  host "runner055" {
    mac     = "52:54:00:c1:00:36"
    address = "10.20.1.55"
  }

  # /etc/dnsmasq.hosts.d/runners:56: dhcp-host=52:54:00:c1:00:37,runner056,10.20.1.56
  host "runner056" {
    mac     = "52:54:00:c1:00:37"
    address = "10.20.1.56"
  }

  # /etc/dnsmasq.hosts.d/runners:57: dhcp-host=52:54:00:c1:00:38,runner057,10.20.1.57
  host "runner057" {
    mac     = "52:54:00:c1:00:38"
    address = "10.20.1.57"
  }

  # /etc/dnsmasq.hosts.d/runners:58: dhcp-host=52:54:00:c1:00:39,runner058,10.20.1.58
  host "runner058" {
    mac     = "52:54:00:c1:00:39"
    address = "10.20.1.58"
  }

  # /etc/dnsmasq.hosts.d/runners:59: dhcp-host=52:54:00:c1:00:3a,runner059,10.20.1.59
  host "runner059" {
    mac     = "52:54:00:c1:00:3a"
    address = "10.20.1.59"
  }

  # /etc/dnsmasq.hosts.d/runners:60: dhcp-host=52:54:00:c1:00:3b,runner060,10.20.1.60
  host "runner060" {
    mac     = "52:54:00:c1:00:3b"
    address = "10.20.1.60"
  }

  # /etc/dnsmasq.hosts.d/runners:61: dhcp-host=52:54:00:c1:00:3c,runner061,10.20.1.61
  host "runner061" {
    mac     = "52:54:00:c1:00:3c"
    address = "10.20.1.61"
  }

  # /etc/dnsmasq.hosts.d/runners:62: dhcp-host=52:54:00:c1:00:3d,runner062,10.20.1.62
  host "runner062" {
    mac     = "52:54:00:c1:00:3d"
    address = "10.20.1.62"
  }

  # /etc/dnsmasq.hosts.d/runners:63: dhcp-host=52:54:00:c1:00:3e,runner063,10.20.1.63
  host "runner063" {
    mac     = "52:54:00:c1:00:3e"
    address = "10.20.1.63"
  }

  # /etc/dnsmasq.hosts.d/runners:64: dhcp-host=52:54:00:c1:00:3f,runner064,10.20.1.64
  host "runner064" {
    mac     = "52:54:00:c1:00:3f"
    address = "10.20.1.64"
  }

  # /etc/dnsmasq.hosts.d/runners:65: dhcp-host=52:54:00:c1:00:40,runner065,10.20.1.65
  host "runner065" {
    mac     = "52:54:00:c1:00:40"
    address = "10.20.1.65"
  }

  # /etc/dnsmasq.hosts.d/runners:66: dhcp-host=52:54:00:c1:00:41,runner066,10.20.1.66
  host "runner066" {
    mac     = "52:54:00:c1:00:41"
    address = "10.20.1.66"
  }

  # /etc/dnsmasq.hosts.d/runners:67: dhcp-host=52:54:00:c1:00:42,runner067,10.20.1.67
  host "runner067" {
    mac     = "52:54:00:c1:00:42"
    address = "10.20.1.67"
  }

  # /etc/dnsmasq.hosts.d/runners:68: dhcp-host=52:54:00:c1:00:43,runner068,10.20.1.68
  host "runner068" {
    mac     = "52:54:00:c1:00:43"
    address = "10.20.1.68"
  }

  # /etc/dnsmasq.hosts.d/runners:69: dhcp-host=52:54:00:c1:00:44,runner069,10.20.1.69
  host "runner069" {
    mac     = "52:54:00:c1:00:44"
    address = "10.20.1.69"
  }

  # /etc/dnsmasq.hosts.d/runners:70: dhcp-host=52:54:00:c1:00:45,runner070,10.20.1.70
  host "runner070" {
    mac     = "52:54:00:c1:00:45"
    address = "10.20.1.70"
  }

  # /etc/dnsmasq.hosts.d/runners:71: dhcp-host=52:54:00:c1:00:46,runner071,10.20.1.71
  host "runner071" {
    mac     = "52:54:00:c1:00:46"
    address = "10.20.1.71"
  }

  # /etc/dnsmasq.hosts.d/runners:72: dhcp-host=52:54:00:c1:00:47,runner072,10.20.1.72
  host "runner072" {
    mac     = "52:54:00:c1:00:47"
    address = "10.20.1.72"
  }

  # /etc/dnsmasq.hosts.d/runners:73: dhcp-host=52:54:00:c1:00:48,runner073,10.20.1.73
  host "runner073" {
    mac     = "52:54:00:c1:00:48"
    address = "10.20.1.73"
  }

  # /etc/dnsmasq.hosts.d/runners:74: dhcp-host=52:54:00:c1:00:49,runner074,10.20.1.74
  host "runner074" {
    mac     = "52:54:00:c1:00:49"
    address = "10.20.1.74"
  }

  # /etc/dnsmasq.hosts.d/runners:75: dhcp-host=52:54:00:c1:00:4a,runner075,10.20.1.75
  host "runner075" {
    mac     = "52:54:00:c1:00:4a"
    address = "10.20.1.75"
  }

  # /etc/dnsmasq.hosts.d/runners:76: dhcp-host=52:54:00:c1:00:4b,runner076,10.20.1.76
  host "runner076" {
    mac     = "52:54:00:c1:00:4b"
    address = "10.20.1.76"
  }

  # /etc/dnsmasq.hosts.d/runners:77: dhcp-host=52:54:00:c1:00:4c,runner077,10.20.1.77
  host "runner077" {
    mac     = "52:54:00:c1:00:4c"
    address = "10.20.1.77"
  }

  # /etc/dnsmasq.hosts.d/runners:78: dhcp-host=52:54:00:c1:00:4d,runner078,10.20.1.78
  host "runner078" {
    mac     = "52:54:00:c1:00:4d"
    address = "10.20.1.78"
  }

  # /etc/dnsmasq.hosts.d/runners:79: dhcp-host=52:54:00:c1:00:4e,runner079,10.20.1.79
  host "runner079" {
    mac     = "52:54:00:c1:00:4e"
    address = "10.20.1.79"
  }

  # /etc/dnsmasq.hosts.d/runners:80: dhcp-host=52:54:00:c1:00:4f,runner080,10.20.1.80
  host "runner080" {
    mac     = "52:54:00:c1:00:4f"
    address = "10.20.1.80"
  }

  # /etc/dnsmasq.hosts.d/runners:81: dhcp-host=52:54:00:c1:00:50,runner081,10.20.1.81
  host "runner081" {
    mac     = "52:54:00:c1:00:50"
    address = "10.20.1.81"
  }

  # /etc/dnsmasq.hosts.d/runners:82: dhcp-host=52:54:00:c1:00:51,runner082,10.20.1.82
  host "runner082" {
    mac     = "52:54:00:c1:00:51"
    address = "10.20.1.82"
  }

  # /etc/dnsmasq.hosts.d/runners:83: dhcp-host=52:54:00:c1:00:52,runner083,10.20.1.83
  host "runner083" {
    mac     = "52:54:00:c1:00:52"
    address = "10.20.1.83"
  }

  # /etc/dnsmasq.hosts.d/runners:84: dhcp-host=52:54:00:c1:00:53,runner084,10.20.1.84
  host "runner084" {
    mac     = "52:54:00:c1:00:53"
    address = "10.20.1.84"
  }

  # /etc/dnsmasq.hosts.d/runners:85: dhcp-host=52:54:00:c1:00:54,runner085,10.20.1.85
  host "runner085" {
    mac     = "52:54:00:c1:00:54"
    address = "10.20.1.85"
  }

  # /etc/dnsmasq.hosts.d/runners:86: dhcp-host=52:54:00:c1:00:55,runner086,10.20.1.86
  host "runner086" {
    mac     = "52:54:00:c1:00:55"
    address = "10.20.1.86"
  }

  # /etc/dnsmasq.hosts.d/runners:87: dhcp-host=52:54:00:c1:00:56,runner087,10.20.1.87
  host "runner087" {
    mac     = "52:54:00:c1:00:56"
    address = "10.20.1.87"
  }

  # /etc/dnsmasq.hosts.d/runners:88: dhcp-host=52:54:00:c1:00:57,runner088,10.20.1.88
  host "runner088" {
    mac     = "52:54:00:c1:00:57"
    address = "10.20.1.88"
  }

  # /etc/dnsmasq.hosts.d/runners:89: dhcp-host=52:54:00:c1:00:58,runner089,10.20.1.89
  host "runner089" {
    mac     = "52:54:00:c1:00:58"
    address = "10.20.1.89"
  }

  # /etc/dnsmasq.hosts.d/runners:90: dhcp-host=52:54:00:c1:00:59,runner090,10.20.1.90
  host "runner090" {
    mac     = "52:54:00:c1:00:59"
    address = "10.20.1.90"
  }

  # /etc/dnsmasq.hosts.d/runners:91: dhcp-host=52:54:00:c1:00:5a,runner091,10.20.1.91
  host "runner091" {
    mac     = "52:54:00:c1:00:5a"
    address = "10.20.1.91"
  }

  # /etc/dnsmasq.hosts.d/runners:92: dhcp-host=52:54:00:c1:00:5b,runner092,10.20.1.92
  host "runner092" {
    mac     = "52:54:00:c1:00:5b"
    address = "10.20.1.92"
  }

  # /etc/dnsmasq.hosts.d/runners:93: dhcp-host=52:54:00:c1:00:5c,runner093,10.20.1.93
  host "runner093" {
    mac     = "52:54:00:c1:00:5c"
    address = "10.20.1.93"
  }

  # /etc/dnsmasq.hosts.d/runners:94: dhcp-host=52:54:00:c1:00:5d,runner094,10.20.1.94
  host "runner094" {
    mac     = "52:54:00:c1:00:5d"
    address = "10.20.1.94"
  }

  # /etc/dnsmasq.hosts.d/runners:95: dhcp-host=52:54:00:c1:00:5e,runner095,10.20.1.95
  host "runner095" {
    mac     = "52:54:00:c1:00:5e"
    address = "10.20.1.95"
  }

  # /etc/dnsmasq.hosts.d/runners:96: dhcp-host=52:54:00:c1:00:5f,runner096,10.20.1.96
  host "runner096" {
    mac     = "52:54:00:c1:00:5f"
    address = "10.20.1.96"
  }

  # /etc/dnsmasq.hosts.d/runners:97: dhcp-host=52:54:00:c1:00:60,runner097,10.20.1.97
  host "runner097" {
    mac     = "52:54:00:c1:00:60"
    address = "10.20.1.97"
  }

  # /etc/dnsmasq.hosts.d/runners:98: dhcp-host=52:54:00:c1:00:61,runner098,10.20.1.98
  host "runner098" {
    mac     = "52:54:00:c1:00:61"
    address = "10.20.1.98"
  }

  # /etc/dnsmasq.hosts.d/runners:99: dhcp-host=52:54:00:c1:00:62,runner099,10.20.1.99
  host "runner099" {
    mac     = "52:54:00:c1:00:62"
    address = "10.20.1.99"
  }

  # /etc/dnsmasq.hosts.d/runners:100: dhcp-host=52:54:00:c1:00:63,runner100,10.20.1.100
  host "runner100" {
    mac     = "52:54:00:c1:00:63"
    address = "10.20.1.100"
  }

  # /etc/dnsmasq.hosts.d/runners:101: dhcp-host=52:54:00:c1:00:64,runner101,10.20.1.101
  host "runner101" {
    mac     = "52:54:00:c1:00:64"
    address = "10.20.1.101"
  }

  # /etc/dnsmasq.hosts.d/runners:102: dhcp-host=52:54:00:c1:00:65,runner102,10.20.1.102
  host "runner102" {
    mac     = "52:54:00:c1:00:65"
    address = "10.20.1.102"
  }

  # /etc/dnsmasq.hosts.d/runners:103: dhcp-host=52:54:00:c1:00:66,runner103,10.20.1.103
  host "runner103" {
    mac     = "52:54:00:c1:00:66"
    address = "10.20.1.103"
  }

  # /etc/dnsmasq.hosts.d/runners:104: dhcp-host=52:54:00:c1:00:67,runner104,10.20.1.104
  host "runner104" {
    mac     = "52:54:00:c1:00:67"
    address = "10.20.1.104"
  }

  # /etc/dnsmasq.hosts.d/runners:105: dhcp-host=52:54:00:c1:00:68,runner105,10.20.1.105
  host "runner105" {
    mac     = "52:54:00:c1:00:68"
    address = "10.20.1.105"
  }

  # /etc/dnsmasq.hosts.d/runners:106: dhcp-host=52:54:00:c1:00:69,runner106,10.20.1.106
  host "runner106" {
    mac     = "52:54:00:c1:00:69"
    address = "10.20.1.106"
  }

  # /etc/dnsmasq.hosts.d/runners:107: dhcp-host=52:54:00:c1:00:6a,runner107,10.20.1.107
  host "runner107" {
    mac     = "52:54:00:c1:00:6a"
    address = "10.20.1.107"
  }

  # /etc/dnsmasq.hosts.d/runners:108: dhcp-host=52:54:00:c1:00:6b,runner108,10.20.1.108
  host "runner108" {
    mac     = "52:54:00:c1:00:6b"
    address = "10.20.1.108"
  }

  # /etc/dnsmasq.hosts.d/runners:109: dhcp-host=52:54:00:c1:00:6c,runner109,10.20.1.109
  host "runner109" {
    mac     = "52:54:00:c1:00:6c"
    address = "10.20.1.109"
  }

  # /etc/dnsmasq.hosts.d/runners:110: dhcp-host=52:54:00:c1:00:6d,runner110,10.20.1.110
  host "runner110" {
    mac     = "52:54:00:c1:00:6d"
    address = "10.20.1.110"
  }

  # /etc/dnsmasq.hosts.d/runners:111: dhcp-host=52:54:00:c1:00:6e,runner111,10.20.1.111
  host "runner111" {
    mac     = "52:54:00:c1:00:6e"
    address = "10.20.1.111"
  }

  # /etc/dnsmasq.hosts.d/runners:112: dhcp-host=52:54:00:c1:00:6f,runner112,10.20.1.112
  host "runner112" {
    mac     = "52:54:00:c1:00:6f"
    address = "10.20.1.112"
  }

  # /etc/dnsmasq.hosts.d/runners:113: dhcp-host=52:54:00:c1:00:70,runner113,10.20.1.113
  host "runner113" {
    mac     = "52:54:00:c1:00:70"
    address = "10.20.1.113"
  }

  # /etc/dnsmasq.hosts.d/runners:114: dhcp-host=52:54:00:c1:00:71,runner114,10.20.1.114
  host "runner114" {
    mac     = "52:54:00:c1:00:71"
    address = "10.20.1.114"
  }

  # /etc/dnsmasq.hosts.d/runners:115: dhcp-host=52:54:00:c1:00:72,runner115,10.20.1.115
  host "runner115" {
    mac     = "52:54:00:c1:00:72"
    address = "10.20.1.115"
  }

  # /etc/dnsmasq.hosts.d/runners:116: dhcp-host=52:54:00:c1:00:73,runner116,10.20.1.116
  host "runner116" {
    mac     = "52:54:00:c1:00:73"
    address = "10.20.1.116"
  }

  # /etc/dnsmasq.hosts.d/runners:117: dhcp-host=52:54:00:c1:00:74,runner117,10.20.1.117
  host "runner117" {
    mac     = "52:54:00:c1:00:74"
    address = "10.20.1.117"
  }

  # /etc/dnsmasq.hosts.d/runners:118: dhcp-host=52:54:00:c1:00:75,runner118,10.20.1.118
  host "runner118" {
    mac     = "52:54:00:c1:00:75"
    address = "10.20.1.118"
  }

  # /etc/dnsmasq.hosts.d/runners:119: dhcp-host=52:54:00:c1:00:76,runner119,10.20.1.119
  host "runner119" {
    mac     = "52:54:00:c1:00:76"
    address = "10.20.1.119"
  }

  # /etc/dnsmasq.hosts.d/runners:120: dhcp-host=52:54:00:c1:00:77,runner120,10.20.1.120
  host "runner120" {
    mac     = "52:54:00:c1:00:77"
    address = "10.20.1.120"
  }

  # /etc/dnsmasq.hosts.d/runners:121: dhcp-host=52:54:00:c1:00:78,runner121,10.20.1.121
  host "runner121" {
    mac     = "52:54:00:c1:00:78"
    address = "10.20.1.121"
  }

  # /etc/dnsmasq.hosts.d/runners:122: dhcp-host=52:54:00:c1:00:79,runner122,10.20.1.122
  host "runner122" {
    mac     = "52:54:00:c1:00:79"
    address = "10.20.1.122"
  }

  # /etc/dnsmasq.hosts.d/runners:123: dhcp-host=52:54:00:c1:00:7a,runner123,10.20.1.123
  host "runner123" {
    mac     = "52:54:00:c1:00:7a"
    address = "10.20.1.123"
  }

  # /etc/dnsmasq.hosts.d/runners:124: dhcp-host=52:54:00:c1:00:7b,runner124,10.20.1.124
  host "runner124" {
    mac     = "52:54:00:c1:00:7b"
    address = "10.20.1.124"
  }

  # /etc/dnsmasq.hosts.d/runners:125: dhcp-host=52:54:00:c1:00:7c,runner125,10.20.1.125
  host "runner125" {
    mac     = "52:54:00:c1:00:7c"
    address = "10.20.1.125"
  }

  # /etc/dnsmasq.hosts.d/runners:126: dhcp-host=52:54:00:c1:00:7d,runner126,10.20.1.126
  host "runner126" {
    mac     = "52:54:00:c1:00:7d"
    address = "10.20.1.126"
  }

  # /etc/dnsmasq.hosts.d/runners:127: dhcp-host=52:54:00:c1:00:7e,runner127,10.20.1.127
  host "runner127" {
    mac     = "52:54:00:c1:00:7e"
    address = "10.20.1.127"
  }

  # /etc/dnsmasq.hosts.d/runners:128: dhcp-host=52:54:00:c1:00:7f,runner128,10.20.1.128
  host "runner128" {
    mac     = "52:54:00:c1:00:7f"
    address = "10.20.1.128"
  }

  # /etc/dnsmasq.hosts.d/runners:129: dhcp-host=52:54:00:c1:00:80,runner129,10.20.1.129
  host "runner129" {
    mac     = "52:54:00:c1:00:80"
    address = "10.20.1.129"
  }

  # /etc/dnsmasq.hosts.d/runners:130: dhcp-host=52:54:00:c1:00:81,runner130,10.20.1.130
  host "runner130" {
    mac     = "52:54:00:c1:00:81"
    address = "10.20.1.130"
  }

  # /etc/dnsmasq.hosts.d/runners:131: dhcp-host=52:54:00:c1:00:82,runner131,10.20.1.131
  host "runner131" {
    mac     = "52:54:00:c1:00:82"
    address = "10.20.1.131"
  }

  # /etc/dnsmasq.hosts.d/runners:132: dhcp-host=52:54:00:c1:00:83,runner132,10.20.1.132
  host "runner132" {
    mac     = "52:54:00:c1:00:83"
    address = "10.20.1.132"
  }

  # /etc/dnsmasq.hosts.d/runners:133: dhcp-host=52:54:00:c1:00:84,runner133,10.20.1.133
  host "runner133" {
    mac     = "52:54:00:c1:00:84"
    address = "10.20.1.133"
  }

  # /etc/dnsmasq.hosts.d/runners:134: dhcp-host=52:54:00:c1:00:85,runner134,10.20.1.134
  host "runner134" {
    mac     = "52:54:00:c1:00:85"
    address = "10.20.1.134"
  }

  # /etc/dnsmasq.hosts.d/runners:135: dhcp-host=52:54:00:c1:00:86,runner135,10.20.1.135
  host "runner135" {
    mac     = "52:54:00:c1:00:86"
    address = "10.20.1.135"
  }

  # /etc/dnsmasq.hosts.d/runners:136: dhcp-host=52:54:00:c1:00:87,runner136,10.20.1.136
  host "runner136" {
    mac     = "52:54:00:c1:00:87"
    address = "10.20.1.136"
  }

  # /etc/dnsmasq.hosts.d/runners:137: dhcp-host=52:54:00:c1:00:88,runner137,10.20.1.137
  host "runner137" {
    mac     = "52:54:00:c1:00:88"
    address = "10.20.1.137"
  }

  # /etc/dnsmasq.hosts.d/runners:138: dhcp-host=52:54:00:c1:00:89,runner138,10.20.1.138
  host "runner138" {
    mac     = "52:54:00:c1:00:89"
    address = "10.20.1.138"
  }

  # /etc/dnsmasq.hosts.d/runners:139: dhcp-host=52:54:00:c1:00:8a,runner139,10.20.1.139
  host "runner139" {
    mac     = "52:54:00:c1:00:8a"
    address = "10.20.1.139"
  }

  # /etc/dnsmasq.hosts.d/runners:140: dhcp-host=52:54:00:c1:00:8b,runner140,10.20.1.140
  host "runner140" {
    mac     = "52:54:00:c1:00:8b"
    address = "10.20.1.140"
  }

  # /etc/dnsmasq.hosts.d/runners:141: dhcp-host=52:54:00:c1:00:8c,runner141,10.20.1.141
  host "runner141" {
    mac     = "52:54:00:c1:00:8c"
    address = "10.20.1.141"
  }

  # /etc/dnsmasq.hosts.d/runners:142: dhcp-host=52:54:00:c1:00:8d,runner142,10.20.1.142
  host "runner142" {
    mac     = "52:54:00:c1:00:8d"
    address = "10.20.1.142"
  }

  # /etc/dnsmasq.hosts.d/runners:143: dhcp-host=52:54:00:c1:00:8e,runner143,10.20.1.143
  host "runner143" {
    mac     = "52:54:00:c1:00:8e"
    address = "10.20.1.143"
  }

  # /etc/dnsmasq.hosts.d/runners:144: dhcp-host=52:54:00:c1:00:8f,runner144,10.20.1.144
  host "runner144" {
    mac     = "52:54:00:c1:00:8f"
    address = "10.20.1.144"
  }

  # /etc/dnsmasq.hosts.d/runners:145: dhcp-host=52:54:00:c1:00:90,runner145,10.20.1.145
  host "runner145" {
    mac     = "52:54:00:c1:00:90"
    address = "10.20.1.145"
  }

  # /etc/dnsmasq.hosts.d/runners:146: dhcp-host=52:54:00:c1:00:91,runner146,10.20.1.146
  host "runner146" {
    mac     = "52:54:00:c1:00:91"
    address = "10.20.1.146"
  }

  # /etc/dnsmasq.hosts.d/runners:147: dhcp-host=52:54:00:c1:00:92,runner147,10.20.1.147
  host "runner147" {
    mac     = "52:54:00:c1:00:92"
    address = "10.20.1.147"
  }

  # /etc/dnsmasq.hosts.d/runners:148: dhcp-host=52:54:00:c1:00:93,runner148,10.20.1.148
  host "runner148" {
    mac     = "52:54:00:c1:00:93"
    address = "10.20.1.148"
  }

  # /etc/dnsmasq.hosts.d/runners:149: dhcp-host=52:54:00:c1:00:94,runner149,10.20.1.149
  host "runner149" {
    mac     = "52:54:00:c1:00:94"
    address = "10.20.1.149"
  }

  # /etc/dnsmasq.hosts.d/runners:150: dhcp-host=52:54:00:c1:00:95,runner150,10.20.1.150
  host "runner150" {
    mac     = "52:54:00:c1:00:95"
    address = "10.20.1.150"
  }

  # /etc/dnsmasq.hosts.d/runners:151: dhcp-host=52:54:00:c1:00:96,runner151,10.20.1.151
  host "runner151" {
    mac     = "52:54:00:c1:00:96"
    address = "10.20.1.151"
  }

  # /etc/dnsmasq.hosts.d/runners:152: dhcp-host=52:54:00:c1:00:97,runner152,10.20.1.152
  host "runner152" {
    mac     = "52:54:00:c1:00:97"
    address = "10.20.1.152"
  }

  # /etc/dnsmasq.hosts.d/runners:153: dhcp-host=52:54:00:c1:00:98,runner153,10.20.1.153
  host "runner153" {
    mac     = "52:54:00:c1:00:98"
    address = "10.20.1.153"
  }

  # /etc/dnsmasq.hosts.d/runners:154: dhcp-host=52:54:00:c1:00:99,runner154,10.20.1.154
  host "runner154" {
    mac     = "52:54:00:c1:00:99"
    address = "10.20.1.154"
  }

  # /etc/dnsmasq.hosts.d/runners:155: dhcp-host=52:54:00:c1:00:9a,runner155,10.20.1.155
  host "runner155" {
    mac     = "52:54:00:c1:00:9a"
    address = "10.20.1.155"
  }

  # /etc/dnsmasq.hosts.d/runners:156: dhcp-host=52:54:00:c1:00:9b,runner156,10.20.1.156
  host "runner156" {
    mac     = "52:54:00:c1:00:9b"
    address = "10.20.1.156"
  }

  # /etc/dnsmasq.hosts.d/runners:157: dhcp-host=52:54:00:c1:00:9c,runner157,10.20.1.157
  host "runner157" {
    mac     = "52:54:00:c1:00:9c"
    address = "10.20.1.157"
  }

  # /etc/dnsmasq.hosts.d/runners:158: dhcp-host=52:54:00:c1:00:9d,runner158,10.20.1.158
  host "runner158" {
    mac     = "52:54:00:c1:00:9d"
    address = "10.20.1.158"
  }

  # /etc/dnsmasq.hosts.d/runners:159: dhcp-host=52:54:00:c1:00:9e,runner159,10.20.1.159
  host "runner159" {
    mac     = "52:54:00:c1:00:9e"
    address = "10.20.1.159"
  }

  # /etc/dnsmasq.hosts.d/runners:160: dhcp-host=52:54:00:c1:00:9f,runner160,10.20.1.160
  host "runner160" {
    mac     = "52:54:00:c1:00:9f"
    address = "10.20.1.160"
  }

  # /etc/dnsmasq.hosts.d/runners:161: dhcp-host=52:54:00:c1:00:a0,runner161,10.20.1.161
  host "runner161" {
    mac     = "52:54:00:c1:00:a0"
    address = "10.20.1.161"
  }

  # /etc/dnsmasq.hosts.d/runners:162: dhcp-host=52:54:00:c1:00:a1,runner162,10.20.1.162
  host "runner162" {
    mac     = "52:54:00:c1:00:a1"
    address = "10.20.1.162"
  }

  # /etc/dnsmasq.hosts.d/runners:163: dhcp-host=52:54:00:c1:00:a2,runner163,10.20.1.163
  host "runner163" {
    mac     = "52:54:00:c1:00:a2"
    address = "10.20.1.163"
  }

  # /etc/dnsmasq.hosts.d/runners:164: dhcp-host=52:54:00:c1:00:a3,runner164,10.20.1.164
  host "runner164" {
    mac     = "52:54:00:c1:00:a3"
    address = "10.20.1.164"
  }

  # /etc/dnsmasq.hosts.d/runners:165: dhcp-host=52:54:00:c1:00:a4,runner165,10.20.1.165
  host "runner165" {
    mac     = "52:54:00:c1:00:a4"
    address = "10.20.1.165"
  }

  # /etc/dnsmasq.hosts.d/runners:166: dhcp-host=52:54:00:c1:00:a5,runner166,10.20.1.166
  host "runner166" {
    mac     = "52:54:00:c1:00:a5"
    address = "10.20.1.166"
  }

  # /etc/dnsmasq.hosts.d/runners:167: dhcp-host=52:54:00:c1:00:a6,runner167,10.20.1.167
  host "runner167" {
    mac     = "52:54:00:c1:00:a6"
    address = "10.20.1.167"
  }

  # /etc/dnsmasq.hosts.d/runners:168: dhcp-host=52:54:00:c1:00:a7,runner168,10.20.1.168
  host "runner168" {
    mac     = "52:54:00:c1:00:a7"
    address = "10.20.1.168"
  }

  # /etc/dnsmasq.hosts.d/runners:169: dhcp-host=52:54:00:c1:00:a8,runner169,10.20.1.169
  host "runner169" {
    mac     = "52:54:00:c1:00:a8"
    address = "10.20.1.169"
  }

  # /etc/dnsmasq.hosts.d/runners:170: dhcp-host=52:54:00:c1:00:a9,runner170,10.20.1.170
  host "runner170" {
    mac     = "52:54:00:c1:00:a9"
    address = "10.20.1.170"
  }

  # /etc/dnsmasq.hosts.d/runners:171: dhcp-host=52:54:00:c1:00:aa,runner171,10.20.1.171
  host "runner171" {
    mac     = "52:54:00:c1:00:aa"
    address = "10.20.1.171"
  }

  # /etc/dnsmasq.hosts.d/runners:172: dhcp-host=52:54:00:c1:00:ab,runner172,10.20.1.172
  host "runner172" {
    mac     = "52:54:00:c1:00:ab"
    address = "10.20.1.172"
  }

  # /etc/dnsmasq.hosts.d/runners:173: dhcp-host=52:54:00:c1:00:ac,runner173,10.20.1.173
  host "runner173" {
    mac     = "52:54:00:c1:00:ac"
    address = "10.20.1.173"
  }

  # /etc/dnsmasq.hosts.d/runners:174: dhcp-host=52:54:00:c1:00:ad,runner174,10.20.1.174
  host "runner174" {
    mac     = "52:54:00:c1:00:ad"
    address = "10.20.1.174"
  }

  # /etc/dnsmasq.hosts.d/runners:175: dhcp-host=52:54:00:c1:00:ae,runner175,10.20.1.175
  host "runner175" {
    mac     = "52:54:00:c1:00:ae"
    address = "10.20.1.175"
  }

  # /etc/dnsmasq.hosts.d/runners:176: dhcp-host=52:54:00:c1:00:af,runner176,10.20.1.176
  host "runner176" {
    mac     = "52:54:00:c1:00:af"
    address = "10.20.1.176"
  }

  # /etc/dnsmasq.hosts.d/runners:177: dhcp-host=52:54:00:c1:00:b0,runner177,10.20.1.177
  host "runner177" {
    mac     = "52:54:00:c1:00:b0"
    address = "10.20.1.177"
  }

  # /etc/dnsmasq.hosts.d/runners:178: dhcp-host=52:54:00:c1:00:b1,runner178,10.20.1.178
  host "runner178" {
    mac     = "52:54:00:c1:00:b1"
    address = "10.20.1.178"
  }

  # /etc/dnsmasq.hosts.d/runners:179: dhcp-host=52:54:00:c1:00:b2,runner179,10.20.1.179
  host "runner179" {
    mac     = "52:54:00:c1:00:b2"
    address = "10.20.1.179"
  }

  # /etc/dnsmasq.hosts.d/runners:180: dhcp-host=52:54:00:c1:00:b3,runner180,10.20.1.180
  host "runner180" {
    mac     = "52:54:00:c1:00:b3"
    address = "10.20.1.180"
  }

  # /etc/dnsmasq.hosts.d/runners:181: dhcp-host=52:54:00:c1:00:b4,runner181,10.20.1.181
  host "runner181" {
    mac     = "52:54:00:c1:00:b4"
    address = "10.20.1.181"
  }

  # /etc/dnsmasq.hosts.d/runners:182: dhcp-host=52:54:00:c1:00:b5,runner182,10.20.1.182
  host "runner182" {
    mac     = "52:54:00:c1:00:b5"
    address = "10.20.1.182"
  }

  # /etc/dnsmasq.hosts.d/runners:183: dhcp-host=52:54:00:c1:00:b6,runner183,10.20.1.183
  host "runner183" {
    mac     = "52:54:00:c1:00:b6"
    address = "10.20.1.183"
  }

  # /etc/dnsmasq.hosts.d/runners:184: dhcp-host=52:54:00:c1:00:b7,runner184,10.20.1.184
  host "runner184" {
    mac     = "52:54:00:c1:00:b7"
    address = "10.20.1.184"
  }

  # /etc/dnsmasq.hosts.d/runners:185: dhcp-host=52:54:00:c1:00:b8,runner185,10.20.1.185
  host "runner185" {
    mac     = "52:54:00:c1:00:b8"
    address = "10.20.1.185"
  }

  # /etc/dnsmasq.hosts.d/runners:186: dhcp-host=52:54:00:c1:00:b9,runner186,10.20.1.186
  host "runner186" {
    mac     = "52:54:00:c1:00:b9"
    address = "10.20.1.186"
  }

  # /etc/dnsmasq.hosts.d/runners:187: dhcp-host=52:54:00:c1:00:ba,runner187,10.20.1.187
  host "runner187" {
    mac     = "52:54:00:c1:00:ba"
    address = "10.20.1.187"
  }

  # /etc/dnsmasq.hosts.d/runners:188: dhcp-host=52:54:00:c1:00:bb,runner188,10.20.1.188
  host "runner188" {
    mac     = "52:54:00:c1:00:bb"
    address = "10.20.1.188"
  }

  # /etc/dnsmasq.hosts.d/runners:189: dhcp-host=52:54:00:c1:00:bc,runner189,10.20.1.189
  host "runner189" {
    mac     = "52:54:00:c1:00:bc"
    address = "10.20.1.189"
  }

  # /etc/dnsmasq.hosts.d/runners:190: dhcp-host=52:54:00:c1:00:bd,runner190,10.20.1.190
  host "runner190" {
    mac     = "52:54:00:c1:00:bd"
    address = "10.20.1.190"
  }

  # /etc/dnsmasq.hosts.d/runners:191: dhcp-host=52:54:00:c1:00:be,runner191,10.20.1.191
  host "runner191" {
    mac     = "52:54:00:c1:00:be"
    address = "10.20.1.191"
  }

  # /etc/dnsmasq.hosts.d/runners:192: dhcp-host=52:54:00:c1:00:bf,runner192,10.20.1.192
  host "runner192" {
    mac     = "52:54:00:c1:00:bf"
    address = "10.20.1.192"
  }

  # /etc/dnsmasq.hosts.d/runners:193: dhcp-host=52:54:00:c1:00:c0,runner193,10.20.1.193
  host "runner193" {
    mac     = "52:54:00:c1:00:c0"
    address = "10.20.1.193"
  }

  # /etc/dnsmasq.hosts.d/runners:194: dhcp-host=52:54:00:c1:00:c1,runner194,10.20.1.194
  host "runner194" {
    mac     = "52:54:00:c1:00:c1"
    address = "10.20.1.194"
  }

  # /etc/dnsmasq.hosts.d/runners:195: dhcp-host=52:54:00:c1:00:c2,runner195,10.20.1.195
  host "runner195" {
    mac     = "52:54:00:c1:00:c2"
    address = "10.20.1.195"
  }

  # /etc/dnsmasq.hosts.d/runners:196: dhcp-host=52:54:00:c1:00:c3,runner196,10.20.1.196
  host "runner196" {
    mac     = "52:54:00:c1:00:c3"
    address = "10.20.1.196"
  }

  # /etc/dnsmasq.hosts.d/runners:197: dhcp-host=52:54:00:c1:00:c4,runner197,10.20.1.197
  host "runner197" {
    mac     = "52:54:00:c1:00:c4"
    address = "10.20.1.197"
  }

  # /etc/dnsmasq.hosts.d/runners:198: dhcp-host=52:54:00:c1:00:c5,runner198,10.20.1.198
  host "runner198" {
    mac     = "52:54:00:c1:00:c5"
    address = "10.20.1.198"
  }

  # /etc/dnsmasq.hosts.d/runners:199: dhcp-host=52:54:00:c1:00:c6,runner199,10.20.1.199
  host "runner199" {
    mac     = "52:54:00:c1:00:c6"
    address = "10.20.1.199"
  }

  # /etc/dnsmasq.hosts.d/runners:200: dhcp-host=52:54:00:c1:00:c7,runner200,10.20.1.200
  host "runner200" {
    mac     = "52:54:00:c1:00:c7"
    address = "10.20.1.200"
  }
}

resolver {
  # /etc/dnsmasq.conf:18: server=192.0.2.53
  upstream "default" {
    servers = ["192.0.2.53"]
  }

  # /etc/dnsmasq.conf:17: server=/corp.example.com/10.99.0.53
  upstream "corp-example-com" {
    domains = ["corp.example.com"]
    servers = ["10.99.0.53"]
  }
}
