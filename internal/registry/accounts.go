package registry

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// Accounts and projects: creating and disabling them is the operator's; reading one's own needs an IAM action.

// Accounts lists all accounts, by partition and name. The operator's.
func (r *Registry) Accounts(ctx context.Context, c iam.Caller, p Page) (list []iam.Account, next string, err error) {
	err = r.read(ctx, c, attempt{name: "operator:account/get"}, func(tx *store.Tx) (err error) {
		list, err = tx.Accounts(ctx, p.After, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(a *iam.Account) string { return store.OwnerKey(a.ID) })
	return list, next, err
}

// Account reads the caller's account; the operator reads any. It needs iam.ActionMeGet.
func (r *Registry) Account(ctx context.Context, c iam.Caller, id urn.Account) (a iam.Account, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionMeGet}, func(tx *store.Tx) (err error) {
		if !mine(&c, id) {
			return notFound("account", id.Name)
		}
		a, err = tx.Account(ctx, id)
		return missing(err, "account", id.Name)
	})
	return a, err
}

// CreateAccount makes an account and its resource. The operator's.
func (r *Registry) CreateAccount(ctx context.Context, c iam.Caller, a iam.Account) (made iam.Account, err error) {
	at := attempt{name: "operator:account/create", account: a.ID}
	err = r.change(ctx, c, at, func(tx *store.Tx, _ *attempt) (string, error) {
		if _, err := urn.ParseAccount(string(a.ID.Partition), a.ID.Name); err != nil {
			return "", iam.Errorf(iam.Invalid, "%v", err)
		}
		if err := iam.ValidateDescription(a.Description); err != nil {
			return "", err
		}
		made = a
		made.CreatedAt = tx.Now
		if err := tx.InsertAccount(ctx, made); err != nil {
			return "", taken(err, "account", a.ID.Name)
		}
		res := iam.Resource{ID: uuid.NewString(), URN: urn.AccountResource(a.ID), Owner: a.ID, Name: a.ID.Name, DisplayName: a.ID.Name}
		if err := tx.InsertResource(ctx, res); err != nil {
			return "", err
		}
		return "", tx.Changed(ctx, store.AccountChanged, store.OwnerKey(a.ID))
	})
	return made, err
}

// SetAccountDisabled disables or enables a whole account: all its service accounts. Repeating is no error. The operator's.
func (r *Registry) SetAccountDisabled(ctx context.Context, c iam.Caller, id urn.Account, disabled bool) error {
	a := attempt{name: verb("operator:account/", disabled), account: id}
	return r.change(ctx, c, a, func(tx *store.Tx, _ *attempt) (string, error) {
		row, err := tx.Account(ctx, id)
		if err == nil && !mine(&c, id) {
			err = store.ErrNotFound
		}
		if err != nil {
			return "", missing(err, "account", id.Name)
		}
		row.Disabled = disabled
		if err := tx.UpdateAccount(ctx, row); err != nil {
			return "", err
		}
		return "", tx.Changed(ctx, store.AccountChanged, store.OwnerKey(id))
	})
}

func verb(prefix string, disabled bool) string {
	if disabled {
		return prefix + "disable"
	}
	return prefix + "enable"
}

