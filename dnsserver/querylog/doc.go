// Package querylog is a log file that never keeps anybody waiting: lines go through a bounded queue, and are lost where they don't fit. The file is
// bounded too: it begins anew when it is full, and a few of its predecessors are kept.
package querylog
