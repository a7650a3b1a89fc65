// Package report writes a benchmark's results as Markdown: tables, numbers for people, what machine they hold for, and where they stand
// in a document. It is for the programs below bench alone.
package report
