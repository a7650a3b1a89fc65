// Package nettest gives tests network namespaces, links between them and real clients, and removes everything with the test process.
package nettest
