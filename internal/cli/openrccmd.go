package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

// accessFlags say for whom an openrc or clouds.yaml is.
type accessFlags struct {
	account, project, region, provider, cloud, as, keystone string
	newSecret                                               bool
}

func (f *accessFlags) register(c *cobra.Command) *cobra.Command {
	fl := c.Flags()
	fl.StringVar(&f.account, "service-account", "", "client `id` (required)")
	fl.StringVar(&f.project, "project", "", "project `id` (required)")
	fl.StringVar(&f.region, "region", "GRA1", "region `name`")
	fl.StringVar(&f.provider, "identity-provider", "", "`name`; that of the service account's partition if absent")
	fl.StringVar(&f.as, "as", string(asOIDC), "`way` to log in: oidc, or for tools without OpenID Connect password or application-credential")
	fl.StringVar(&f.keystone, "keystone", "", "`address` of the operator's own Keystone that trusts the identity provider, instead of the server's Identity API")
	fl.BoolVar(&f.newSecret, "new-secret", false, "make a further secret and put it into the file")
	_ = c.MarkFlagRequired("service-account")
	_ = c.MarkFlagRequired("project")
	return c
}

func (a *app) openrc() *cobra.Command {
	var f accessFlags
	return f.register(&cobra.Command{
		Use: "openrc --service-account CLIENT_ID --project ID", Short: "Print the guide's variables for the openstack command", Args: cobra.NoArgs,
		Long: `Print a file to source before using the openstack command or the Python SDK. It asks for the secret when it is sourced, or
holds a new one with --new-secret; and it unsets variables of other logins that would get in the way.

With --as password or --as application-credential it is for whatever knows no OpenID Connect: Terraform, Packer, rclone, restic and
others. It is the same service account, secret and rights each time; a token got with an application credential stays on its project.`,
		Example: `  stackgate openrc --service-account EU.0f0f0f0f0f0f0f0f --project 0f0f… --new-secret >openrc
  stackgate openrc --service-account EU.0f0f0f0f0f0f0f0f --project 0f0f… --as application-credential --new-secret >terraform.rc`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.writeAccess(c.Context(), &f, func(w io.Writer, v access) error { return writeOpenrc(w, v) })
		},
	})
}

func (a *app) cloudsYAML() *cobra.Command {
	var f accessFlags
	c := f.register(&cobra.Command{
		Use: "clouds-yaml --service-account CLIENT_ID --project ID", Short: "Print the guide's clouds.yaml for the openstack command and the Python SDK", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.writeAccess(c.Context(), &f, func(w io.Writer, v access) error { return writeClouds(w, v) })
		},
	})
	c.Flags().StringVar(&f.cloud, "cloud", "ovhcloud", "`name` of the entry")
	return c
}

func (a *app) writeAccess(ctx context.Context, f *accessFlags, write func(io.Writer, access) error) error {
	return a.withClient(func(cl *api.Client) error {
		v, err := f.access(ctx, cl)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := write(&b, v); err != nil {
			return err
		}
		return a.print(v, func(w io.Writer) { _, _ = w.Write(b.Bytes()) })
	})
}

func (f *accessFlags) access(ctx context.Context, cl *api.Client) (access, error) {
	v := access{PublicURL: strings.TrimRight(os.Getenv("STACKGATE_URL"), "/"), Project: f.project, ClientID: f.account, Region: f.region, Cloud: f.cloud,
		Keystone: f.keystone}
	switch v.As = door(f.as); v.As {
	case asOIDC, asPassword, asCredential:
	default:
		return v, usagef("--as %q is none of oidc, password, application-credential", f.as)
	}
	if f.keystone != "" && (!identityAddress(f.keystone) || v.As != asOIDC) {
		return v, usagef("--keystone takes an address such as https://keystone.example:5000/v3, and only with --as oidc: that Keystone knows no secrets of ours")
	}
	if !validProject(f.project) {
		return v, usagef("--project %q is not a project id: 32 lower-case hexadecimal digits", f.project)
	}
	s, err := cl.ServiceAccount(ctx, f.account)
	if err != nil {
		return v, err
	}
	identity, err := urn.Parse(s.Identity)
	if err != nil {
		return v, err
	}
	v.Partition, v.Provider = identity.Partition(), f.provider
	for _, p := range server.DefaultProviders() {
		if v.Provider == "" && p.Partition == v.Partition {
			v.Provider = p.Name
		}
	}
	if f.newSecret {
		made, err := cl.AddSecret(ctx, f.account, api.SecretCreation{Description: "stackgate openrc"})
		if err != nil {
			return v, err
		}
		v.Secret = made.ClientSecret
	}
	return v, nil
}

func validProject(s string) bool {
	_, err := iam.ParseProjectID(s)
	return err == nil
}
