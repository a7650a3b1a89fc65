// Package handover moves a network interface's addresses and routes to a bridge that the interface becomes a port of, and back,
// so that whoever is connected over it stays connected: what was there is on disk before the first step, every step can be the
// last one, and Back leads from any of them to what was. The calling thread's network namespace counts throughout.
package handover
