package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxSecret bounds what is read of a secret's file, in bytes.
const maxSecret = 4096

// readSecret returns the content of an ordinary file without the white space at its end. Errors don't tell any of it.
func readSecret(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not an ordinary file", path)
	}
	secret, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return nil, err
	}
	if len(secret) > maxSecret {
		return nil, fmt.Errorf("%s has more than %d bytes: is it the right file?", path, maxSecret)
	}
	if secret = bytes.TrimRight(secret, " \t\r\n"); len(secret) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// readToken is readSecret for what goes into a header.
func readToken(path string) (string, error) {
	token, err := readSecret(path)
	if err != nil {
		return "", err
	}
	if bytes.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", errors.New(path + " has a character in it that no token has")
	}
	return string(token), nil
}
