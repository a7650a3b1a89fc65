// Package hostsfile reads files of addresses and names in the format of hosts(5), and answers what they say: the addresses of a name, the name of an
// address, and the line that it stands on.
package hostsfile
