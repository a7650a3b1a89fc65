package config

import (
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	const lab = "network \"lab\" {\n  address = \"10.0.0.1/24\"\n}\n"
	for _, c := range []struct{ listen, want, says string }{
		{"127.0.0.1:9167", "127.0.0.1:9167", ""},
		{"[::1]:9167", "[::1]:9167", ""},
		{"[::ffff:127.0.0.1]:9167", "127.0.0.1:9167", ""},
		{"192.168.1.5:1", "192.168.1.5:1", ""},
		{"0.0.0.0:9167", "0.0.0.0:9167", "everybody who reaches this host can read the counters"},
		{"[::]:9167", "[::]:9167", "everybody who reaches this host can read the counters"},
		{"10.0.0.1:9167", "10.0.0.1:9167", `the guests of network "lab" can read`},
		{"10.0.0.1:53", "", "DNS is served on 10.0.0.1:53 already"},
		{":9167", "", "names no address"},
		{"127.0.0.1", "", "has no port"},
		{"::1", "", "has no port"},
		{"127.0.0.1:0", "", "is not a port"},
		{"127.0.0.1:65536", "", "is not a port"},
		{"127.0.0.1:http", "", "is not a port"},
		{"localhost:9167", "", `"localhost" is not an IP address`},
		{"224.0.0.1:9167", "", "not an address to listen on"},
		{"", "", "not an address with a port"},
	} {
		t.Run(c.listen, func(t *testing.T) {
			cfg, diags := loadText(lab + "metrics {\n  listen = \"" + c.listen + "\"\n}\n")
			text := textOf(t, diags)
			switch {
			case c.want == "" && (cfg != nil || !strings.Contains(text, c.says)):
				t.Errorf("want an error %q:\n%s", c.says, text)
			case c.want != "" && cfg == nil:
				t.Errorf("not loaded:\n%s", text)
			case c.want != "" && (cfg.Metrics.Listen.String() != c.want || (text == "") != (c.says == "") || !strings.Contains(text, c.says)):
				t.Errorf("%+v\n%s", cfg.Metrics, text)
			}
		})
	}
	if cfg, diags := loadText(lab); cfg == nil || cfg.Metrics.Listen.IsValid() {
		t.Errorf("without a block: %+v %v", cfg, diags.All())
	}
	if _, diags := loadText(lab + "metrics {\n}\n"); !diags.HasErrors() {
		t.Error("a block that doesn't say where is taken")
	}
}
