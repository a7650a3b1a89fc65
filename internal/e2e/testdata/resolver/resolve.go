// Command resolve says what Go's own resolver says, as resolve.c does for a C library's.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	r := &net.Resolver{PreferGo: true}
	ctx := context.Background()
	var lines []string
	var err error
	switch what, n := os.Args[1], os.Args[2]; what {
	case "addresses":
		lines, err = r.LookupHost(ctx, n)
	case "name":
		lines, err = r.LookupAddr(ctx, n)
	case "mx":
		var found []*net.MX
		found, err = r.LookupMX(ctx, n)
		for _, mx := range found {
			lines = append(lines, fmt.Sprint(mx.Pref, " ", mx.Host))
		}
	case "srv":
		var found []*net.SRV
		_, found, err = r.LookupSRV(ctx, "", "", n)
		for _, s := range found {
			lines = append(lines, fmt.Sprint(s.Priority, " ", s.Weight, " ", s.Port, " ", s.Target))
		}
	case "txt":
		lines, err = r.LookupTXT(ctx, n)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(lines, "\n"))
}
