package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/serviceaccount"
)

// clientCommands need no Stackgate server: they use a cloud as its clients do.
func (a *app) clientCommands() []*cobra.Command {
	return []*cobra.Command{a.exec(), a.agent(), a.token(), a.doctor()}
}

// cloudFlags say which cloud to log in to.
type cloudFlags struct {
	cloud, region string
	noCache       bool
}

func (f *cloudFlags) register(c *cobra.Command) *cobra.Command {
	fl := c.Flags()
	fl.StringVar(&f.cloud, "cloud", "", "entry `name` of clouds.yaml; if absent OS_CLOUD, or the variables OS_AUTH_URL, OS_CLIENT_ID, …, or the only entry")
	fl.StringVar(&f.region, "region", "", "region `name` of the entry, if it has several")
	fl.BoolVar(&f.noCache, "no-cache", false, "log in anew, and keep no token for other programs")
	return c
}

// config reads the configuration where openstacksdk would.
func (f *cloudFlags) config() (serviceaccount.Config, error) {
	name := f.cloud
	if name == "" {
		name = os.Getenv("OS_CLOUD")
	}
	c, err := serviceaccount.FromRegion(name, f.region)
	c.UserAgent = "stackgate/" + Version
	return c, err
}

// login gives a login that shares its tokens with other programs of this user, unless that is not wanted, or there is no place for them, as
// in a container whose file system cannot be written.
func (a *app) login(f *cloudFlags) (*serviceaccount.Login, error) {
	c, err := f.config()
	if err != nil {
		return nil, err
	}
	if !f.noCache {
		cache, err := agent.OpenCache(agent.RuntimeDir())
		switch _, cannot := errors.AsType[*fs.PathError](err); {
		case err == nil:
			c.Shared = cache.Share
		case cannot:
			a.note("stackgate: tokens are not kept for the next command: %v. Set XDG_RUNTIME_DIR to a directory of yours, or give --no-cache", err)
		default:
			return nil, err
		}
	}
	return serviceaccount.NewLogin(c)
}

// goodToken gives a token that the cloud still knows, should it be an older one from the cache.
func goodToken(ctx context.Context, l *serviceaccount.Login) (*serviceaccount.Token, error) {
	t, err := l.Token(ctx)
	if err != nil || t.Age() < youngToken {
		return t, err
	}
	if ok, err := l.Check(ctx, t); err != nil || ok {
		return t, nil // a Keystone that does not answer says nothing against the token
	}
	return l.Token(ctx)
}
