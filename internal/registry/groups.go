package registry

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// PermissionsGroups lists the built-in permissions groups and the account's own, by id: the built-in ones' ids come first. It needs
// iam.ActionPermissionsGroupGet.
func (r *Registry) PermissionsGroups(ctx context.Context, c iam.Caller, p Page) (list []iam.PermissionsGroup, next string, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionPermissionsGroupGet}, func(tx *store.Tx) error {
		list = nil
		for _, g := range iam.BuiltInPermissionsGroups(c.Account.Partition) {
			if g.ID > p.After {
				list = append(list, g)
			}
		}
		own, err := tx.PermissionsGroups(ctx, c.Account, p.After, p.limit()+1)
		list = append(list, own...)
		return err
	})
	list, next = cut(list, p.limit(), func(g *iam.PermissionsGroup) string { return g.ID })
	return list, next, err
}

// PermissionsGroup reads one permissions group, built-in or own. It needs iam.ActionPermissionsGroupGet.
func (r *Registry) PermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN) (g iam.PermissionsGroup, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionPermissionsGroupGet}, func(tx *store.Tx) (err error) {
		if builtIn, ok := builtInGroup(&c, u); ok {
			g = builtIn
			return nil
		}
		g, err = ownPermissionsGroup(ctx, tx, &c, u)
		return err
	})
	return g, err
}

// builtInGroup finds a built-in group of the caller's partition.
func builtInGroup(c *iam.Caller, u urn.URN) (iam.PermissionsGroup, bool) {
	partition := c.Account.Partition
	if c.Operator != "" && partition == "" {
		partition = u.Partition()
	}
	for _, g := range iam.BuiltInPermissionsGroups(partition) {
		if g.URN == u {
			return g, true
		}
	}
	return iam.PermissionsGroup{}, false
}

func ownPermissionsGroup(ctx context.Context, tx *store.Tx, c *iam.Caller, u urn.URN) (iam.PermissionsGroup, error) {
	g, err := tx.PermissionsGroup(ctx, u)
	if err != nil {
		return g, missing(err, "permissions group", string(u))
	}
	if !mine(c, g.Owner) {
		return iam.PermissionsGroup{}, notFound("permissions group", string(u))
	}
	return g, nil
}

// CreatePermissionsGroup makes a permissions group; its URN follows from its name. It needs iam.ActionPermissionsGroupCreate.
func (r *Registry) CreatePermissionsGroup(ctx context.Context, c iam.Caller, g iam.PermissionsGroup) (made iam.PermissionsGroup, err error) {
	a := attempt{action: iam.ActionPermissionsGroupCreate, account: g.Owner}
	err = r.change(ctx, c, a, func(tx *store.Tx, a *attempt) (details string, err error) {
		made = g
		if made.Owner, err = ownerFor(&c, g.Owner); err != nil {
			return "", err
		}
		made.URN = urn.PermissionsGroup(made.Owner.Partition, made.Owner.Name, made.Name)
		made.ID, made.CreatedAt, made.UpdatedAt = uuid.NewString(), tx.Now, time.Time{}
		a.account, a.subject = made.Owner, made.URN
		if err := iam.ValidatePermissionsGroup(made); err != nil {
			return "", err
		}
		if _, err := tx.Account(ctx, made.Owner); err != nil {
			return "", missing(err, "account", made.Owner.Name)
		}
		n, err := tx.CountPermissionsGroups(ctx, made.Owner)
		if err := orBound(err, n, iam.MaxPermissionsGroups, "permissions groups in an account"); err != nil {
			return "", err
		}
		if err := tx.InsertPermissionsGroup(ctx, made); err != nil {
			return "", taken(err, "permissions group with the name", made.Name)
		}
		return "", tx.Changed(ctx, store.GroupChanged, string(made.URN))
	})
	if err != nil {
		return iam.PermissionsGroup{}, err
	}
	return made, nil
}

