// Package sqlitefile reads the rows of an SQLite file without SQLite: whatever is left of it. It changes nothing, takes no locks, and trusts
// nothing that it reads: trees are followed as far as they lead, and pages that no tree leads to can be looked through one by one.
package sqlitefile
