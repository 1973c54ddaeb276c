package registry

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// An attempt is what a caller wants to do, as it is judged and recorded.
type attempt struct {
	action  iam.Action // "": only the operator may; then name says what it is
	name    string
	on      urn.URN     // the resource that action is asked of; "": the account
	account urn.Account // whose things; zero: the caller's
	subject urn.URN     // what the record names; "": on
	always  bool        // any live caller may
}

// owner gives the account that the attempt is about.
func (a *attempt) owner(c *iam.Caller) urn.Account {
	if a.account != (urn.Account{}) {
		return a.account
	}
	return c.Account
}

func (a *attempt) resource(c *iam.Caller) urn.URN {
	if a.on != "" {
		return a.on
	}
	return urn.AccountResource(a.owner(c))
}

// change is the door for writing: it judges the caller, makes the change and writes the record in one transaction, and has the cache
// drop what changed before it returns. Fn may run more than once; it may narrow the attempt's account and subject for the record.
func (r *Registry) change(ctx context.Context, c iam.Caller, a attempt, fn func(tx *store.Tx, a *attempt) (details string, err error)) error {
	changes, err := r.store.Update(ctx, func(tx *store.Tx) error {
		a := a
		if err := r.authorize(ctx, tx, &c, &a); err != nil {
			return err
		}
		details, err := fn(tx, &a)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, record(&c, &a, audit.Done, details))
	})
	r.cache.drop(changes)
	return r.refused(ctx, &c, &a, err)
}

// read is the door for reading: it judges the caller and reads in one snapshot. Only a refusal is recorded.
func (r *Registry) read(ctx context.Context, c iam.Caller, a attempt, fn func(tx *store.Tx) error) error {
	err := r.store.View(ctx, func(tx *store.Tx) error {
		if err := r.authorize(ctx, tx, &c, &a); err != nil {
			return err
		}
		return fn(tx)
	})
	return r.refused(ctx, &c, &a, err)
}

// refused records a refusal, in a transaction of its own as the attempt's was rolled back, and makes the error public.
func (r *Registry) refused(ctx context.Context, c *iam.Caller, a *attempt, err error) error {
	e, ok := errors.AsType[*iam.Error](err)
	if !ok || e.Kind != iam.Denied || !r.refusals.worth(c.Account, r.now()) {
		return public(err)
	}
	at := *a
	if len(e.Actions) > 0 {
		at.action = e.Actions[0] // what was missing, where an attempt needs more than one
	}
	_, werr := r.store.Update(ctx, func(tx *store.Tx) error {
		return tx.AppendAudit(ctx, record(c, &at, audit.Denied, ""))
	})
	if werr != nil {
		return public(werr)
	}
	return err
}

// record says who tried what.
func record(c *iam.Caller, a *attempt, outcome audit.Outcome, details string) audit.Record {
	rec := audit.Record{Actor: string(c.Identity), Account: a.owner(c), Action: string(a.action), Subject: a.subject, Outcome: outcome,
		RequestID: c.RequestID, Details: details}
	if c.Operator != "" {
		rec.Actor = "operator:" + c.Operator
	}
	if rec.Action == "" {
		rec.Action = a.name
	}
	if rec.Subject == "" {
		rec.Subject = a.resource(c)
	}
	rec.Subject, rec.RequestID, rec.Details = urn.URN(plain(string(rec.Subject))), plain(rec.RequestID), plain(rec.Details)
	return rec
}

// maxAuditText bounds each text of a record, in bytes.
const maxAuditText = 1024

// plain makes a text that both databases can hold of one that a client may have made up.
func plain(s string) string {
	s = strings.ReplaceAll(s[:min(len(s), maxAuditText)], "\x00", "")
	return strings.ToValidUTF8(s, "")
}

// authorize judges an attempt inside the transaction. A caller who no longer stands is iam.Unauthenticated, one who may not iam.Denied.
func (r *Registry) authorize(ctx context.Context, tx *store.Tx, c *iam.Caller, a *attempt) error {
	if c.Operator != "" {
		return nil
	}
	if err := standing(ctx, tx, c); err != nil {
		return err
	}
	if a.always {
		return nil
	}
	if a.action == "" {
		return operatorOnly()
	}
	res, err := tx.Resource(ctx, a.resource(c))
	if err != nil {
		return missing(err, "resource", string(a.resource(c)))
	}
	if res.Owner != c.Account {
		return notFound("resource", string(res.URN))
	}
	decision, err := decide(ctx, tx, c, a.action, res)
	if err != nil || decision.Allowed {
		return err
	}
	return denied(a.action, res.URN)
}

func operatorOnly() error {
	return iam.Errorf(iam.Denied, "Only whoever runs this server may do that.")
}

