package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// The cache is bounded and exact.
//
// Bounded: identities, projects and lists are in bounded maps; an identity keeps role sets for a bounded number of projects.
//
// Exact: every change names, in its own transaction, what it touched. The process that made it drops that before the call returns;
// others poll the change table. A load that began before a drop must not put back what was dropped: each drop moves a generation, and
// what was loaded under an older one is used for the one answer and not kept. Role sets are kept only when they hold at every
// time and from every address, and count only for a project that looks the same to conditions as the one they were computed for.
type cache struct {
	identities *bounded[iam.ClientID, *identity]
	projects   *bounded[iam.ProjectID, *project]
	lists      *bounded[string, []*project] // all projects of an account, by id

	mu         sync.Mutex // held while dropping and while keeping something loaded
	generation atomic.Int64

	revokedMu sync.RWMutex
	revoked   map[string]time.Time // audit id as it is stored → when it can be forgotten
}

// An identity is a service account with all that decides for it. Only roles changes.
type identity struct {
	sa       iam.ServiceAccount
	disabled bool // it or its account
	secrets  []store.Secret
	compiled *iam.Compiled
	groups   []urn.URN // that its policies name

	mu    sync.RWMutex
	roles map[iam.ProjectID]projectRoles
}

type projectRoles struct {
	looks string // of the project that they were computed for
	roles rbac.Roles
}

// rolesKept bounds the role sets of one identity. Past it they are computed anew, from the compiled policies.
const rolesKept = 256

// A project is one with its resource.
type project struct {
	iam.Project
	resource iam.Resource
	looks    string // all of resource that a policy can look at, as one text
}

func newProject(row iam.Project, res iam.Resource) *project {
	looks := fmt.Sprintf("%q %q %q", res.URN, res.Name, res.DisplayName)
	for _, key := range slices.Sorted(maps.Keys(res.Tags)) {
		looks += fmt.Sprintf(" %q=%q", key, res.Tags[key])
	}
	return &project{row, res, looks}
}

// listsKept bounds the accounts whose list of projects is kept.
const listsKept = 256

func newCache(size int) *cache {
	return &cache{
		identities: newBounded[iam.ClientID, *identity](size),
		projects:   newBounded[iam.ProjectID, *project](size),
		lists:      newBounded[string, []*project](listsKept),
		revoked:    map[string]time.Time{},
	}
}

// keep runs put unless something was dropped since the generation was read.
func (c *cache) keep(generation int64, put func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation.Load() == generation {
		put()
	}
}

// drop forgets what changes name.
func (c *cache) drop(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation.Add(1)
	for _, ch := range changes {
		switch ch.Kind {
		case store.ClientChanged:
			c.identities.remove(iam.ClientID(ch.Subject))
		case store.ProjectChanged:
			c.projects.remove(iam.ProjectID(ch.Subject))
		case store.AccountChanged:
			c.identities.removeWhere(func(e *identity) bool { return store.OwnerKey(e.sa.Owner) == ch.Subject })
		case store.GroupChanged:
			c.identities.removeWhere(func(e *identity) bool { return slices.Contains(e.groups, urn.URN(ch.Subject)) })
		case store.ProjectsChanged:
			c.lists.remove(ch.Subject)
		case store.TokenRevoked, store.KeysChanged: // not kept here
		default:
			c.identities.clear() // of a newer program: unknown, so everything
			c.projects.clear()
			c.lists.clear()
		}
	}
}

func (c *cache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation.Add(1)
	c.identities.clear()
	c.projects.clear()
	c.lists.clear()
}

func (c *cache) revoke(auditID string, until time.Time) {
	c.revokedMu.Lock()
	defer c.revokedMu.Unlock()
	c.revoked[auditID] = until
}

func (c *cache) forgetRevoked(now time.Time) {
	c.revokedMu.Lock()
	defer c.revokedMu.Unlock()
	for id, until := range c.revoked {
		if !now.Before(until) {
			delete(c.revoked, id)
		}
	}
}

func (c *cache) isRevoked(auditID [16]byte) bool {
	c.revokedMu.RLock()
	defer c.revokedMu.RUnlock()
	if len(c.revoked) == 0 {
		return false
	}
	var text [32]byte
	_, ok := c.revoked[string(appendHex(text[:0], auditID))]
	return ok
}

