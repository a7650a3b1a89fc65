// Package histogram counts how long things take, in buckets, while others read.
package histogram
