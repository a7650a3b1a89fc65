// Package hostdump takes down everything that a host's network is made of, so that tests can show that it is what it was before.
package hostdump