func appendHex(dst []byte, id [16]byte) []byte {
	const digits = "0123456789abcdef"
	for _, b := range id {
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// identity gives a service account from memory or from the database; store.ErrNotFound if there is none.
func (r *Registry) identity(ctx context.Context, id iam.ClientID) (*identity, error) {
	if e, ok := r.cache.identities.get(id); ok {
		return e, nil
	}
	generation := r.cache.generation.Load()
	var e *identity
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		e, err = loadIdentity(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.cache.keep(generation, func() { r.cache.identities.put(id, e) })
	return e, nil
}

func loadIdentity(ctx context.Context, tx *store.Tx, id iam.ClientID) (*identity, error) {
	sa, err := tx.ServiceAccount(ctx, id)
	if err != nil {
		return nil, err
	}
	account, err := tx.Account(ctx, sa.Owner)
	if err != nil {
		return nil, err
	}
	secrets, err := tx.Secrets(ctx, id)
	if err != nil {
		return nil, err
	}
	set, err := policySet(ctx, tx, sa.Owner, sa.Identity())
	if err != nil {
		return nil, err
	}
	e := &identity{sa: sa, disabled: sa.Disabled || account.Disabled, secrets: secrets, compiled: iam.Compile(set, sa.Identity()),
		roles: map[iam.ProjectID]projectRoles{}}
	for i := range set.Policies {
		e.groups = append(e.groups, set.Policies[i].PermissionsGroups...)
		for _, u := range set.Policies[i].Resources {
			if u.Kind() == urn.KindResourceGroup {
				e.groups = append(e.groups, u)
			}
		}
	}
	return e, nil
}

// project gives a project from memory or from the database; store.ErrNotFound if there is none.
func (r *Registry) project(ctx context.Context, id iam.ProjectID) (*project, error) {
	if p, ok := r.cache.projects.get(id); ok {
		return p, nil
	}
	generation := r.cache.generation.Load()
	var p *project
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		p, err = loadProject(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.cache.keep(generation, func() { r.cache.projects.put(id, p) })
	return p, nil
}

func loadProject(ctx context.Context, tx *store.Tx, id iam.ProjectID) (*project, error) {
	row, err := tx.Project(ctx, id)
	if err != nil {
		return nil, err
	}
	res, err := tx.Resource(ctx, urn.Project(row.Owner.Partition, string(id)))
	return newProject(row, res), err
}

// projectsOf gives all projects of an account, by id, from memory or from the database.
func (r *Registry) projectsOf(ctx context.Context, owner urn.Account) ([]*project, error) {
	key := store.OwnerKey(owner)
	if list, ok := r.cache.lists.get(key); ok {
		return list, nil
	}
	generation := r.cache.generation.Load()
	var list []*project
	err := r.store.View(ctx, func(tx *store.Tx) error {
		list = nil
		return eachProject(ctx, tx, owner, func(p *project) { list = append(list, p) })
	})
	if err != nil {
		return nil, err
	}
	r.cache.keep(generation, func() { r.cache.lists.put(key, list) })
	return list, nil
}

// eachProject goes through an account's projects by id, with their resources.
func eachProject(ctx context.Context, tx *store.Tx, owner urn.Account, do func(*project)) error {
	for after := ""; ; {
		page, err := tx.Projects(ctx, owner, after, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			res, err := tx.Resource(ctx, urn.Project(row.Owner.Partition, string(row.ID)))
			if err != nil {
				return err
			}
			do(newProject(row, res))
			after = string(row.ID)
		}
	}
}

// rolesOn gives the roles of a standing identity on a project, from memory if they are constant.
func (r *Registry) rolesOn(e *identity, p *project, q question) rbac.Roles {
	if p.Disabled || p.Owner != e.sa.Owner {
		return 0
	}
	e.mu.RLock()
	known, ok := e.roles[p.ID]
	e.mu.RUnlock()
	if ok && known.looks == p.looks {
		return known.roles
	}
	roles, constant := e.compiled.Roles(p.resource, q.now, q.addr)
	if constant {
		e.mu.Lock()
		defer e.mu.Unlock()
		if _, there := e.roles[p.ID]; there || len(e.roles) < rolesKept {
			e.roles[p.ID] = projectRoles{p.looks, roles}
		}
	}
	return roles
}
