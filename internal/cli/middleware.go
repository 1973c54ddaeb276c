package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
)

// middlewareFlags say for whom the section is.
type middlewareFlags struct {
	service, secretFile, authURL, cafile, region string
	cache                                        int
}

// A middlewareSection is what keystonemiddleware wants to know.
type middlewareSection struct {
	Program, Section, PublicURL, AuthURL, CAFile, Region, Provider, ClientID, Secret, Project string
	Cache                                                                                     int
}

func (a *app) middleware() *cobra.Command {
	c := &cobra.Command{Use: "middleware", Short: "Configure real services to validate tokens here"}
	c.AddCommand(a.middlewarePrint())
	return c
}

func (a *app) middlewarePrint() *cobra.Command {
	var f middlewareFlags
	c := &cobra.Command{
		Use: "print SERVICE --service CLIENT_ID", Short: "Print the [keystone_authtoken] section of a service", Args: cobra.ExactArgs(1),
		Long: `Print the section of keystonemiddleware for a service: [keystone_authtoken] of nova.conf, glance-api.conf and so on, for nova and cinder
[service_user] too, and for swift the [filter:authtoken] of proxy-server.conf. --service is an account of 'stackgate service create'.

The output holds the secret: write it into a file that only the service can read. The secret comes from --secret-file, or is asked for,
and is checked.`,
		Example: "  stackgate middleware print glance --service EU.0f0f0f0f0f0f0f0f --secret-file /root/glance.secret >>/etc/glance/glance-api.conf",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c.Context(), f.service, func(r *registry.Registry, _ iam.Caller, s iam.ServiceAccount) error {
				secret, err := a.secretOf(f.secretFile)
				if err != nil {
					return err
				}
				if _, err := r.Authenticate(c.Context(), s.ID, secret, registry.Use{Agent: "stackgate middleware print"}); err != nil {
					return err
				}
				return a.printMiddleware(args[0], &f, s, secret)
			})
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.service, "service", "", "client `id` of the service (required)")
	fl.StringVar(&f.secretFile, "secret-file", "", "`file` with its secret; asked for if absent")
	fl.StringVar(&f.authURL, "auth-url", "", "`address` at which services reach us, with /v3; that of identity's internal_url, or of public_url")
	fl.StringVar(&f.cafile, "cafile", "", "`file` on the service's machine with the authority that signed our certificate; the system's")
	fl.StringVar(&f.region, "region", "", "`name` of the service's region; the first of the catalog")
	fl.IntVar(&f.cache, "cache", 300, "`seconds` for which a service goes on with what it knows of a token; -1 for none")
	_ = c.MarkFlagRequired("service")
	return c
}

func (a *app) printMiddleware(program string, f *middlewareFlags, s iam.ServiceAccount, secret string) error {
	conf, err := loadConfig(a.config)
	if err != nil {
		return err
	}
	v := middlewareSection{
		Program: program, Section: "keystone_authtoken", PublicURL: strings.TrimRight(conf.PublicURL, "/"), CAFile: f.cafile,
		ClientID: string(s.ID), Secret: secret, Project: string(s.ServiceProject), Cache: f.cache,
	}
	if program == "swift" {
		v.Section = "filter:authtoken"
	}
	v.AuthURL, v.Region = cmp.Or(f.authURL, conf.internalURL()), cmp.Or(f.region, conf.region())
	if v.Provider, err = conf.providerOf(s.Owner.Partition); err != nil {
		return err
	}
	return middlewareText.Execute(a.out, v)
}

// region is the first one that the catalog names: Debian's files name one that nobody has.
func (c *Config) region() string {
	for _, e := range c.Catalog {
		if len(e.Endpoints) > 0 {
			return e.Endpoints[0].Region
		}
	}
	return "RegionOne"
}

// internalURL is where services find the Identity API.
func (c *Config) internalURL() string {
	for _, e := range c.Catalog {
		for _, p := range e.Endpoints {
			if e.Type == "identity" && p.InternalURL != "" {
				return p.InternalURL
			}
		}
	}
	return strings.TrimRight(c.PublicURL, "/") + "/v3"
}

// secretOf reads a secret from a file, or asks for it.
func (a *app) secretOf(file string) (string, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("the secret: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	a.note("Secret of the service:")
	if in, ok := a.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		text, err := term.ReadPassword(int(in.Fd()))
		return strings.TrimSpace(string(text)), err
	}
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// middlewareText is read by oslo.config and, for Swift, by PasteDeploy; neither finds a character of its own in our values.
var middlewareText = template.Must(template.New("").Parse(`# How {{.Program}} validates tokens with Stackgate. It holds a secret.
[{{.Section}}]
{{- if eq .Program "swift"}}
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
# A request without a token goes on, to tempurl and to public containers.
delay_auth_decision = true
{{- end}}
www_authenticate_uri = {{.PublicURL}}/v3
{{template "login" .}}
# How long a token that was taken back goes on to work here: for so many seconds this service asks nobody about it again. 300 is the
# default of OpenStack, 10 is still cheap, -1 asks each time. Without memcached_servers each worker process has a cache of its own.
token_cache_time = {{.Cache}}
# A token of a service beside the user's counts only if it has this role (Nova's calls to its neighbours).
service_token_roles = service
service_token_roles_required = true
{{- if or (eq .Program "nova") (eq .Program "cinder")}}

[service_user]
send_service_user_token = true
{{template "login" .}}
{{- end}}
{{define "login"}}auth_type = password
auth_url = {{.AuthURL}}
{{- if .CAFile}}
cafile = {{.CAFile}}
{{- end}}
user_domain_name = {{.Provider}}
username = {{.ClientID}}
password = {{.Secret}}
project_id = {{.Project}}
region_name = {{.Region}}
{{- end}}`))