func denied(action iam.Action, on urn.URN) error {
	e := iam.Errorf(iam.Denied, "No policy grants %s on %s.", action, on)
	e.Actions = []iam.Action{action}
	return e
}

// standing reports whether the caller still is somebody: account and service account are there and enabled.
func standing(ctx context.Context, tx *store.Tx, c *iam.Caller) error {
	gone := iam.Errorf(iam.Unauthenticated, "The credentials are not valid, or no longer.")
	if account, ok := c.Identity.Account(); !ok || account != c.Account {
		return gone
	}
	account, err := tx.Account(ctx, c.Account)
	if err != nil || account.Disabled {
		return orKind(err, gone)
	}
	if c.Identity == urn.AccountIdentity(c.Account) {
		return nil
	}
	id, ok := c.Identity.ClientID()
	if !ok {
		return gone
	}
	sa, err := tx.ServiceAccount(ctx, iam.ClientID(id))
	if err != nil || sa.Disabled || sa.Identity() != c.Identity {
		return orKind(err, gone)
	}
	return nil
}

// orKind gives kind unless err is a failure.
func orKind(err error, kind error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) {
		return kind
	}
	return err
}

// decide evaluates one action of a standing caller on a resource of its own account. The account itself, its root, may do everything.
func decide(ctx context.Context, tx *store.Tx, c *iam.Caller, action iam.Action, res iam.Resource) (iam.Decision, error) {
	if c.Identity == urn.AccountIdentity(c.Account) && res.Owner == c.Account {
		return iam.Decision{Allowed: true}, nil
	}
	set, err := policySet(ctx, tx, c.Account, c.Identity)
	if err != nil {
		return iam.Decision{}, err
	}
	return iam.Evaluate(set, iam.Request{Identity: c.Identity, Action: action, Resource: res, Time: tx.Now, Address: c.Address}), nil
}

// policySet loads what decides for one identity. A group that is gone is left out: it then holds nothing.
func policySet(ctx context.Context, tx *store.Tx, owner urn.Account, identity urn.URN) (*iam.PolicySet, error) {
	policies, err := tx.PoliciesOf(ctx, owner, identity)
	if err != nil {
		return nil, err
	}
	set := &iam.PolicySet{Owner: owner, Policies: policies,
		PermissionsGroups: map[urn.URN]iam.PermissionsGroup{}, ResourceGroups: map[urn.URN]iam.ResourceGroup{}}
	for i := range policies {
		if err := addGroups(ctx, tx, set, &policies[i]); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func addGroups(ctx context.Context, tx *store.Tx, set *iam.PolicySet, p *iam.Policy) error {
	for _, u := range p.PermissionsGroups {
		if _, ok := set.PermissionsGroups[u]; ok {
			continue
		}
		g, err := tx.PermissionsGroup(ctx, u)
		if err == nil && g.Owner == set.Owner {
			set.PermissionsGroups[u] = g
		} else if orKind(err, nil) != nil {
			return err
		}
	}
	for _, u := range p.Resources {
		if _, ok := set.ResourceGroups[u]; ok || u.Kind() != urn.KindResourceGroup {
			continue
		}
		g, err := tx.ResourceGroup(ctx, u.Name())
		if err == nil && g.Owner == set.Owner {
			set.ResourceGroups[u] = g
		} else if orKind(err, nil) != nil {
			return err
		}
	}
	return nil
}

// mine reports whether the caller acts within an account: its own, or for an operator the one it names, or any.
func mine(c *iam.Caller, owner urn.Account) bool {
	return c.Account == owner || c.Operator != "" && c.Account == (urn.Account{})
}

// ownerFor gives the owner of something that the caller makes: its own account; an operator may name another.
func ownerFor(c *iam.Caller, wanted urn.Account) (urn.Account, error) {
	if wanted == (urn.Account{}) {
		wanted = c.Account
	}
	if wanted == (urn.Account{}) {
		return wanted, iam.Errorf(iam.Invalid, "Say whose it is: the account is missing.")
	}
	if !mine(c, wanted) {
		return wanted, notFound("account", wanted.Name)
	}
	return wanted, nil
}

// refusals bounds the records of refused attempts per account, so that nobody can fill the disk by being refused.
type refusals struct {
	limits *bounded[urn.Account, *rate.Limiter]
}

const (
	refusalAccounts = 1000
	refusalsPerHour = 600
	refusalBurst    = 200
)

func newRefusals() *refusals {
	return &refusals{newBounded[urn.Account, *rate.Limiter](refusalAccounts)}
}

// worth reports whether one more refusal of the account is to be recorded.
func (f *refusals) worth(account urn.Account, now time.Time) bool {
	perSecond := rate.Limit(float64(refusalsPerHour) / time.Hour.Seconds())
	return f.limits.getOrPut(account, rate.NewLimiter(perSecond, refusalBurst)).AllowN(now, 1)
}
