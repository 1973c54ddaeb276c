package registry_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// A machine makes random changes through one replica and asks questions of two, and of a third that remembers nothing.
type machine struct {
	w, second, forgetful *world
	sas                  []iam.ServiceAccount
	projects             []iam.ProjectID
	group                iam.PermissionsGroup
	rgroup               iam.ResourceGroup
	policies             []string
	made                 int
}

func newMachine(t *testing.T) *machine {
	w := newWorld(t)
	m := &machine{w: w, second: openWorld(t, w.url, w.clock), forgetful: openWorld(t, w.url, w.clock), projects: []iam.ProjectID{projectID}}
	for i := range 3 {
		sa, _ := w.serviceAccount(fmt.Sprint("sa", i))
		m.sas = append(m.sas, sa)
	}
	p, err1 := w.CreateProject(t.Context(), root, iam.Project{Owner: acme, Name: "test"})
	foreign, err2 := w.CreateProject(t.Context(), root, iam.Project{Owner: other, Name: "test"})
	m.projects = append(m.projects, p.ID, foreign.ID)
	var err3, err4 error
	m.group, err3 = w.CreatePermissionsGroup(t.Context(), root, iam.PermissionsGroup{Owner: acme, Name: "g"})
	m.rgroup, err4 = w.CreateResourceGroup(t.Context(), root, iam.ResourceGroup{Owner: acme, Name: "g"})
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

var someActions = []iam.Action{supervisor, "publicCloudProject:openstack:computeOperator", "publicCloudProject:openstack:*", "*", "publicCloudProject:ai:aiTrainingRead"}

var someConditions = []*iam.Condition{
	nil, nil,
	{Operator: iam.Match, Values: map[string]string{"date(Europe/Paris).Hour.GE": "14"}},
	{Operator: iam.Match, Values: map[string]string{"request.IP.IN_RANGE": "192.0.2.0/24"}},
	{Operator: iam.Match, Values: map[string]string{"resource.Tag(env)": "prod"}},
	{Operator: iam.Not, Conditions: []iam.Condition{{Operator: iam.Match, Values: map[string]string{"request.IP": "192.0.2.7"}}}},
	{Operator: iam.Or, Conditions: []iam.Condition{
		{Operator: iam.Match, Values: map[string]string{"resource.Tag(env).STARTS_WITH": "p"}},
		{Operator: iam.Match, Values: map[string]string{"date(UTC).Hour.LT": "13"}}}},
}

func (m *machine) drawPolicy(t *rapid.T) iam.Policy {
	actions := rapid.SliceOfN(rapid.SampledFrom(someActions), 0, 2)
	m.made++
	p := iam.Policy{
		Owner: acme, Name: fmt.Sprint("p", m.made),
		Resources: rapid.SliceOfN(rapid.SampledFrom([]urn.URN{urn.Project(urn.EU, string(m.projects[0])), urn.Project(urn.EU, string(m.projects[1])),
			"urn:v1:eu:resource:*", urn.ResourceGroup(urn.EU, m.rgroup.ID)}), 1, 2).Draw(t, "resources"),
		Permissions: iam.Permissions{Allow: actions.Draw(t, "allow"), Deny: rapid.SliceOfN(rapid.SampledFrom(someActions[:2]), 0, 1).Draw(t, "deny"),
			Except: actions.Draw(t, "except")},
		Condition: rapid.SampledFrom(someConditions).Draw(t, "condition"),
	}
	if rapid.Bool().Draw(t, "in a group") {
		p.PermissionsGroups = []urn.URN{m.group.URN}
	}
	if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
		p.ExpiredAt = m.w.clock.now().Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute)
	}
	for i := range m.sas {
		if rapid.Bool().Draw(t, "names it") {
			p.Identities = append(p.Identities, m.sas[i].Identity())
		}
	}
	return p
}

