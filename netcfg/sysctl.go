package netcfg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readSysctls reads those keys that exist. The calling thread's namespace counts.
func readSysctls(keys []sysctlKey) (map[sysctlKey]string, error) {
	values := map[sysctlKey]string{}
	for _, k := range keys {
		b, err := os.ReadFile(k.path())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading sysctl %s: %w", k, err)
		}
		values[k] = strings.TrimSpace(string(b))
	}
	return values, nil
}

// writeSysctl sets a key. The calling thread's namespace counts.
func writeSysctl(k sysctlKey, value string) error {
	f, err := os.OpenFile(k.path(), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, fs.ErrNotExist) && k.link() != "" {
		return fmt.Errorf("setting sysctl %s: %w", k, errNoLink)
	}
	return wrap(err, "setting sysctl %s to %s", k, value)
}

func (k sysctlKey) path() string { return "/proc/sys/" + string(k) }
