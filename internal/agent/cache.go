package agent

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stackgate/stackgate/serviceaccount"
)

// A Cache is a directory that only its user reads, in which the tokens of one configuration are shared by all programs of that user. A login costs two
// tokens and clouds limit how many they give: OVHcloud to 60 in a minute. Files are 0600, written at once, and locked while somebody logs in.
type Cache struct{ dir string }

// RuntimeDir is where the user's programs keep what ends with the session. The variable outlives the directory under su, cron and in containers.
func RuntimeDir() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return filepath.Join(dir, "stackgate")
	}
	return filepath.Join(os.TempDir(), "stackgate-"+strconv.Itoa(os.Getuid()))
}

// OpenCache makes the directory, and refuses one that somebody else could read or has made.
func OpenCache(dir string) (*Cache, error) {
	if err := PrivateDir(dir); err != nil {
		return nil, fmt.Errorf("token cache: %w", err)
	}
	return &Cache{dir}, nil
}

// PrivateDir makes a directory that only its user reads, and refuses one that is not.
func PrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ours(info) {
		return fmt.Errorf("%s must be a directory that only you can read (chmod 700), and yours", dir)
	}
	return nil
}

// iterations make guessing a password from a file's name as dear as from a good password file.
const iterations = 20_000

// name tells configurations apart: who logs in where, and with which secret. A secret that has been replaced is another configuration.
func name(c *serviceaccount.Config) (string, error) {
	who, err := json.Marshal([]string{
		string(c.AuthType), c.AuthURL, c.IdentityProvider, c.Protocol, c.DiscoveryEndpoint, c.AccessTokenEndpoint, c.AccessTokenType, c.Scope,
		c.ClientID, c.Username, c.UserID, c.UserDomainID, c.UserDomainName, c.ApplicationCredentialID, c.ApplicationCredentialName,
		c.ProjectID, c.ProjectName, c.ProjectDomainID, c.ProjectDomainName, c.DomainID, c.DomainName, c.TrustID, c.SystemScope,
	})
	if err != nil {
		return "", err
	}
	var secrets string
	for _, s := range []serviceaccount.Secret{c.ClientSecret, c.Password, c.ApplicationCredentialSecret, c.AccessToken, c.Token} {
		secrets += string(s) + "\x00"
	}
	sum, err := pbkdf2.Key(sha256.New, secrets, who, iterations, 16)
	return hex.EncodeToString(sum), err
}

// Share is a serviceaccount.Shared. When the cache cannot be used the login happens without it.
func (c *Cache) Share(ctx context.Context, conf *serviceaccount.Config, good func(*serviceaccount.Token) bool,
	login func(context.Context) (*serviceaccount.Token, error)) (*serviceaccount.Token, error) {
	id, err := name(conf)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.dir, id)
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return login(ctx)
	}
	defer unlock()
	if t := read(path + ".json"); t != nil && good(t) {
		return t, nil
	}
	t, err := login(ctx)
	if err == nil {
		_ = c.keep(path+".json", t) // the next one logs in again
	}
	return t, err
}

func read(path string) *serviceaccount.Token {
	text, err := os.ReadFile(path)
	var s serviceaccount.StoredToken
	if err != nil || json.Unmarshal(text, &s) != nil {
		return nil
	}
	return s.Restore()
}

func (c *Cache) keep(path string, t *serviceaccount.Token) error {
	c.sweep()
	text, err := json.Marshal(t.Store())
	if err != nil {
		return err
	}
	return WritePrivate(path, text)
}

// sweep removes what has not been used for two days: no token lives longer, and a command that exec runs is given a month.
func (c *Cache) sweep() {
	files, _ := os.ReadDir(c.dir)
	for _, f := range files {
		age := 48 * time.Hour
		if filepath.Ext(f.Name()) == ".yaml" {
			age = 30 * 24 * time.Hour
		}
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > age {
			_ = os.Remove(filepath.Join(c.dir, f.Name()))
		}
	}
}

// WritePrivate replaces a file at once with one that only its owner reads.
func WritePrivate(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// Forget removes every token, and says how many there were.
func (c *Cache) Forget() (int, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	n := 0
	for _, f := range files {
		switch e := os.Remove(f); {
		case e == nil:
			n++
		case !errors.Is(e, fs.ErrNotExist):
			err = errors.Join(err, e)
		}
	}
	return n, err
}
