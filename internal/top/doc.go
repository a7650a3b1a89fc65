// Package top is the screen of `labnet top`: what a daemon does from one moment to the next, and for whom. What is shown is made of two samples by
// pure functions; the terminal is the smallest part.
package top
