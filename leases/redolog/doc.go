// Package redolog makes small batches of bytes durable at the price of one fdatasync each: it overwrites two files in turn,
// which have their full length from the beginning, so that no sync has to write anything but the data. What is in it is
// moved to its place later, in large pieces and behind everybody's back; after a crash, Read returns what wasn't yet.
package redolog
