package registry

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// A Login is an authenticated service account.
type Login struct {
	Account  iam.ServiceAccount
	SecretID string
}

// A Use says where a credential was used from, for last-used.
type Use struct {
	Address netip.Addr
	Agent   string // User-Agent, cut to 128 characters
}

// A question is when and from where a right is asked for.
type question struct {
	now  time.Time
	addr netip.Addr
}

// maxSecret bounds what is presented as a secret, in bytes, before it is hashed. Ours are far shorter.
const maxSecret = 256

// Authenticate checks a client's secret. An unknown client, a wrong, expired or revoked secret, and a disabled service account or
// account do the same work after the look-up, one MAC, and give the same iam.Unauthenticated.
func (r *Registry) Authenticate(ctx context.Context, id iam.ClientID, secret string, use Use) (Login, error) {
	now := r.now()
	if err := r.fresh(ctx, now); err != nil {
		return Login{}, err
	}
	e, err := r.identity(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Login{}, public(err)
	}
	if e == nil {
		e = &identity{disabled: true}
	}
	if len(secret) > maxSecret {
		secret = "" // matches nothing, at the same cost
	}
	s := r.match(e, secret, now)
	if s == nil || e.disabled {
		return Login{}, unauthenticated()
	}
	r.used(ctx, s.ID, now, use)
	return Login{Account: e.sa, SecretID: s.ID}, nil
}

func unauthenticated() error {
	return iam.Errorf(iam.Unauthenticated, "The client is unknown, its secret is wrong or has expired, or it is disabled.")
}

// match finds the live secret that has this value. It computes one MAC, under the current pepper, also where there is nothing to compare
// it with, and compares all secrets, also after one matched. A secret under an older pepper costs one MAC more until it is rotated.
func (r *Registry) match(e *identity, secret string, now time.Time) (found *store.Secret) {
	pepper, mac := r.mac(secret)
	for i := range e.secrets {
		s := &e.secrets[i]
		same := false
		if s.Pepper == pepper {
			same = subtle.ConstantTimeCompare(s.MAC, mac[:]) == 1
		} else {
			same = r.checkMAC(secret, s.Pepper, s.MAC)
		}
		if same && live(s, now) {
			found = s
		}
	}
	return found
}

// live reports whether a secret has not expired.
func live(s *store.Secret, now time.Time) bool {
	return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)
}

// Check reports whether a token (already opened and of the right purpose) still stands: not expired, service account and account enabled, secret
// not revoked or expired, token not revoked. It returns the service account; otherwise iam.Unauthenticated, or iam.Unavailable when that
// cannot be known. It answers from memory on the hot path. The project, if any, is not looked at: Roles does that.
func (r *Registry) Check(ctx context.Context, t iam.Token) (*iam.ServiceAccount, error) {
	return r.CheckExpired(ctx, t, 0)
}

// CheckExpired is Check for a token that may have expired up to window ago (Keystone's allow_expired).
func (r *Registry) CheckExpired(ctx context.Context, t iam.Token, window time.Duration) (*iam.ServiceAccount, error) {
	now := r.now()
	if err := r.fresh(ctx, now); err != nil {
		return nil, err
	}
	if !now.Before(t.Expires.Add(max(window, 0))) || r.cache.isRevoked(t.AuditID) {
		return nil, tokenGone()
	}
	e, err := r.identity(ctx, t.ClientID)
	if err != nil {
		return nil, public(orKind(err, tokenGone()))
	}
	if e.disabled {
		return nil, tokenGone()
	}
	for i := range e.secrets {
		if e.secrets[i].ID == t.SecretID && live(&e.secrets[i], now) {
			return &e.sa, nil
		}
	}
	return nil, tokenGone()
}

func tokenGone() error {
	return iam.Errorf(iam.Unauthenticated, "The token has expired, or it or what it was made with has been revoked.")
}

// Roles gives the roles of a service account on a project now, from addr (invalid: unknown). A project that is unknown, disabled or
// another account's gives no roles and no error. iam.Unavailable when the database is away for longer than the staleness allowed.
func (r *Registry) Roles(ctx context.Context, id iam.ClientID, project iam.ProjectID, addr netip.Addr) (rbac.Roles, error) {
	q := question{r.now(), addr}
	e, p, err := r.pair(ctx, id, project, q)
	if e == nil || p == nil {
		return 0, err
	}
	return r.rolesOn(e, p, q), nil
}

