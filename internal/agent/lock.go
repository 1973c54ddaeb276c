package agent

import (
	"context"
	"errors"
	"path/filepath"
)

// errOther is what a start fails with beside another.
var errOther = errors.New("another stackgate is running with this directory: stop it first, or give a --dir of its own")

// Alone makes sure that one program at a time writes into a directory; it lasts until release, or the process ends.
func Alone(dir string) (release func(), err error) {
	once, cancel := context.WithCancel(context.Background())
	cancel() // try, and do not wait
	switch release, err = lock(once, filepath.Join(dir, "lock")); {
	case errors.Is(err, context.Canceled):
		return nil, errOther
	case errors.Is(err, errors.ErrUnsupported):
		return func() {}, nil
	}
	return release, err
}
