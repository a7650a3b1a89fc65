// Package portowner says which processes have a UDP or TCP port of this network namespace.
package portowner
