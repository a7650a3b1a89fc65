package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Problem is something about a hook that a person should look at.
type Problem struct {
	Hook    string
	Summary string
	Remedy  string
}

// Check looks at what the hooks need on this host: programs, users, secrets. Nothing of it keeps a Runner from running, since all is looked at anew
// for each event.
func Check(cfgs []Config) []Problem {
	var out []Problem
	for _, cfg := range cfgs {
		for _, p := range []Problem{checkProgram(&cfg), checkUser(&cfg), checkSecret(cfg.SecretFile, "secret"), checkSecret(cfg.TokenFile, "token")} {
			if p.Summary != "" {
				p.Hook = cfg.Name
				p.Summary = fmt.Sprintf("hook %q: %s", cfg.Name, p.Summary)
				out = append(out, p)
			}
		}
	}
	return out
}

func checkProgram(cfg *Config) Problem {
	if len(cfg.Command) == 0 {
		return Problem{}
	}
	path := cfg.Command[0]
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Summary: fmt.Sprintf("there is no program %s", path), Remedy: "put it there, or name another one in command"}
	case err != nil:
		return Problem{Summary: fmt.Sprintf("the program can't be looked at: %v", err)}
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return Problem{Summary: fmt.Sprintf("%s is no program that can be run", path), Remedy: "name another one in command, or `chmod +x " + path + "`"}
	case info.Mode()&0o002 != 0 && cfg.User == "":
		return Problem{Summary: fmt.Sprintf("everybody can write %s, which runs as labnet's own user", path), Remedy: "`chmod o-w " + path + "`"}
	}
	return Problem{}
}

func checkUser(cfg *Config) Problem {
	credential, err := credentialOf(cfg.User)
	switch {
	case err != nil:
		return Problem{Summary: err.Error(), Remedy: "make the user, or name another one in user"}
	case credential != nil && os.Geteuid() != 0:
		return Problem{Summary: fmt.Sprintf("only root can run a program as %q", cfg.User), Remedy: "leave user out, or run labnet as root"}
	}
	return Problem{}
}

func checkSecret(path, what string) Problem {
	if path == "" {
		return Problem{}
	}
	if _, err := readSecret(path); err != nil {
		return Problem{Summary: fmt.Sprintf("the %s can't be read: %v", what, err), Remedy: "nothing is sent without it"}
	}
	var info unix.Stat_t
	if err := unix.Stat(path, &info); err == nil && info.Mode&0o007 != 0 {
		return Problem{Summary: fmt.Sprintf("everybody on this host can use the %s in %s", what, path), Remedy: "`chmod o= " + path + "`"}
	}
	return Problem{}
}
