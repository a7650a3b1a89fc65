// Package control is the API between the daemon and everybody else: types, server and client, HTTP and JSON over a Unix socket.
package control
