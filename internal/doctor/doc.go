// Package doctor finds out what is wrong with a lab's network, or with one guest of it: it gathers facts from the configuration, the
// daemon and the kernel, asks a few questions on the wire (ARP, ping, DNS), and judges them. It changes nothing.
package doctor
