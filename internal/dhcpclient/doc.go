// Package dhcpclient gets an IPv4 address for one interface by DHCP and keeps it: RFC 2131's client, with RFC 5227's check
// that nobody else uses the address. It configures nothing: whoever runs it is told what to put on the interface, and when.
package dhcpclient
