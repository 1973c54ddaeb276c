package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/serviceaccount"
)

// youngToken is for how long a token is not asked after.
const youngToken = time.Minute

func (a *app) token() *cobra.Command {
	var f cloudFlags
	var format string
	var forget bool
	c := f.register(&cobra.Command{
		Use: "token [--cloud NAME]", Short: "Print a token of the cloud's, from a cache that is shared", Args: cobra.NoArgs,
		Long: `Print a token of the cloud that the variables or clouds.yaml name, at OVHcloud or any other; it needs no Stackgate server.

Each login costs two tokens, and clouds limit how many they give. So tokens are kept in the user's runtime directory ($XDG_RUNTIME_DIR/stackgate,
readable by the user only) and used by every program of that user with the same configuration, exec and agent included. One that is about to
end is replaced, and one that the cloud no longer knows as well. A secret that was replaced is another configuration.

--format is value, json, openrc (variables for a shell, good until the token ends) or header (for curl).`,
		Example: `  curl -H "$(stackgate token --cloud ovhcloud --format header)" https://…
  eval "$(stackgate token --format openrc)"
  stackgate token --forget                  # empty the cache`,
		RunE: func(c *cobra.Command, _ []string) error {
			if forget {
				return a.forgetTokens()
			}
			if a.output == "json" && !c.Flags().Changed("format") {
				format = "json"
			}
			print, ok := tokenFormats[format]
			if !ok {
				return usagef("--format is value, json, openrc or header, not %q", format)
			}
			login, err := a.login(&f)
			if err != nil {
				return err
			}
			t, err := goodToken(c.Context(), login)
			if err != nil {
				return err
			}
			return print(a.out, t, login.Config())
		},
	})
	c.Flags().StringVar(&format, "format", "value", "value, json, openrc or header")
	c.Flags().BoolVar(&forget, "forget", false, "remove every token from the cache, of all clouds; they live on until they end")
	return c
}

func (a *app) forgetTokens() error {
	cache, err := agent.OpenCache(agent.RuntimeDir())
	if err != nil {
		return err
	}
	n, err := cache.Forget()
	a.note("Removed %d from the cache.", n)
	return err
}

// tokenFormats write a token.
var tokenFormats = map[string]func(io.Writer, *serviceaccount.Token, serviceaccount.Config) error{
	"value": func(w io.Writer, t *serviceaccount.Token, _ serviceaccount.Config) error {
		_, err := fmt.Fprintln(w, string(t.ID))
		return err
	},
	"header": func(w io.Writer, t *serviceaccount.Token, _ serviceaccount.Config) error {
		_, err := fmt.Fprintln(w, "X-Auth-Token: "+string(t.ID))
		return err
	},
	"json":   tokenJSON,
	"openrc": tokenOpenRC,
}

// A tokenBody is what we show of a token.
type tokenBody struct {
	Token struct {
		User, Project struct{ ID, Name string }
		Roles         []struct{ Name string }
	}
}

func bodyOf(t *serviceaccount.Token) (v tokenBody) {
	_ = json.Unmarshal(t.Body, &v) // it is JSON: a Token has been made of it
	return v
}

func tokenJSON(w io.Writer, t *serviceaccount.Token, _ serviceaccount.Config) error {
	v := bodyOf(t)
	roles := []string{}
	for _, r := range v.Token.Roles {
		roles = append(roles, r.Name)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{
		"id": string(t.ID), "expires": t.ExpiresAt.UTC().Format(time.RFC3339), "project_id": v.Token.Project.ID, "project_name": v.Token.Project.Name,
		"user_id": v.Token.User.ID, "user_name": v.Token.User.Name, "roles": roles,
	})
}

// tokenOpenRC has OS_AUTH_TOKEN and OS_STORAGE_URL too, for swift and rclone, which then ask no Identity service.
func tokenOpenRC(w io.Writer, t *serviceaccount.Token, c serviceaccount.Config) error {
	vars := [][2]string{
		{"OS_AUTH_TYPE", "v3token"}, {"OS_AUTH_URL", c.AuthURL}, {"OS_IDENTITY_API_VERSION", "3"}, {"OS_TOKEN", string(t.ID)}, {"OS_AUTH_TOKEN", string(t.ID)},
		{"OS_PROJECT_ID", bodyOf(t).Token.Project.ID}, {"OS_REGION_NAME", c.Region}, {"OS_STORAGE_URL", agent.StorageURL(t, c)},
		{"OS_CACERT", c.CACert},
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "# Good until %s.\n%s\n", when(t.ExpiresAt), unsetLogins)
	for _, v := range vars {
		if v[1] != "" {
			_, _ = fmt.Fprintf(&b, "export %s=%s\n", v[0], quote(v[1]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
