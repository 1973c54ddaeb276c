package registry

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// A TagFilter narrows resources by one tag: EQ, NEQ, EXISTS, NEXISTS, LIKE, ILIKE. In LIKE and ILIKE a % in Value stands for any run of
// characters; ILIKE ignores case.
type TagFilter struct{ Key, Operator, Value string }

func (f *TagFilter) match(tags map[string]string) (bool, error) {
	value, ok := tags[f.Key]
	switch f.Operator {
	case "", "EQ":
		return ok && value == f.Value, nil
	case "NEQ":
		return !ok || value != f.Value, nil
	case "EXISTS":
		return ok, nil
	case "NEXISTS":
		return !ok, nil
	case "LIKE":
		return ok && like(f.Value, value), nil
	case "ILIKE":
		return ok && like(strings.ToLower(f.Value), strings.ToLower(value)), nil
	}
	return false, iam.Errorf(iam.Invalid, "unknown tag operator %q: expected EQ, NEQ, EXISTS, NEXISTS, LIKE or ILIKE", f.Operator)
}

// like matches a pattern in which % stands for any run of characters, taking for each the shortest run that works: linear time per %.
func like(pattern, s string) bool {
	parts := strings.Split(pattern, "%")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(s, part)
		if !ok {
			return false
		}
		s = after
	}
	return true
}

// ResourceFilter narrows a list of resources; empty members do not. URNs may be patterns.
type ResourceFilter struct {
	Names, Types []string
	URNs         []urn.URN
	Tags         []TagFilter
}

