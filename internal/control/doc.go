// Package control is the API between the daemon and everybody else: its types, its server and its client. It is HTTP
// and JSON over a Unix socket, described by OpenAPI 3.1 at /openapi.json; errors are problem details (RFC 9457).
package control
