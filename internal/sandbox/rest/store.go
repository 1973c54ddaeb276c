package rest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// A Store is where one service of one region keeps its state between runs: one JSON file. The zero Store keeps nothing.
type Store struct{ path string }

// NewStore names the file <dir>/<region>-<service>.json. With dir "" the state lives in memory only.
func NewStore(dir, service, region string) Store {
	if dir == "" {
		return Store{}
	}
	return Store{filepath.Join(dir, region+"-"+service+".json")}
}

// Load reads the state into v and leaves v alone when nothing was saved yet.
func (s Store) Load(v any) error {
	if s.path == "" {
		return nil
	}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load sandbox state: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("load sandbox state %s: %w", s.path, err)
	}
	return nil
}

// Save replaces the file with v, whole or not at all.
func (s Store) Save(v any) error {
	if s.path == "" {
		return nil
	}
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode sandbox state: %w", err)
	}
	if err := replaceFile(s.path, b); err != nil {
		return fmt.Errorf("save sandbox state: %w", err)
	}
	return nil
}

func replaceFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".saving-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