func (f *ResourceFilter) match(res *iam.Resource) (bool, error) {
	matches := func(u urn.URN) bool { return urn.Match(u, res.URN) }
	if !overlap(f.Names, []string{res.Name}) || !overlap(f.Types, []string{res.URN.Type()}) || len(f.URNs) > 0 && !slices.ContainsFunc(f.URNs, matches) {
		return false, nil
	}
	for i := range f.Tags {
		if ok, err := f.Tags[i].match(res.Tags); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// Resources lists what the caller can see, by id: the account itself and its projects, those on which it has any action.
func (r *Registry) Resources(ctx context.Context, c iam.Caller, f ResourceFilter, p Page) (list []iam.Resource, next string, err error) {
	err = r.read(ctx, c, attempt{always: true}, func(tx *store.Tx) error {
		sees, err := sight(ctx, tx, &c)
		if err != nil {
			return err
		}
		var bad error
		match := func(res *iam.Resource) bool {
			ok, err := f.match(res)
			if err != nil {
				bad = err
			}
			return ok && sees(res)
		}
		if _, err := f.match(&iam.Resource{}); err != nil {
			return err // also when the account has no resources
		}
		read := func(after string, limit int) ([]iam.Resource, error) {
			return tx.Resources(ctx, c.Account, after, limit)
		}
		list, next, err = pages(p.After, p.limit(), func(res *iam.Resource) string { return res.ID }, read, match)
		if err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return list, next, nil
}

// sight gives what decides whether a standing caller can see a resource of its account: it has any of the known actions of that type there.
func sight(ctx context.Context, tx *store.Tx, c *iam.Caller) (func(*iam.Resource) bool, error) {
	if c.Operator != "" || c.Identity == urn.AccountIdentity(c.Account) {
		return func(*iam.Resource) bool { return true }, nil
	}
	set, err := policySet(ctx, tx, c.Account, c.Identity)
	if err != nil {
		return nil, err
	}
	compiled, known := iam.Compile(set, c.Identity), iam.ReferenceActions()
	return func(res *iam.Resource) bool {
		return slices.ContainsFunc(known, func(ref iam.ReferenceAction) bool {
			if ref.ResourceType != res.URN.Type() {
				return false
			}
			allowed, _ := compiled.Allows(ref.Action, *res, tx.Now, c.Address)
			return allowed
		})
	}, nil
}

// Resource reads one resource that the caller can see.
func (r *Registry) Resource(ctx context.Context, c iam.Caller, u urn.URN) (res iam.Resource, err error) {
	err = r.read(ctx, c, attempt{always: true}, func(tx *store.Tx) (err error) {
		res, err = ownResource(ctx, tx, &c, u)
		if err != nil {
			return err
		}
		sees, err := sight(ctx, tx, &c)
		if err == nil && !sees(&res) {
			err = notFound("resource", string(u))
		}
		return err
	})
	if err != nil {
		return iam.Resource{}, err
	}
	return res, nil
}

func ownResource(ctx context.Context, tx *store.Tx, c *iam.Caller, u urn.URN) (iam.Resource, error) {
	res, err := tx.Resource(ctx, u)
	if err != nil {
		return res, missing(err, "resource", string(u))
	}
	if !mine(c, res.Owner) {
		return iam.Resource{}, notFound("resource", string(u))
	}
	return res, nil
}

// SetTags replaces all tags. It needs iam.ActionResourceEdit on the account, and on the resource the actions for adding and for removing a
// tag as far as it does that; a tag that gets another value is added.
func (r *Registry) SetTags(ctx context.Context, c iam.Caller, u urn.URN, tags map[string]string) (res iam.Resource, err error) {
	err = r.changeTags(ctx, c, attempt{action: iam.ActionResourceEdit, subject: u}, u, func(tx *store.Tx, res *iam.Resource) error {
		var needed []iam.Action
		if !covers(res.Tags, tags) {
			needed = append(needed, iam.TagAddAction(u))
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(res.Tags)), func(key string) bool { _, kept := tags[key]; return !kept }) {
			needed = append(needed, iam.TagRemoveAction(u))
		}
		for _, action := range needed {
			if err := r.authorize(ctx, tx, &c, &attempt{action: action, on: u}); err != nil {
				return err
			}
		}
		res.Tags = maps.Clone(tags)
		return nil
	}, &res)
	return res, err
}

// covers reports whether every entry of want is in have.
func covers(have, want map[string]string) bool {
	for key, value := range want {
		if old, ok := have[key]; !ok || old != value {
			return false
		}
	}
	return true
}

// AddTag sets one tag. It needs the action for adding a tag, on the resource.
func (r *Registry) AddTag(ctx context.Context, c iam.Caller, u urn.URN, key, value string) error {
	var res iam.Resource
	return r.changeTags(ctx, c, attempt{action: iam.TagAddAction(u), on: u}, u, func(_ *store.Tx, res *iam.Resource) error {
		res.Tags = maps.Clone(res.Tags)
		res.Tags[key] = value
		return nil
	}, &res)
}

// RemoveTag removes one tag. It needs the action for removing a tag, on the resource.
func (r *Registry) RemoveTag(ctx context.Context, c iam.Caller, u urn.URN, key string) error {
	var res iam.Resource
	return r.changeTags(ctx, c, attempt{action: iam.TagRemoveAction(u), on: u}, u, func(_ *store.Tx, res *iam.Resource) error {
		if _, ok := res.Tags[key]; !ok {
			return notFound("tag", key)
		}
		delete(res.Tags, key)
		return nil
	}, &res)
}

// changeTags is change for one resource's tags, which conditions may look at.
func (r *Registry) changeTags(ctx context.Context, c iam.Caller, a attempt, u urn.URN, fn func(*store.Tx, *iam.Resource) error, made *iam.Resource) error {
	return r.change(ctx, c, a, func(tx *store.Tx, a *attempt) (string, error) {
		res, err := ownResource(ctx, tx, &c, u)
		if err != nil {
			return "", err
		}
		a.account = res.Owner
		if err := fn(tx, &res); err != nil {
			return "", err
		}
		if err := iam.ValidateTags(res.Tags); err != nil {
			return "", err
		}
		if err := tx.UpdateTags(ctx, u, res.Tags); err != nil {
			return "", err
		}
		*made = res
		if u.Type() != urn.TypeProject {
			return "", nil
		}
		return "", projectChanged(ctx, tx, res.Owner, u.Name())
	})
}
