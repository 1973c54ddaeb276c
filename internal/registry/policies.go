package registry

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// PolicyFilter narrows a list of policies; empty members do not. A policy matches a list if it names any of its items, as written.
type PolicyFilter struct {
	Actions    []iam.Action
	Identities []urn.URN
	Resources  []urn.URN
	ReadOnly   *bool
}

func (f *PolicyFilter) match(p *iam.Policy) bool {
	actions := slices.Concat(p.Permissions.Allow, p.Permissions.Deny, p.Permissions.Except)
	return overlap(f.Actions, actions) && overlap(f.Identities, p.Identities) && overlap(f.Resources, p.Resources) &&
		(f.ReadOnly == nil || *f.ReadOnly == p.ReadOnly)
}

// overlap reports whether have has any of wanted; nothing wanted is no filter.
func overlap[T comparable](wanted, have []T) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w T) bool { return slices.Contains(have, w) })
}

// pages collects up to limit+1 items that match, reading page by page.
func pages[T any](after string, limit int, id func(*T) string, read func(after string, limit int) ([]T, error), match func(*T) bool) (list []T, next string, err error) {
	const size = 500
	for {
		page, err := read(after, size)
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			if match(&page[i]) {
				list = append(list, page[i])
			}
			if len(list) > limit {
				list, next = cut(list, limit, id)
				return list, next, nil
			}
		}
		if len(page) < size {
			return list, "", nil
		}
		after = id(&page[len(page)-1])
	}
}

// Policies lists the account's policies by id. It needs iam.ActionPolicyGet.
func (r *Registry) Policies(ctx context.Context, c iam.Caller, f PolicyFilter, p Page) (list []iam.Policy, next string, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionPolicyGet}, func(tx *store.Tx) (err error) {
		read := func(after string, limit int) ([]iam.Policy, error) { return tx.Policies(ctx, c.Account, after, limit) }
		list, next, err = pages(p.After, p.limit(), func(p *iam.Policy) string { return p.ID }, read, f.match)
		return err
	})
	return list, next, err
}

// Policy reads one policy. It needs iam.ActionPolicyGet.
func (r *Registry) Policy(ctx context.Context, c iam.Caller, id string) (p iam.Policy, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionPolicyGet}, func(tx *store.Tx) (err error) {
		p, err = ownPolicy(ctx, tx, &c, id)
		return err
	})
	return p, err
}

func ownPolicy(ctx context.Context, tx *store.Tx, c *iam.Caller, id string) (iam.Policy, error) {
	p, err := tx.Policy(ctx, id)
	if err != nil {
		return p, missing(err, "policy", id)
	}
	if !mine(c, p.Owner) {
		return iam.Policy{}, notFound("policy", id)
	}
	return p, nil
}

// CreatePolicy makes a policy. What it names must exist in the account, except identities: a service account may come later, or be
// gone. It needs iam.ActionPolicyCreate.
func (r *Registry) CreatePolicy(ctx context.Context, c iam.Caller, p iam.Policy) (made iam.Policy, err error) {
	err = r.change(ctx, c, attempt{action: iam.ActionPolicyCreate, account: p.Owner}, func(tx *store.Tx, a *attempt) (details string, err error) {
		made = p
		if made.Owner, err = ownerFor(&c, p.Owner); err != nil {
			return "", err
		}
		a.account = made.Owner
		if err := createPolicy(ctx, tx, &made); err != nil {
			return "", err
		}
		return policyDetails(&made), nil
	})
	if err != nil {
		return iam.Policy{}, err
	}
	return made, nil
}

func policyDetails(p *iam.Policy) string { return "policy " + p.ID + ", name " + p.Name }

func createPolicy(ctx context.Context, tx *store.Tx, p *iam.Policy) error {
	p.ID, p.ReadOnly, p.CreatedAt, p.UpdatedAt = uuid.NewString(), false, tx.Now, time.Time{}
	p.ExpiredAt = p.ExpiredAt.Truncate(time.Microsecond)
	if err := validatePolicy(ctx, tx, p); err != nil {
		return err
	}
	n, err := tx.CountPolicies(ctx, p.Owner)
	if err := orBound(err, n, iam.MaxPolicies, "policies in an account"); err != nil {
		return err
	}
	if err := tx.InsertPolicy(ctx, *p); err != nil {
		return taken(err, "policy with the name", p.Name)
	}
	return identitiesChanged(ctx, tx, p.Identities)
}

// identitiesChanged names the service accounts that a policy is about.
func identitiesChanged(ctx context.Context, tx *store.Tx, identities []urn.URN) error {
	for _, u := range identities {
		id, ok := u.ClientID()
		if !ok {
			continue
		}
		if err := tx.Changed(ctx, store.ClientChanged, id); err != nil {
			return err
		}
	}
	return nil
}