// pair loads a standing identity and a project; either is nil without an error if it is not there.
func (r *Registry) pair(ctx context.Context, id iam.ClientID, project iam.ProjectID, q question) (*identity, *project, error) {
	if err := r.fresh(ctx, q.now); err != nil {
		return nil, nil, err
	}
	e, err := r.identity(ctx, id)
	if err != nil {
		return nil, nil, public(orKind(err, nil))
	}
	if e.disabled {
		return nil, nil, nil
	}
	p, err := r.project(ctx, project)
	if err != nil {
		return nil, nil, public(orKind(err, nil))
	}
	return e, p, nil
}

// ProjectRights are the rights of an identity on one project.
type ProjectRights struct {
	Project iam.Project
	Rights  []iam.Action // of the eleven, in the table's order
	Roles   rbac.Roles
}

// ProjectRights lists the enabled projects of the account on which the service account has at least one role, by id.
func (r *Registry) ProjectRights(ctx context.Context, id iam.ClientID, addr netip.Addr) ([]ProjectRights, error) {
	q := question{r.now(), addr}
	if err := r.fresh(ctx, q.now); err != nil {
		return nil, err
	}
	e, err := r.identity(ctx, id)
	if err != nil || e.disabled {
		return nil, public(orKind(err, nil))
	}
	projects, err := r.projectsOf(ctx, e.sa.Owner)
	if err != nil {
		return nil, public(err)
	}
	var list []ProjectRights
	for _, p := range projects {
		if roles := r.rolesOn(e, p, q); roles != 0 {
			list = append(list, ProjectRights{p.Project, e.compiled.Rights(p.resource, q.now, addr), roles})
		}
	}
	return list, nil
}

// reaches reports whether a standing identity has a role on a project, or the operator's flag service.
func (r *Registry) reaches(e *identity, p *project, q question) bool {
	serves := e.sa.ServiceProject == p.ID && !p.Disabled && p.Owner == e.sa.Owner
	return serves || r.rolesOn(e, p, q) != 0
}

// ProjectByID gives a project for whoever has a role on it, or is a service there (Keystone's token bodies); iam.NotFound otherwise.
func (r *Registry) ProjectByID(ctx context.Context, id iam.ClientID, project iam.ProjectID, addr netip.Addr) (iam.Project, error) {
	q := question{r.now(), addr}
	e, p, err := r.pair(ctx, id, project, q)
	if err != nil {
		return iam.Project{}, err
	}
	if e == nil || p == nil || !r.reaches(e, p, q) {
		return iam.Project{}, notFound("project", string(project))
	}
	return p.Project, nil
}

// ProjectByName is ProjectByID for a name, within the service account's own account; names are unique there.
func (r *Registry) ProjectByName(ctx context.Context, id iam.ClientID, name string, addr netip.Addr) (iam.Project, error) {
	q := question{r.now(), addr}
	if err := r.fresh(ctx, q.now); err != nil {
		return iam.Project{}, err
	}
	e, err := r.identity(ctx, id)
	if err != nil {
		return iam.Project{}, public(missing(err, "project", name))
	}
	projects, err := r.projectsOf(ctx, e.sa.Owner)
	if err != nil {
		return iam.Project{}, public(err)
	}
	i := slices.IndexFunc(projects, func(p *project) bool { return p.Name == name })
	if e.disabled || i < 0 || !r.reaches(e, projects[i], q) {
		return iam.Project{}, notFound("project", name)
	}
	return projects[i].Project, nil
}

// revocationKept is how long a revoked token is remembered past its expiry: Keystone's allow_expired window.
const revocationKept = 48 * time.Hour

// RevokeToken ends one token at once, in every replica, by its audit id. A service account may end its own tokens; those of another one of its
// account need iam.ActionTokenDelete.
func (r *Registry) RevokeToken(ctx context.Context, c iam.Caller, t iam.Token) error {
	auditID, until := hex.EncodeToString(t.AuditID[:]), t.Expires.Add(revocationKept)
	a := attempt{action: iam.ActionTokenDelete, subject: urn.ServiceAccount(c.Account, string(t.ClientID))}
	if id, ok := c.Identity.ClientID(); ok && iam.ClientID(id) == t.ClientID {
		a.always = true
	}
	err := r.change(ctx, c, a, func(tx *store.Tx, a *attempt) (string, error) {
		sa, err := ownServiceAccount(ctx, tx, &c, t.ClientID)
		if err != nil {
			return "", err
		}
		a.account, a.subject = sa.Owner, sa.Identity()
		if err := tx.RevokeToken(ctx, auditID, until); err != nil {
			return "", err
		}
		return "audit id " + auditID, tx.Changed(ctx, store.TokenRevoked, auditID)
	})
	if err == nil {
		r.cache.revoke(auditID, until)
	}
	return err
}