// changePermissionsGroup is change for one own permissions group.
func (r *Registry) changePermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN, action iam.Action, fn func(tx *store.Tx, old iam.PermissionsGroup) error) error {
	return r.change(ctx, c, attempt{action: action, subject: u}, func(tx *store.Tx, a *attempt) (string, error) {
		if _, ok := builtInGroup(&c, u); ok {
			return "", iam.Errorf(iam.Conflict, "The permissions group %s is built in and cannot be changed.", u)
		}
		old, err := ownPermissionsGroup(ctx, tx, &c, u)
		if err != nil {
			return "", err
		}
		a.account = old.Owner
		if err := fn(tx, old); err != nil {
			return "", err
		}
		return "", tx.Changed(ctx, store.GroupChanged, string(u))
	})
}

// ReplacePermissionsGroup sets description and permissions. The name is part of the URN that policies use: it cannot change. It needs
// iam.ActionPermissionsGroupEdit.
func (r *Registry) ReplacePermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN, g iam.PermissionsGroup) (made iam.PermissionsGroup, err error) {
	err = r.changePermissionsGroup(ctx, c, u, iam.ActionPermissionsGroupEdit, func(tx *store.Tx, old iam.PermissionsGroup) error {
		if g.Name != old.Name {
			return iam.Errorf(iam.Invalid, "The name of a permissions group is part of its URN and cannot change: it is %q.", old.Name)
		}
		made = old
		made.Description, made.Permissions, made.UpdatedAt = g.Description, g.Permissions, tx.Now
		if err := iam.ValidatePermissionsGroup(made); err != nil {
			return err
		}
		return tx.UpdatePermissionsGroup(ctx, made)
	})
	if err != nil {
		return iam.PermissionsGroup{}, err
	}
	return made, nil
}

// DeletePermissionsGroup deletes a permissions group that no policy names. It needs iam.ActionPermissionsGroupDelete.
func (r *Registry) DeletePermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN) error {
	return r.changePermissionsGroup(ctx, c, u, iam.ActionPermissionsGroupDelete, func(tx *store.Tx, old iam.PermissionsGroup) error {
		if err := unused(ctx, tx, old.Owner, func(p *iam.Policy) []urn.URN { return p.PermissionsGroups }, u); err != nil {
			return err
		}
		return tx.DeletePermissionsGroup(ctx, u)
	})
}

// unused refuses if a policy of the account names a group: taking it away would change, unseen, what the policy says; a deny in it
// would be lifted.
func unused(ctx context.Context, tx *store.Tx, owner urn.Account, names func(*iam.Policy) []urn.URN, u urn.URN) error {
	read := func(after string, limit int) ([]iam.Policy, error) { return tx.Policies(ctx, owner, after, limit) }
	uses := func(p *iam.Policy) bool { return overlap([]urn.URN{u}, names(p)) }
	list, _, err := pages("", 1, func(p *iam.Policy) string { return p.ID }, read, uses)
	if err != nil || len(list) == 0 {
		return err
	}
	return iam.Errorf(iam.Conflict, "The policy %q names %s; change that first.", list[0].Name, u)
}

// ResourceGroups lists the account's resource groups by id. It needs iam.ActionResourceGroupGet.
func (r *Registry) ResourceGroups(ctx context.Context, c iam.Caller, p Page) (list []iam.ResourceGroup, next string, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionResourceGroupGet}, func(tx *store.Tx) (err error) {
		list, err = tx.ResourceGroups(ctx, c.Account, p.After, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(g *iam.ResourceGroup) string { return g.ID })
	return list, next, err
}

// ResourceGroup reads one resource group. It needs iam.ActionResourceGroupGet.
func (r *Registry) ResourceGroup(ctx context.Context, c iam.Caller, id string) (g iam.ResourceGroup, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionResourceGroupGet}, func(tx *store.Tx) (err error) {
		g, err = ownResourceGroup(ctx, tx, &c, id)
		return err
	})
	return g, err
}

func ownResourceGroup(ctx context.Context, tx *store.Tx, c *iam.Caller, id string) (iam.ResourceGroup, error) {
	g, err := tx.ResourceGroup(ctx, id)
	if err != nil {
		return g, missing(err, "resource group", id)
	}
	if !mine(c, g.Owner) {
		return iam.ResourceGroup{}, notFound("resource group", id)
	}
	return g, nil
}

