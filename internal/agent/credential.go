package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stackgate/stackgate/serviceaccount"
)

// KeepCredential reads a Credential from a file, or makes one and writes it there, so that clients of an agent that starts again need not.
func KeepCredential(path string) (Credential, error) {
	var v struct{ ID, Secret, Token string }
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c := NewCredential()
		v.ID, v.Secret, v.Token = c.ID, string(c.Secret), string(c.Token)
		if text, err = json.Marshal(v); err != nil {
			return Credential{}, err
		}
		return c, WritePrivate(path, text)
	case err != nil:
		return Credential{}, err
	}
	if err := json.Unmarshal(text, &v); err != nil || v.ID == "" || len(v.Secret) < 20 || len(v.Token) < 20 {
		return Credential{}, fmt.Errorf("%s is not a credential of an agent's: remove it", path)
	}
	return Credential{v.ID, serviceaccount.Secret(v.Secret), serviceaccount.Secret(v.Token)}, nil
}
