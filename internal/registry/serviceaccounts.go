package registry

import (
	"cmp"
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// Bounds of a service account's own token life; 0 is the server's default.
const (
	MinTokenLife = 10 * time.Minute // clients treat a token with less than two minutes as expired
	MaxTokenLife = 24 * time.Hour
)

// ServiceAccountFilter narrows a list of service accounts.
type ServiceAccountFilter struct {
	UnusedSince time.Time // zero: no filter; else only those whose secrets were all last used before it
}

// ServiceAccounts lists the account's service accounts by id. It needs iam.ActionClientGet.
func (r *Registry) ServiceAccounts(ctx context.Context, c iam.Caller, f ServiceAccountFilter, p Page) (list []iam.ServiceAccount, next string, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionClientGet}, func(tx *store.Tx) (err error) {
		list, err = tx.ServiceAccounts(ctx, c.Account, f.UnusedSince, p.After, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(s *iam.ServiceAccount) string { return string(s.ID) })
	return list, next, err
}

// Services lists the service accounts of all accounts that are services of OpenStack, by id. Only an operator may.
func (r *Registry) Services(ctx context.Context, c iam.Caller, p Page) (list []iam.ServiceAccount, next string, err error) {
	err = r.read(ctx, c, attempt{name: "operator:service/get"}, func(tx *store.Tx) (err error) {
		list, err = tx.Services(ctx, p.After, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(s *iam.ServiceAccount) string { return string(s.ID) })
	return list, next, err
}

// ServiceAccount reads one service account. It needs iam.ActionClientGet.
func (r *Registry) ServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID) (sa iam.ServiceAccount, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionClientGet}, func(tx *store.Tx) (err error) {
		sa, err = ownServiceAccount(ctx, tx, &c, id)
		return err
	})
	return sa, err
}

// ownServiceAccount reads a service account of the caller's account.
func ownServiceAccount(ctx context.Context, tx *store.Tx, c *iam.Caller, id iam.ClientID) (iam.ServiceAccount, error) {
	sa, err := tx.ServiceAccount(ctx, id)
	if err != nil {
		return sa, missing(err, "service account", string(id))
	}
	if !mine(c, sa.Owner) {
		return iam.ServiceAccount{}, notFound("service account", string(id))
	}
	return sa, nil
}

// changeServiceAccount is change for one service account: it finds it, runs fn, and has its cached form dropped.
func (r *Registry) changeServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID, action iam.Action,
	fn func(tx *store.Tx, sa iam.ServiceAccount) (details string, err error)) error {
	a := attempt{action: action}
	if c.Account != (urn.Account{}) {
		a.subject = urn.ServiceAccount(c.Account, string(id))
	}
	return r.change(ctx, c, a, func(tx *store.Tx, a *attempt) (string, error) {
		sa, err := ownServiceAccount(ctx, tx, &c, id)
		if err != nil {
			return "", err
		}
		a.account, a.subject = sa.Owner, sa.Identity()
		if sa.ServiceProject != "" && c.Operator == "" { // whoever could add a secret to it would be a service
			return "", operatorOnly()
		}
		details, err := fn(tx, sa)
		if err != nil {
			return "", err
		}
		return details, tx.Changed(ctx, store.ClientChanged, string(id))
	})
}

// CreateServiceAccount makes a service account with its first secret; the secret's value is returned here only. ID "" is generated; only an
// operator may choose one, and never one that was deleted. Only an operator may make one that is a service, with ServiceProject; it stays
// one, and is changed by operators only. It needs iam.ActionClientCreate.
func (r *Registry) CreateServiceAccount(ctx context.Context, c iam.Caller, s iam.ServiceAccount) (made iam.ServiceAccount, secret string, err error) {
	err = r.change(ctx, c, attempt{action: iam.ActionClientCreate, account: s.Owner}, func(tx *store.Tx, a *attempt) (details string, err error) {
		made = s
		if made.Owner, err = ownerFor(&c, s.Owner); err != nil {
			return "", err
		}
		if secret, err = r.createServiceAccount(ctx, tx, &c, &made); err != nil {
			return "", err
		}
		a.account, a.subject = made.Owner, made.Identity()
		if made.ServiceProject != "" {
			return "name " + made.Name + ", a service on project " + string(made.ServiceProject), nil
		}
		return "name " + made.Name, nil
	})
	if err != nil {
		return iam.ServiceAccount{}, "", err
	}
	return made, secret, nil
}

func (r *Registry) createServiceAccount(ctx context.Context, tx *store.Tx, c *iam.Caller, s *iam.ServiceAccount) (secret string, err error) {
	if s.ServiceProject != "" && c.Operator == "" {
		return "", operatorOnly()
	}
	if err := chooseClientID(ctx, tx, c, s); err != nil {
		return "", err
	}
	s.CreatedAt, s.UpdatedAt = tx.Now, time.Time{}
	if err := validateServiceAccount(ctx, tx, s); err != nil {
		return "", err
	}
	n, err := tx.CountServiceAccounts(ctx, s.Owner)
	if err := orBound(err, n, iam.MaxServiceAccounts, "service accounts"); err != nil {
		return "", err
	}
	if err := tx.InsertServiceAccount(ctx, *s); err != nil {
		return "", taken(err, "service account", string(s.ID))
	}
	if err := tx.Changed(ctx, store.ClientChanged, string(s.ID)); err != nil {
		return "", err
	}
	_, secret, err = r.insertSecret(ctx, tx, s.ID, "", time.Time{})
	return secret, err
}

