// Package stage is what the servers of a benchmark run on: namespaces of the benchmark's own, the CPUs that everybody is kept to, and the servers'
// processes, with what they use of CPU and memory. It is for the programs below bench alone.
package stage