func (m *machine) step(t *rapid.T, ctx context.Context) error {
	sa := rapid.SampledFrom(m.sas).Draw(t, "sa")
	project := rapid.SampledFrom(m.projects).Draw(t, "project")
	flag := rapid.Bool().Draw(t, "flag")
	switch rapid.IntRange(0, 10).Draw(t, "step") {
	case 0, 1:
		p, err := m.w.CreatePolicy(ctx, root, m.drawPolicy(t))
		m.policies = append(m.policies, p.ID)
		return err
	case 2, 3:
		if len(m.policies) == 0 {
			return nil
		}
		i := rapid.IntRange(0, len(m.policies)-1).Draw(t, "policy")
		id := m.policies[i]
		if flag {
			m.policies = slices.Delete(m.policies, i, i+1)
			return m.w.DeletePolicy(ctx, root, id)
		}
		_, err := m.w.ReplacePolicy(ctx, root, id, m.drawPolicy(t))
		return err
	case 4:
		return m.w.SetServiceAccountDisabled(ctx, root, sa.ID, flag)
	case 5:
		return m.w.SetProjectDisabled(ctx, root, project, flag)
	case 6:
		return m.w.SetAccountDisabled(ctx, root, acme, flag)
	case 7:
		_, err := m.w.SetTags(ctx, root, urn.Project(urn.EU, string(project)), map[string]string{"env": rapid.SampledFrom([]string{"prod", "dev", "pre"}).Draw(t, "tag")})
		return err
	case 8:
		m.group.Permissions.Allow = rapid.SliceOfN(rapid.SampledFrom(someActions), 0, 2).Draw(t, "group")
		_, err := m.w.ReplacePermissionsGroup(ctx, root, m.group.URN, m.group)
		return err
	case 9:
		m.rgroup.Resources = nil
		if flag {
			m.rgroup.Resources = []urn.URN{urn.Project(urn.EU, string(m.projects[0]))}
		}
		_, err := m.w.ReplaceResourceGroup(ctx, root, m.rgroup.ID, m.rgroup)
		return err
	default:
		m.w.clock.add(time.Duration(rapid.IntRange(0, 90).Draw(t, "later")) * time.Minute)
		return nil
	}
}

// compare asks the same of a replica and of one without memory.
func (m *machine) compare(t *rapid.T, ctx context.Context, w *world) {
	addr := rapid.SampledFrom([]netip.Addr{{}, here, netip.MustParseAddr("198.51.100.1")}).Draw(t, "from")
	for _, sa := range m.sas {
		registry.Forget(m.forgetful.Registry)
		want, err1 := m.forgetful.ProjectRights(ctx, sa.ID, addr)
		got, err2 := w.ProjectRights(ctx, sa.ID, addr)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if !slices.EqualFunc(got, want, func(a, b registry.ProjectRights) bool {
			return a.Project == b.Project && a.Roles == b.Roles && slices.Equal(a.Rights, b.Rights)
		}) {
			t.Fatalf("%s has %+v, uncached %+v", sa.Name, got, want)
		}
		for _, p := range m.projects {
			want, err1 := m.forgetful.Roles(ctx, sa.ID, p, addr)
			got, err2 := w.Roles(ctx, sa.ID, p, addr)
			if err1 != nil || err2 != nil || got != want {
				t.Fatalf("%s on %s has roles %v, uncached %v (%v, %v)", sa.Name, p, got, want, err1, err2)
			}
		}
	}
}

// TestCachedAnswersAreUncachedAnswers makes random changes, moves the clock, and compares.
func TestCachedAnswersAreUncachedAnswers(t *testing.T) {
	m := newMachine(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			if err := m.step(t, ctx); err != nil {
				t.Fatal(err)
			}
			m.compare(t, ctx, m.w)
		}
		m.w.clock.add(time.Second) // the other replica polls
		m.compare(t, ctx, m.second)
	})
}

// TestALoadNeverPutsBackWhatWasDropped changes while others ask.
func TestALoadNeverPutsBackWhatWasDropped(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("sa")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = w.Roles(context.Background(), sa.ID, projectID, here)
				}
			}
		})
	}
	for i := range 100 {
		p := w.allow(sa, fmt.Sprint("p", i), supervisor)
		if !w.roles(sa).Has(rbac.ComputeRead) {
			t.Error("a new policy grants nothing")
		}
		if err := w.DeletePolicy(t.Context(), root, p.ID); err != nil {
			t.Error(err)
		}
		if w.roles(sa) != 0 {
			t.Error("a deleted policy grants")
		}
	}
	close(stop)
	wg.Wait()
}

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	sa, secret := w.serviceAccount("sa")
	w.allow(sa, "p", supervisor)
	token := w.token(w.login(sa, secret))
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if _, err := w.Check(ctx, token); err != nil {
			t.Error(err)
		}
		if roles, err := w.Roles(ctx, sa.ID, projectID, here); err != nil || roles == 0 {
			t.Error(roles, err)
		}
	})
	if n != 0 {
		t.Errorf("Check and Roles allocate %v times", n)
	}
}

// TestTheCacheIsBounded asks for more identities than it may hold.
func TestTheCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	small, err := registry.New(t.Context(), registry.Config{Store: w.store, Ring: w.ring, Now: w.clock.now, CacheSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		sa, _ := w.serviceAccount(fmt.Sprint("sa", i))
		if _, err := small.Roles(t.Context(), sa.ID, projectID, here); err != nil {
			t.Fatal(err)
		}
	}
	if n := registry.Held(small); n != 2 {
		t.Errorf("holds %d identities", n)
	}
}
