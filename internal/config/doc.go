// Package config turns HCL text into a validated, defaulted, typed Config, with diagnostics that point at the line.
package config