func chooseClientID(ctx context.Context, tx *store.Tx, c *iam.Caller, s *iam.ServiceAccount) error {
	if _, err := tx.Account(ctx, s.Owner); err != nil {
		return missing(err, "account", s.Owner.Name)
	}
	if s.ID == "" {
		s.ID = iam.NewClientID(s.Owner.Partition)
		return nil
	}
	if c.Operator == "" {
		return iam.Errorf(iam.Invalid, "The id of a service account is generated; leave it out.")
	}
	if !s.ID.Valid() {
		_, err := iam.ParseClientID(string(s.ID))
		return err
	}
	if was, err := tx.WasServiceAccount(ctx, s.ID); err != nil || was {
		return orConflict(err, "The id %q belonged to a service account that was deleted; policies may still name it. Choose another.", s.ID)
	}
	return nil
}

func orConflict(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return iam.Errorf(iam.Conflict, format, args...)
}

// orBound reports that one more of something would be over its bound.
func orBound(err error, n, bound int, what string) error {
	if err != nil || n < bound {
		return err
	}
	return iam.Errorf(iam.TooLarge, "There can be at most %d %s; delete one first.", bound, what)
}

func validateServiceAccount(ctx context.Context, tx *store.Tx, s *iam.ServiceAccount) error {
	if err := iam.ValidateName(s.Name); err != nil {
		return err
	}
	if err := iam.ValidateDescription(s.Description); err != nil {
		return err
	}
	if len(s.CallbackURLs) > 0 {
		return iam.Errorf(iam.Invalid, "A service account has the client credentials grant only and needs no callback URLs: give an empty list.")
	}
	if s.TokenLife != 0 && (s.TokenLife < MinTokenLife || s.TokenLife > MaxTokenLife) {
		return iam.Errorf(iam.Invalid, "The token life of a service account is between %v and %v.", MinTokenLife, MaxTokenLife)
	}
	return cmp.Or(ownProject(ctx, tx, s, s.DefaultProject), ownProject(ctx, tx, s, s.ServiceProject))
}

// ownProject wants a project, if any is named, to be of the service account's own account.
func ownProject(ctx context.Context, tx *store.Tx, s *iam.ServiceAccount, id iam.ProjectID) error {
	if id == "" {
		return nil
	}
	p, err := tx.Project(ctx, id)
	if err == nil && p.Owner != s.Owner {
		err = store.ErrNotFound
	}
	return missing(err, "project", string(id))
}

// UpdateServiceAccount applies change to the stored row, in a transaction; change may run more than once. Id, owner, times and whether it is
// disabled or a service stay as they are. It needs iam.ActionClientEdit.
func (r *Registry) UpdateServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID, change func(*iam.ServiceAccount) error) (sa iam.ServiceAccount, err error) {
	err = r.changeServiceAccount(ctx, c, id, iam.ActionClientEdit, func(tx *store.Tx, old iam.ServiceAccount) (string, error) {
		sa = old
		if err := change(&sa); err != nil {
			return "", err
		}
		sa.ID, sa.Owner, sa.Disabled, sa.CreatedAt, sa.UpdatedAt = old.ID, old.Owner, old.Disabled, old.CreatedAt, tx.Now
		sa.ServiceProject = old.ServiceProject
		if err := validateServiceAccount(ctx, tx, &sa); err != nil {
			return "", err
		}
		return "name " + sa.Name, tx.UpdateServiceAccount(ctx, sa)
	})
	if err != nil {
		return iam.ServiceAccount{}, err
	}
	return sa, nil
}

// DeleteServiceAccount deletes a service account and its secrets for good. Policies keep its identity; its id is never given again. It needs
// iam.ActionClientDelete.
func (r *Registry) DeleteServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID) error {
	return r.changeServiceAccount(ctx, c, id, iam.ActionClientDelete, func(tx *store.Tx, sa iam.ServiceAccount) (string, error) {
		return "name " + sa.Name, tx.DeleteServiceAccount(ctx, id)
	})
}

// SetServiceAccountDisabled disables or enables; repeating is no error. It needs iam.ActionClientDisable or iam.ActionClientEnable.
func (r *Registry) SetServiceAccountDisabled(ctx context.Context, c iam.Caller, id iam.ClientID, disabled bool) error {
	action := iam.ActionClientEnable
	if disabled {
		action = iam.ActionClientDisable
	}
	return r.changeServiceAccount(ctx, c, id, action, func(tx *store.Tx, sa iam.ServiceAccount) (string, error) {
		sa.Disabled, sa.UpdatedAt = disabled, tx.Now
		return "", tx.UpdateServiceAccount(ctx, sa)
	})
}