// CreateResourceGroup makes a resource group of the account's own resources. It needs iam.ActionResourceGroupCreate.
func (r *Registry) CreateResourceGroup(ctx context.Context, c iam.Caller, g iam.ResourceGroup) (made iam.ResourceGroup, err error) {
	a := attempt{action: iam.ActionResourceGroupCreate, account: g.Owner}
	err = r.change(ctx, c, a, func(tx *store.Tx, a *attempt) (details string, err error) {
		made = g
		if made.Owner, err = ownerFor(&c, g.Owner); err != nil {
			return "", err
		}
		made.ID, made.ReadOnly, made.CreatedAt, made.UpdatedAt = uuid.NewString(), false, tx.Now, time.Time{}
		a.account, a.subject = made.Owner, urn.ResourceGroup(made.Owner.Partition, made.ID)
		if err := validateResourceGroup(ctx, tx, &made); err != nil {
			return "", err
		}
		n, err := tx.CountResourceGroups(ctx, made.Owner)
		if err := orBound(err, n, iam.MaxResourceGroups, "resource groups in an account"); err != nil {
			return "", err
		}
		if err := tx.InsertResourceGroup(ctx, made); err != nil {
			return "", taken(err, "resource group with the name", made.Name)
		}
		return "name " + made.Name, tx.Changed(ctx, store.GroupChanged, string(a.subject))
	})
	if err != nil {
		return iam.ResourceGroup{}, err
	}
	return made, nil
}

func validateResourceGroup(ctx context.Context, tx *store.Tx, g *iam.ResourceGroup) error {
	if err := iam.ValidateResourceGroup(*g); err != nil {
		return err
	}
	if _, err := tx.Account(ctx, g.Owner); err != nil {
		return missing(err, "account", g.Owner.Name)
	}
	return ownResources(ctx, tx, g.Owner, g.Resources)
}

// changeResourceGroup is change for one own resource group that is not read-only.
func (r *Registry) changeResourceGroup(ctx context.Context, c iam.Caller, id string, action iam.Action, fn func(tx *store.Tx, old iam.ResourceGroup) error) error {
	return r.change(ctx, c, attempt{action: action}, func(tx *store.Tx, a *attempt) (string, error) {
		old, err := ownResourceGroup(ctx, tx, &c, id)
		if err != nil {
			return "", err
		}
		a.account, a.subject = old.Owner, urn.ResourceGroup(old.Owner.Partition, id)
		if old.ReadOnly {
			return "", iam.Errorf(iam.Conflict, "The resource group %q is read-only.", old.Name)
		}
		if err := fn(tx, old); err != nil {
			return "", err
		}
		return "name " + old.Name, tx.Changed(ctx, store.GroupChanged, string(a.subject))
	})
}

// ReplaceResourceGroup sets name and resources. It needs iam.ActionResourceGroupEdit.
func (r *Registry) ReplaceResourceGroup(ctx context.Context, c iam.Caller, id string, g iam.ResourceGroup) (made iam.ResourceGroup, err error) {
	err = r.changeResourceGroup(ctx, c, id, iam.ActionResourceGroupEdit, func(tx *store.Tx, old iam.ResourceGroup) error {
		made = old
		made.Name, made.Resources, made.UpdatedAt = g.Name, g.Resources, tx.Now
		if err := validateResourceGroup(ctx, tx, &made); err != nil {
			return err
		}
		return taken(tx.UpdateResourceGroup(ctx, made), "resource group with the name", made.Name)
	})
	if err != nil {
		return iam.ResourceGroup{}, err
	}
	return made, nil
}

// DeleteResourceGroup deletes a resource group that no policy names. It needs iam.ActionResourceGroupDelete.
func (r *Registry) DeleteResourceGroup(ctx context.Context, c iam.Caller, id string) error {
	return r.changeResourceGroup(ctx, c, id, iam.ActionResourceGroupDelete, func(tx *store.Tx, old iam.ResourceGroup) error {
		u := urn.ResourceGroup(old.Owner.Partition, id)
		if err := unused(ctx, tx, old.Owner, func(p *iam.Policy) []urn.URN { return p.Resources }, u); err != nil {
			return err
		}
		return tx.DeleteResourceGroup(ctx, id)
	})
}