// Projects lists, by id, the projects of the caller's account on which it has iam.ActionProjectGet (all accounts' for an operator whose Account is zero).
func (r *Registry) Projects(ctx context.Context, c iam.Caller, p Page) (list []iam.Project, next string, err error) {
	err = r.read(ctx, c, attempt{always: true}, func(tx *store.Tx) error {
		may, err := mayRead(ctx, tx, &c)
		if err != nil {
			return err
		}
		read := func(after string, limit int) ([]iam.Project, error) { return tx.Projects(ctx, c.Account, after, limit) }
		var failed error
		match := func(p *iam.Project) bool {
			ok, err := may(p)
			if err != nil {
				failed = err
			}
			return ok
		}
		list, next, err = pages(p.After, p.limit(), func(p *iam.Project) string { return string(p.ID) }, read, match)
		if err == nil {
			err = failed
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return list, next, nil
}

// mayRead gives what decides whether a standing caller may read a project of its account.
func mayRead(ctx context.Context, tx *store.Tx, c *iam.Caller) (func(*iam.Project) (bool, error), error) {
	if c.Operator != "" || c.Identity == urn.AccountIdentity(c.Account) {
		return func(*iam.Project) (bool, error) { return true, nil }, nil
	}
	set, err := policySet(ctx, tx, c.Account, c.Identity)
	if err != nil {
		return nil, err
	}
	compiled := iam.Compile(set, c.Identity)
	return func(p *iam.Project) (bool, error) {
		res, err := tx.Resource(ctx, urn.Project(p.Owner.Partition, string(p.ID)))
		if err != nil {
			return false, err
		}
		allowed, _ := compiled.Allows(iam.ActionProjectGet, res, tx.Now, c.Address)
		return allowed, nil
	}, nil
}

// Project reads one project. It needs iam.ActionProjectGet on the project.
func (r *Registry) Project(ctx context.Context, c iam.Caller, id iam.ProjectID) (p iam.Project, err error) {
	a := attempt{action: iam.ActionProjectGet, on: urn.Project(c.Account.Partition, string(id))}
	err = r.read(ctx, c, a, func(tx *store.Tx) (err error) {
		p, err = tx.Project(ctx, id)
		if err == nil && !mine(&c, p.Owner) {
			err = store.ErrNotFound
		}
		return missing(err, "project", string(id))
	})
	if err != nil {
		return iam.Project{}, err
	}
	return p, nil
}

// CreateProject makes a project and its resource; ID "" is generated. The operator's.
func (r *Registry) CreateProject(ctx context.Context, c iam.Caller, p iam.Project) (made iam.Project, err error) {
	err = r.change(ctx, c, attempt{name: "operator:project/create", account: p.Owner}, func(tx *store.Tx, a *attempt) (details string, err error) {
		made = p
		if made.Owner, err = ownerFor(&c, p.Owner); err != nil {
			return "", err
		}
		if made.ID == "" {
			made.ID = iam.NewProjectID()
		}
		made.CreatedAt = tx.Now
		u := urn.Project(made.Owner.Partition, string(made.ID))
		a.account, a.subject = made.Owner, u
		if err := validateProject(ctx, tx, &made); err != nil {
			return "", err
		}
		if err := tx.InsertProject(ctx, made); err != nil {
			return "", taken(err, "project with the id", string(made.ID))
		}
		res := iam.Resource{ID: uuid.NewString(), URN: u, Owner: made.Owner, Name: string(made.ID), DisplayName: made.Name}
		if err := tx.InsertResource(ctx, res); err != nil {
			return "", err
		}
		return "name " + made.Name, projectChanged(ctx, tx, made.Owner, string(made.ID))
	})
	if err != nil {
		return iam.Project{}, err
	}
	return made, nil
}

// MaxProjects bounds the projects of an account: a login may have to name them all.
const MaxProjects = 1000

func validateProject(ctx context.Context, tx *store.Tx, p *iam.Project) error {
	if !p.ID.Valid() {
		_, err := iam.ParseProjectID(string(p.ID))
		return err
	}
	if err := iam.ValidateName(p.Name); err != nil {
		return err
	}
	if err := iam.ValidateDescription(p.Description); err != nil {
		return err
	}
	if _, err := tx.Account(ctx, p.Owner); err != nil {
		return missing(err, "account", p.Owner.Name)
	}
	if _, err := tx.ProjectByName(ctx, p.Owner, p.Name); orKind(err, nil) != nil {
		return err
	} else if err == nil {
		return taken(store.ErrExists, "project with the name", p.Name)
	}
	n, err := tx.CountProjects(ctx, p.Owner)
	return orBound(err, n, MaxProjects, "projects in an account")
}

// projectChanged names a project, and its account's list of projects, as changed.
func projectChanged(ctx context.Context, tx *store.Tx, owner urn.Account, id string) error {
	if err := tx.Changed(ctx, store.ProjectChanged, id); err != nil {
		return err
	}
	return tx.Changed(ctx, store.ProjectsChanged, store.OwnerKey(owner))
}

// SetProjectDisabled disables or enables a project; repeating is no error. The operator's.
func (r *Registry) SetProjectDisabled(ctx context.Context, c iam.Caller, id iam.ProjectID, disabled bool) error {
	return r.change(ctx, c, attempt{name: verb("operator:project/", disabled)}, func(tx *store.Tx, a *attempt) (string, error) {
		p, err := tx.Project(ctx, id)
		if err == nil && !mine(&c, p.Owner) {
			err = store.ErrNotFound
		}
		if err != nil {
			return "", missing(err, "project", string(id))
		}
		a.account, a.subject = p.Owner, urn.Project(p.Owner.Partition, string(id))
		p.Disabled = disabled
		if err := tx.UpdateProject(ctx, p); err != nil {
			return "", err
		}
		return "", projectChanged(ctx, tx, p.Owner, string(id))
	})
}

// RecoverAdministrator makes an account's administrator: a service account and a policy with globalAdmin on everything of the account.
// It is how the first one comes to be, and the way back when the last one is lost. The operator's.
func (r *Registry) RecoverAdministrator(ctx context.Context, c iam.Caller, account urn.Account, name string) (sa iam.ServiceAccount, secret string, policy iam.Policy, err error) {
	at := attempt{name: "operator:account/recover", account: account}
	err = r.change(ctx, c, at, func(tx *store.Tx, a *attempt) (details string, err error) {
		if !mine(&c, account) {
			return "", notFound("account", account.Name)
		}
		sa = iam.ServiceAccount{Owner: account, Name: name, Description: "Administrator, made by the operator"}
		if secret, err = r.createServiceAccount(ctx, tx, &c, &sa); err != nil {
			return "", err
		}
		policy = iam.Policy{
			Owner: account, Name: fmt.Sprintf("administrator-%s", sa.ID), Description: "Everything in the account, for " + name,
			Identities:        []urn.URN{sa.Identity()},
			Resources:         []urn.URN{urn.URN("urn:v1:" + string(account.Partition) + ":resource:*")},
			PermissionsGroups: []urn.URN{urn.PermissionsGroup(account.Partition, urn.BuiltIn, "globalAdmin")},
		}
		if err := createPolicy(ctx, tx, &policy); err != nil {
			return "", err
		}
		a.subject = sa.Identity()
		return policyDetails(&policy), nil
	})
	if err != nil {
		return iam.ServiceAccount{}, "", iam.Policy{}, err
	}
	return sa, secret, policy, nil
}