// Secrets lists a service account's secrets by id, without their values. It needs iam.ActionSecretGet.
func (r *Registry) Secrets(ctx context.Context, c iam.Caller, id iam.ClientID) (list []iam.Secret, err error) {
	err = r.read(ctx, c, attempt{action: iam.ActionSecretGet}, func(tx *store.Tx) error {
		list = nil
		if _, err := ownServiceAccount(ctx, tx, &c, id); err != nil {
			return err
		}
		rows, err := tx.Secrets(ctx, id)
		for i := range rows {
			list = append(list, rows[i].Secret)
		}
		return err
	})
	return list, err
}

// insertSecret makes a secret's value and keeps its MAC.
func (r *Registry) insertSecret(ctx context.Context, tx *store.Tx, id iam.ClientID, description string, expires time.Time) (iam.Secret, string, error) {
	if err := iam.ValidateDescription(description); err != nil {
		return iam.Secret{}, "", err
	}
	if !expires.IsZero() && !expires.After(tx.Now) {
		return iam.Secret{}, "", iam.Errorf(iam.Invalid, "The expiry of the secret is in the past.")
	}
	value := iam.NewSecretValue()
	pepper, mac := r.mac(value)
	s := iam.Secret{ID: iam.NewSecretID(), ClientID: id, Description: description, CreatedAt: tx.Now, ExpiresAt: expires.UTC().Truncate(time.Microsecond)}
	return s, value, tx.InsertSecret(ctx, store.Secret{Secret: s, Pepper: pepper, MAC: mac[:]})
}

// roomForSecret deletes expired secrets when the bound is reached, and refuses when that does not help.
func roomForSecret(ctx context.Context, tx *store.Tx, rows []store.Secret) error {
	n := len(rows)
	for i := 0; n >= iam.MaxSecrets && i < len(rows); i++ {
		if live(&rows[i], tx.Now) {
			continue
		}
		if err := tx.DeleteSecret(ctx, rows[i].ClientID, rows[i].ID); err != nil {
			return err
		}
		n--
	}
	return orBound(nil, n, iam.MaxSecrets, "secrets of one service account")
}

// AddSecret makes a further secret; its value is returned here only. A zero expires is never. It needs iam.ActionSecretCreate.
func (r *Registry) AddSecret(ctx context.Context, c iam.Caller, id iam.ClientID, description string, expires time.Time) (s iam.Secret, value string, err error) {
	err = r.changeServiceAccount(ctx, c, id, iam.ActionSecretCreate, func(tx *store.Tx, _ iam.ServiceAccount) (string, error) {
		rows, err := tx.Secrets(ctx, id)
		if err != nil {
			return "", err
		}
		if err := roomForSecret(ctx, tx, rows); err != nil {
			return "", err
		}
		s, value, err = r.insertSecret(ctx, tx, id, description, expires)
		return "secret " + s.ID, err
	})
	if err != nil {
		return iam.Secret{}, "", err
	}
	return s, value, nil
}

// RotateSecrets makes a new secret and lets every other expire after overlap (0: at once), or earlier if it would anyway. It needs
// iam.ActionSecretRotate.
func (r *Registry) RotateSecrets(ctx context.Context, c iam.Caller, id iam.ClientID, description string, overlap time.Duration) (s iam.Secret, value string, err error) {
	if overlap < 0 {
		return iam.Secret{}, "", iam.Errorf(iam.Invalid, "The overlap cannot be negative.")
	}
	err = r.changeServiceAccount(ctx, c, id, iam.ActionSecretRotate, func(tx *store.Tx, _ iam.ServiceAccount) (string, error) {
		rows, err := tx.Secrets(ctx, id)
		if err != nil {
			return "", err
		}
		end := tx.Now.Add(overlap)
		for i := range rows {
			if old := rows[i].ExpiresAt; !old.IsZero() && !old.After(end) {
				continue
			}
			rows[i].ExpiresAt = end
			if err := tx.ExpireSecret(ctx, rows[i].ID, end); err != nil {
				return "", err
			}
		}
		if err := roomForSecret(ctx, tx, rows); err != nil {
			return "", err
		}
		s, value, err = r.insertSecret(ctx, tx, id, description, time.Time{})
		return "secret " + s.ID + ", the others end " + end.Format(time.RFC3339), err
	})
	if err != nil {
		return iam.Secret{}, "", err
	}
	return s, value, nil
}

// DeleteSecret ends a secret, and every token made with it, at once. It needs iam.ActionSecretDelete.
func (r *Registry) DeleteSecret(ctx context.Context, c iam.Caller, id iam.ClientID, secretID string) error {
	return r.changeServiceAccount(ctx, c, id, iam.ActionSecretDelete, func(tx *store.Tx, _ iam.ServiceAccount) (string, error) {
		return "secret " + secretID, missing(tx.DeleteSecret(ctx, id, secretID), "secret", secretID)
	})
}
