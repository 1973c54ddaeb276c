package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// maxFile bounds what is read as JSON from a file, in bytes.
const maxFile = 4 << 20

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	return data, err
}

// decodeFile reads one JSON value strictly from a file or standard input.
func decodeFile[T any](a *app, name string) (v T, err error) {
	data, err := a.readFile(name)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v, json.RejectUnknownMembers(true)); err != nil {
		return v, fmt.Errorf("%s is not the JSON expected: %w", name, err)
	}
	return v, nil
}

func (a *app) policy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Create, apply, list and delete policies"}
	c.AddCommand(a.policyCreate(), a.policyApply(), a.policyList(), a.policyShow(), &cobra.Command{
		Use: "delete ID...", Short: "Delete policies; what they granted ends at once", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error {
				return each(args, func(id string) error { return cl.DeletePolicy(c.Context(), id) })
			})
		},
	})
	return c
}

// policyFlags describe a policy in one line.
type policyFlags struct {
	file, name, description, expires  string
	accounts, rights, projects        []string
	identities, resources             []string
	allow, deny, except, permissionsG []string
}

func (a *app) policyCreate() *cobra.Command {
	var f policyFlags
	c := &cobra.Command{
		Use: "create", Short: "Create a policy, from flags or from the guide's JSON", Args: cobra.NoArgs,
		Example: `  stackgate policy create --service-account EU.0f0f0f0f0f0f0f0f --right computeOperator --project 0f0f… --expires 8h
  stackgate policy create -f policy.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withClient(func(cl *api.Client) error {
				p, err := f.policy(c.Context(), a, cl)
				if err != nil {
					return err
				}
				made, err := cl.CreatePolicy(c.Context(), p)
				if err != nil {
					return err
				}
				return a.print(made, func(w io.Writer) { _, _ = fmt.Fprintln(w, made.ID) })
			})
		},
	}
	fl := c.Flags()
	fl.StringVarP(&f.file, "file", "f", "", "policy as JSON, - for standard input")
	fl.StringVar(&f.name, "name", "", "name; made from the other flags if absent")
	fl.StringVar(&f.description, "description", "", "what it is for")
	fl.StringVar(&f.expires, "expires", "", "`span` after which it no longer applies, such as 8h")
	fl.StringSliceVar(&f.accounts, "service-account", nil, "client `id` of who may")
	fl.StringSliceVar(&f.rights, "right", nil, "one of 'stackgate rights', short (computeOperator) or whole")
	fl.StringSliceVar(&f.projects, "project", nil, "project `id` on which")
	fl.StringSliceVar(&f.identities, "identity", nil, "identity `URN` of who may")
	fl.StringSliceVar(&f.resources, "resource", nil, "resource `URN` on which")
	fl.StringSliceVar(&f.allow, "allow", nil, "`action` or glob that is allowed")
	fl.StringSliceVar(&f.deny, "deny", nil, "`action` or glob that is denied, whatever else allows it")
	fl.StringSliceVar(&f.except, "except", nil, "`action` or glob left out of --allow")
	fl.StringSliceVar(&f.permissionsG, "permissions-group", nil, "`URN` of a permissions group")
	return c
}

// policy makes the policy that the flags describe.
func (f *policyFlags) policy(ctx context.Context, a *app, cl *api.Client) (api.Policy, error) {
	if f.file != "" {
		return decodeFile[api.Policy](a, f.file)
	}
	if len(f.accounts)+len(f.identities) == 0 || len(f.projects)+len(f.resources) == 0 {
		return api.Policy{}, usagef("say who (--service-account), what (--right) and where (--project), or give a file with -f")
	}
	p := api.Policy{Name: f.name, Description: f.description, Identities: f.identities, Permissions: &api.Permissions{}}
	partition := urn.EU
	for _, id := range f.accounts {
		s, err := cl.ServiceAccount(ctx, id)
		if err != nil {
			return p, err
		}
		p.Identities = append(p.Identities, s.Identity)
		if u, err := urn.Parse(s.Identity); err == nil {
			partition = u.Partition()
		}
	}
	for _, id := range f.projects {
		p.Resources = append(p.Resources, api.PolicyResource{URN: string(urn.Project(partition, id))})
	}
	for _, u := range f.resources {
		p.Resources = append(p.Resources, api.PolicyResource{URN: u})
	}
	for _, u := range f.permissionsG {
		p.PermissionsGroups = append(p.PermissionsGroups, api.PermissionsGroupRef{URN: u})
	}
	p.Permissions.Allow = append(actions(wholeRights(f.rights)), actions(f.allow)...)
	p.Permissions.Deny, p.Permissions.Except = actions(f.deny), actions(f.except)
	if f.expires != "" {
		d, err := parseSpan(f.expires)
		if err != nil {
			return p, err
		}
		p.ExpiredAt = new(time.Now().Add(d).UTC().Truncate(time.Second))
	}
	if p.Name == "" {
		p.Name = madeName(slices.Concat(f.accounts, f.rights, f.projects), time.Now())
	}
	return p, nil
}

// madeName names a policy after what it is about, as far as the length of a name allows, and after when it was made.
func madeName(what []string, now time.Time) string {
	name, when := strings.Join(what, "-"), now.UTC().Format("-20060102T150405")
	return name[:min(len(name), iam.MaxNameLength-len(when))] + when
}

func actions(list []string) (out []api.Action) {
	for _, s := range list {
		out = append(out, api.Action{Action: s})
	}
	return out
}

// wholeRights completes short names of rights: computeOperator is publicCloudProject:openstack:computeOperator. What is no right stays as
// it is; the server then says which one is nearest.
func wholeRights(short []string) []string {
	out := slices.Clone(short)
	for i, s := range out {
		for _, r := range iam.Rights() {
			if strings.HasSuffix(string(r.Action), ":"+s) {
				out[i] = string(r.Action)
			}
		}
	}
	return out
}

func (a *app) policyApply() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Make a policy of this name be as the file says; doing it again changes nothing", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			want, err := decodeFile[api.Policy](a, file)
			if err != nil {
				return err
			}
			return a.withClient(func(cl *api.Client) error {
				got, what, err := applyPolicy(c.Context(), cl, want)
				if err != nil {
					return err
				}
				return a.print(map[string]string{"id": got.ID, "name": got.Name, "result": what}, func(w io.Writer) { _, _ = fmt.Fprintln(w, got.ID, what) })
			})
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "policy as JSON, - for standard input (required)")
	_ = c.MarkFlagRequired("file")
	return c
}

// applyPolicy creates or replaces the policy of want's name, or finds it as wanted.
func applyPolicy(ctx context.Context, cl *api.Client, want api.Policy) (got api.Policy, what string, err error) {
	list, err := cl.Policies(ctx, api.PolicyQuery{})
	if err != nil {
		return got, "", err
	}
	i := slices.IndexFunc(list, func(p api.Policy) bool { return p.Name == want.Name })
	if i < 0 {
		got, err = cl.CreatePolicy(ctx, want)
		return got, "created", err
	}
	if same, err := samePolicy(list[i], want); err != nil || same {
		return list[i], "unchanged", err
	}
	got, err = cl.ReplacePolicy(ctx, list[i].ID, want)
	return got, "changed", err
}

// samePolicy compares what a user writes of two policies.
func samePolicy(a, b api.Policy) (bool, error) {
	x, errX := writable(a)
	y, errY := writable(b)
	return x == y, errors.Join(errX, errY)
}

// writable is a policy's text without its read-only members, absent and empty lists alike.
func writable(p api.Policy) (string, error) {
	p.ID, p.Owner, p.ReadOnly, p.CreatedAt, p.UpdatedAt = "", "", false, nil, nil
	if p.Permissions == nil {
		p.Permissions = &api.Permissions{}
	}
	if p.ExpiredAt != nil {
		p.ExpiredAt = new(p.ExpiredAt.UTC())
	}
	p.Resources = slices.Clone(p.Resources)
	for i := range p.Resources {
		p.Resources[i].Resource, p.Resources[i].Group = nil, nil
	}
	p.PermissionsGroups = slices.Clone(p.PermissionsGroups)
	for i, g := range p.PermissionsGroups {
		p.PermissionsGroups[i] = api.PermissionsGroupRef{URN: g.URN}
	}
	b, err := json.Marshal(p, json.Deterministic(true))
	return string(b), err
}

func (a *app) policyList() *cobra.Command {
	return &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List policies", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(func(cl *api.Client) error {
			list, err := cl.Policies(c.Context(), api.PolicyQuery{})
			if err != nil {
				return err
			}
			return printList(a, list, []string{"ID", "NAME", "IDENTITIES", "RESOURCES", "ALLOW", "EXPIRES"}, func(p api.Policy) (any, []string) {
				return p, []string{p.ID, p.Name, fmt.Sprint(len(p.Identities)), fmt.Sprint(len(p.Resources)), allowed(p), timeOf(p.ExpiredAt)}
			})
		})
	}}
}

// allowed names what a policy allows, briefly.
func allowed(p api.Policy) string {
	var names []string
	if p.Permissions != nil {
		for _, v := range p.Permissions.Allow {
			names = append(names, v.Action)
		}
	}
	for _, g := range p.PermissionsGroups {
		names = append(names, g.URN)
	}
	if len(names) > 2 {
		names = append(names[:2], "…")
	}
	return strings.Join(names, " ")
}

func (a *app) policyShow() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show a policy as JSON, ready for apply -f", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(func(cl *api.Client) error {
			p, err := cl.Policy(c.Context(), args[0], false)
			if err != nil {
				return err
			}
			a.output = "json"
			return a.print(p, nil)
		})
	}}
}
