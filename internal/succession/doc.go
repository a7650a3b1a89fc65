// Package succession hands open sockets from a process to the one that takes its place, with what is queued in them: by exec, or through
// systemd's store of file descriptors, which also survives a kill -9.
package succession