// validatePolicy checks the policy's form and that what it names is the account's own and there.
func validatePolicy(ctx context.Context, tx *store.Tx, p *iam.Policy) error {
	if err := iam.ValidatePolicy(*p); err != nil {
		return err
	}
	if _, err := tx.Account(ctx, p.Owner); err != nil {
		return missing(err, "account", p.Owner.Name)
	}
	if err := ownResources(ctx, tx, p.Owner, p.Resources); err != nil {
		return err
	}
	for i, u := range p.PermissionsGroups {
		if _, own := u.Account(); !own {
			continue
		}
		_, err := tx.PermissionsGroup(ctx, u)
		if orKind(err, nil) != nil {
			return err
		}
		if err != nil {
			return iam.Errorf(iam.Invalid, "permissionsGroups[%d]: there is no permissions group %s.", i, u)
		}
	}
	return nil
}

// ownResources checks that the resources and resource groups that a policy or group names are the account's and there. One
// of another account is told apart from one that does not exist by nobody.
func ownResources(ctx context.Context, tx *store.Tx, owner urn.Account, resources []urn.URN) error {
	for i, u := range resources {
		if u.IsPattern() {
			continue
		}
		var found urn.Account
		var err error
		if u.Kind() == urn.KindResourceGroup {
			var g iam.ResourceGroup
			g, err = tx.ResourceGroup(ctx, u.Name())
			found = g.Owner
		} else {
			var res iam.Resource
			res, err = tx.Resource(ctx, u)
			found = res.Owner
		}
		if orKind(err, nil) != nil {
			return err
		}
		if err != nil || found != owner {
			e := iam.Errorf(iam.Invalid, "resources[%d]: there is no resource %s in the account.", i, u)
			e.Code = "INVALID_RESOURCE_URN"
			return e
		}
	}
	return nil
}

// changePolicy is change for one policy that is not read-only.
func (r *Registry) changePolicy(ctx context.Context, c iam.Caller, id string, action iam.Action, fn func(tx *store.Tx, old iam.Policy) error) error {
	return r.change(ctx, c, attempt{action: action}, func(tx *store.Tx, a *attempt) (string, error) {
		old, err := ownPolicy(ctx, tx, &c, id)
		if err != nil {
			return "", err
		}
		a.account = old.Owner
		if old.ReadOnly {
			return "", iam.Errorf(iam.Conflict, "The policy %q is read-only.", old.Name)
		}
		if err := fn(tx, old); err != nil {
			return "", err
		}
		return policyDetails(&old), identitiesChanged(ctx, tx, old.Identities)
	})
}

// ReplacePolicy sets everything but id, owner and creation. It needs iam.ActionPolicyEdit.
func (r *Registry) ReplacePolicy(ctx context.Context, c iam.Caller, id string, p iam.Policy) (made iam.Policy, err error) {
	err = r.changePolicy(ctx, c, id, iam.ActionPolicyEdit, func(tx *store.Tx, old iam.Policy) error {
		made = p
		made.ID, made.Owner, made.ReadOnly, made.CreatedAt, made.UpdatedAt = old.ID, old.Owner, old.ReadOnly, old.CreatedAt, tx.Now
		made.ExpiredAt = made.ExpiredAt.Truncate(time.Microsecond)
		if err := validatePolicy(ctx, tx, &made); err != nil {
			return err
		}
		if err := tx.UpdatePolicy(ctx, made); err != nil {
			return taken(err, "policy with the name", made.Name)
		}
		return identitiesChanged(ctx, tx, made.Identities)
	})
	if err != nil {
		return iam.Policy{}, err
	}
	return made, nil
}

// DeletePolicy deletes a policy. It needs iam.ActionPolicyDelete.
func (r *Registry) DeletePolicy(ctx context.Context, c iam.Caller, id string) error {
	return r.changePolicy(ctx, c, id, iam.ActionPolicyDelete, func(tx *store.Tx, _ iam.Policy) error { return tx.DeletePolicy(ctx, id) })
}

// Decide answers whether the caller may do action on resource, with reasons. A resource that is not the account's is iam.NotFound.
func (r *Registry) Decide(ctx context.Context, c iam.Caller, action iam.Action, resource urn.URN) (d iam.Decision, err error) {
	err = r.read(ctx, c, attempt{always: true}, func(tx *store.Tx) error {
		res, err := tx.Resource(ctx, resource)
		if err == nil && !mine(&c, res.Owner) {
			err = store.ErrNotFound
		}
		if err != nil {
			return missing(err, "resource", string(resource))
		}
		if c.Operator != "" {
			d = iam.Decision{Allowed: true}
			return nil
		}
		d, err = decide(ctx, tx, &c, action, res)
		return err
	})
	return d, err
}
