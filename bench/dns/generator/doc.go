// Package generator is DNS clients in a closed loop on one thread: sixteen sockets or so, each with some questions in flight, a new one for each
// answer. It checks every answer, and measures how long each took. It is for bench/dns, and for tests of the whole.
package generator
