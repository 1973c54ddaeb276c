package registry

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	decisionsInterval     = time.Second // how often Run writes decisions, while there are any
	decisionsUntilPruned  = 5000        // written before the old ones are pruned without waiting for the time
	defaultDecisionsAge   = 24 * time.Hour
	defaultDecisionsCount = 10000
)

// Record keeps a decision of the gateway to be looked up: found by this process at once, by others when Run has written it. It never waits.
func (r *Registry) Record(d audit.Decision) {
	if r.decisionsCount > 0 {
		r.pending.Add(d)
	}
}

// Rights gives the rights of a service account on a project now, in the table's order, as Roles gives its roles.
func (r *Registry) Rights(ctx context.Context, id iam.ClientID, project iam.ProjectID, addr netip.Addr) ([]iam.Action, error) {
	q := question{r.now(), addr}
	e, p, err := r.pair(ctx, id, project, q)
	if e == nil || p == nil || p.Disabled || p.Owner != e.sa.Owner {
		return nil, err
	}
	return e.compiled.Rights(p.resource, q.now, addr), nil
}

// runDecisions writes decisions until ctx ends. It is no part of Run's own loop, which must not be late.
func (r *Registry) runDecisions(ctx context.Context) {
	ticker := time.NewTicker(decisionsInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.try(ctx, "writing decisions", r.flushDecisions)
		case <-ctx.Done():
			return
		}
	}
}

// flushDecisions writes what is pending, and prunes after many.
func (r *Registry) flushDecisions(ctx context.Context) error {
	r.decisionsMu.Lock()
	defer r.decisionsMu.Unlock()
	list, dropped := r.pending.Take()
	if dropped > 0 {
		r.log.WarnContext(ctx, "registry: more was refused than can be kept; the oldest decisions were dropped", "dropped", dropped)
	}
	if len(list) == 0 {
		return nil
	}
	written := r.decisionsWritten + len(list)
	_, err := r.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.InsertDecisions(ctx, list); err != nil || written < decisionsUntilPruned {
			return err
		}
		return r.pruneDecisions(ctx, tx)
	})
	if err != nil {
		r.pending.PutBack()
		return public(err)
	}
	r.pending.Written()
	r.decisionsWritten = written % decisionsUntilPruned
	return nil
}

func (r *Registry) pruneDecisions(ctx context.Context, tx *store.Tx) error {
	return tx.PruneDecisions(ctx, tx.Now.Add(-r.decisionsAge), max(r.decisionsCount, 0))
}

// Decision looks up a decision about a call, by our request id or by the other that its answer had, and explains it as things are now. A service
// account may look up its own; others' of its account need iam.ActionDecisionGet. What is not there, no longer there or another account's is
// iam.NotFound.
func (r *Registry) Decision(ctx context.Context, c iam.Caller, id string) (e Explanation, err error) {
	d, err := r.findDecision(ctx, c.Account, id)
	if orKind(err, nil) != nil {
		return Explanation{}, public(err)
	}
	there := err == nil
	a := attempt{action: iam.ActionDecisionGet, subject: d.Identity, always: !there || d.Identity == c.Identity}
	err = r.read(ctx, c, a, func(tx *store.Tx) (err error) {
		if !there {
			return iam.Errorf(iam.NotFound, "There is no decision %q. Refusals of somebody known (403) and a few grants are kept, for some hours.", cutText(id))
		}
		e, err = r.explain(ctx, tx, d)
		return err
	})
	return e, err
}

func cutText(s string) string { return s[:min(len(s), 100)] }

// findDecision looks into memory first: what was decided a moment ago is not yet written.
func (r *Registry) findDecision(ctx context.Context, owner urn.Account, id string) (d audit.Decision, err error) {
	if d, ok := r.pending.Find(owner, id); ok {
		return d, nil
	}
	err = r.store.View(ctx, func(tx *store.Tx) (err error) {
		d, err = tx.Decision(ctx, owner, id)
		return err
	})
	return d, err
}

// A RefusalFilter narrows a list of refusals.
type RefusalFilter struct {
	ServiceAccount iam.ClientID // "": all
}

// Refusals lists the account's refused calls, the latest first. A service account may list its own; otherwise it needs iam.ActionDecisionGet.
func (r *Registry) Refusals(ctx context.Context, c iam.Caller, f RefusalFilter, p Page) (list []audit.Decision, next string, err error) {
	before, id, err := parseCursor(p.After)
	if err != nil {
		return nil, "", err
	}
	var identity urn.URN
	if f.ServiceAccount != "" {
		identity = urn.ServiceAccount(c.Account, string(f.ServiceAccount))
	}
	if err := r.flushDecisions(ctx); err != nil {
		return nil, "", err
	}
	a := attempt{action: iam.ActionDecisionGet, subject: identity, always: identity != "" && identity == c.Identity}
	err = r.read(ctx, c, a, func(tx *store.Tx) (err error) {
		list, err = tx.Refusals(ctx, c.Account, identity, before, id, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(d *audit.Decision) string { return strconv.FormatInt(d.Time.UnixMicro(), 10) + "." + d.ID })
	return list, next, err
}

func parseCursor(text string) (before time.Time, id string, err error) {
	if text == "" {
		return time.Time{}, "", nil
	}
	at, id, ok := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || micros <= 0 {
		return time.Time{}, "", iam.Errorf(iam.Invalid, "malformed cursor %q", cutText(text))
	}
	return time.UnixMicro(micros), id, nil
}

// Preview explains what would be decided about a call of a service account; judge judges it. A service account may ask about itself; about others
// of its account needs iam.ActionDecisionGet.
func (r *Registry) Preview(ctx context.Context, c iam.Caller, id iam.ClientID, judge func(iam.ServiceAccount) (audit.Decision, error)) (e Explanation, err error) {
	identity := urn.ServiceAccount(c.Account, string(id))
	a := attempt{action: iam.ActionDecisionGet, subject: identity, always: identity == c.Identity}
	var sa iam.ServiceAccount
	err = r.read(ctx, c, a, func(tx *store.Tx) (err error) {
		sa, err = ownServiceAccount(ctx, tx, &c, id)
		return err
	})
	if err != nil {
		return e, err
	}
	// The judge asks the registry, too: not from within a transaction, which holds a connection.
	d, err := judge(sa)
	if err != nil {
		return e, err
	}
	err = r.store.View(ctx, func(tx *store.Tx) (err error) {
		e, err = r.explain(ctx, tx, d)
		return err
	})
	return e, public(err)
}
