// Package daemon is the composition root: it builds, starts and stops the parts of labnet; it is the only glue.
package daemon
