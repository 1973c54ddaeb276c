package provision

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
)

// providerVariable is what Apache puts the claim provider into. Keystone compares it with the remote ids of the identity provider, which
// could as well be issuers, but that Keystone 29 takes 64 characters at most.
const providerVariable = "OIDC-provider"

// A step makes one change.
type step func(ctx context.Context, w wire, known *ids) error

// ids are what the Keystone calls things, those that were there and those made by earlier steps.
type ids struct {
	domain string
	roles  map[string]string // by name
	groups map[string]string // by name
}

func newIDs(s *state) *ids {
	known := &ids{roles: map[string]string{}, groups: map[string]string{}}
	if s.domain != nil {
		known.domain = s.domain.ID
	}
	for name, r := range s.roles {
		known.roles[name] = r.ID
	}
	for name, g := range s.groups {
		known.groups[name] = g.ID
	}
	return known
}

// Apply makes the changes of a plan, one after the other, and stops at the first that fails: the next plan goes on from there. With
// a conflict it makes none. report, which may be nil, is called after each.
func (k *Keystone) Apply(ctx context.Context, p *Plan, report func(done, of int, c Change)) error {
	if list := p.Conflicts(); len(list) > 0 {
		c := list[0]
		return fmt.Errorf("nothing was changed, as there are %d conflicts; the first: %s %s %s", len(list), c.Kind, c.Name, c.Detail)
	}
	done, of := 0, p.Pending()
	for _, c := range p.Changes {
		if c.run == nil {
			continue
		}
		if err := c.run(ctx, k.wire, p.ids); err != nil {
			return fmt.Errorf("%d of %d changes are made, then %s %s %s failed: %w. Running it again goes on from there",
				done, of, c.Verb, c.Kind, c.Name, err)
		}
		if done++; report != nil {
			report(done, of, c)
		}
	}
	return nil
}

func createRole(t Trust, name string) step {
	return func(ctx context.Context, w wire, known *ids) error {
		var made role
		err := w.send(ctx, http.MethodPost, "role", map[string]any{"name": name, "description": t.mark()}, &made, "roles")
		known.roles[name] = made.ID
		return err
	}
}

func createDomain(t Trust) step {
	return func(ctx context.Context, w wire, known *ids) error {
		var made domain
		err := w.send(ctx, http.MethodPost, "domain", map[string]any{"name": t.Provider, "description": t.mark()}, &made, "domains")
		known.domain = made.ID
		return err
	}
}

func createProvider(t Trust) step {
	return func(ctx context.Context, w wire, known *ids) error {
		body := map[string]any{"domain_id": known.domain, "description": t.mark(), "enabled": true, "remote_ids": []string{t.Provider}}
		return w.send(ctx, http.MethodPut, "identity_provider", body, nil, "OS-FEDERATION", "identity_providers", t.Provider)
	}
}

func updateProvider(t Trust) step {
	return func(ctx context.Context, w wire, _ *ids) error {
		body := map[string]any{"remote_ids": []string{t.Provider}}
		return w.send(ctx, http.MethodPatch, "identity_provider", body, nil, "OS-FEDERATION", "identity_providers", t.Provider)
	}
}

func putMapping(t Trust, method string) step {
	return func(ctx context.Context, w wire, _ *ids) error {
		return w.send(ctx, method, "mapping", map[string]any{"rules": t.rules()}, nil, "OS-FEDERATION", "mappings", t.Provider)
	}
}

func putProtocol(t Trust, method string) step {
	return func(ctx context.Context, w wire, _ *ids) error {
		body := map[string]any{"mapping_id": t.Provider, "remote_id_attribute": providerVariable}
		return w.send(ctx, method, "protocol", body, nil, "OS-FEDERATION", "identity_providers", t.Provider, "protocols", Protocol)
	}
}

func createGroup(t Trust, project iam.ProjectID, name string, roles []string) step {
	grants := changeGrants(http.MethodPut, project, name, roles)
	return func(ctx context.Context, w wire, known *ids) error {
		var made group
		body := map[string]any{"name": name, "domain_id": known.domain, "description": t.mark()}
		if err := w.send(ctx, http.MethodPost, "group", body, &made, "groups"); err != nil {
			return err
		}
		known.groups[name] = made.ID
		return grants(ctx, w, known)
	}
}

// changeGrants gives a group roles on its project (PUT), or takes them away (DELETE).
func changeGrants(method string, project iam.ProjectID, name string, roles []string) step {
	return func(ctx context.Context, w wire, known *ids) error {
		for _, r := range roles {
			path := []string{"projects", string(project), "groups", known.groups[name], "roles", known.roles[r]}
			if err := w.send(ctx, method, "", nil, nil, path...); err != nil {
				return fmt.Errorf("%s: %w", r, err)
			}
		}
		return nil
	}
}

func remove(path ...string) step {
	return func(ctx context.Context, w wire, _ *ids) error {
		return w.send(ctx, http.MethodDelete, "", nil, nil, path...)
	}
}

// String is a change as one line.
func (c Change) String() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s %s", c.Verb, c.Kind, c.Name, c.Detail), " ")
}
