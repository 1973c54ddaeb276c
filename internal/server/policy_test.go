package server_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	supervisor = iam.Action("publicCloudProject:openstack:infrastructureSupervisor")
	operator   = iam.Action("publicCloudProject:openstack:computeOperator")
)

func match(key, value string) *iam.Condition {
	return &iam.Condition{Operator: iam.Match, Values: map[string]string{key: value}}
}

// TestPoliciesThroughHTTP asks the gateway for the servers under one policy after another, on Wednesday, 25 November 2026, 10:30 UTC, from
// 203.0.113.7, on a project with the name guide and the tag environment=prod.
func TestPoliciesThroughHTTP(t *testing.T) {
	now := time.Date(2026, 11, 25, 10, 30, 0, 0, time.UTC)
	s := servertest.Start(t, func(c *server.Config) {
		c.Now = func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	resource := urn.Project("eu", project)
	if err := s.Registry().AddTag(context.Background(), s.Operator, resource, "environment", "prod"); err != nil {
		t.Fatal(err)
	}
	account := s.ServiceAccount("x")
	always := s.Policy(iam.Policy{ // an unrelated right, so that it can log in
		Name: "login", Identities: []urn.URN{account.Identity()}, Resources: []urn.URN{resource},
		Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:objectstoreOperator"}},
	})
	token := s.Scoped(account)
	allow := iam.Permissions{Allow: []iam.Action{supervisor}}
	for name, v := range map[string]struct {
		permissions iam.Permissions
		condition   *iam.Condition
		expired     time.Time
		want        int
	}{
		"allowed":               {allow, nil, time.Time{}, 200},
		"allowed by a glob":     {iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:*"}}, nil, time.Time{}, 200},
		"allowed, but not this": {iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:*"}, Except: []iam.Action{"*Supervisor", "*administrator", "*Operator"}}, nil, time.Time{}, 403},
		"another right gives the role all the same": {iam.Permissions{Allow: []iam.Action{supervisor, operator}, Except: []iam.Action{supervisor}}, nil, time.Time{}, 200},
		"denied in the same policy":                 {iam.Permissions{Allow: []iam.Action{supervisor}, Deny: []iam.Action{supervisor}}, nil, time.Time{}, 403},
		"a denied right takes no role of another":   {iam.Permissions{Allow: []iam.Action{supervisor, operator}, Deny: []iam.Action{supervisor}}, nil, time.Time{}, 200},
		"expires later":                             {allow, nil, now.Add(time.Second), 200},
		"expired":                                   {allow, nil, now, 403},
		"on this date":                              {allow, match("date(Europe/Paris).Date", "2026-11-25"), time.Time{}, 200},
		"before this date":                          {allow, match("date(Europe/Paris).Date.BEFORE", "2026-11-25"), time.Time{}, 403},
		"at this hour in Paris":                     {allow, match("date(Europe/Paris).Hour.EQ", "11"), time.Time{}, 200},
		"at this hour in New York":                  {allow, match("date(America/New_York).Hour.IN", "9,10,11"), time.Time{}, 403},
		"on working days":                           {allow, match("date(Europe/Berlin).WeekDay.IN", "monday,tuesday,wednesday,thursday,friday"), time.Time{}, 200},
		"at weekends":                               {allow, match("date(Europe/Berlin).WeekDay.In", "Saturday,Sunday"), time.Time{}, 403},
		"with this tag":                             {allow, match("resource.Tag(environment)", "prod"), time.Time{}, 200},
		"with another tag":                          {allow, match("resource.Tag(environment)", "test"), time.Time{}, 403},
		"without a tag that is not there":           {allow, match("resource.Tag(owner)", "prod"), time.Time{}, 403},
		"of this type":                              {allow, match("resource.Type.IN", "vps,publicCloudProject"), time.Time{}, 200},
		"of another type":                           {allow, match("resource.Type", "vps"), time.Time{}, 403},
		"from this network":                         {allow, match("request.IP.IN_RANGE", "203.0.113.0/24"), time.Time{}, 200},
		"from another network":                      {allow, match("request.IP.IN_RANGE", "198.51.100.0/24"), time.Time{}, 403},
		"all of these":                              {allow, &iam.Condition{Operator: iam.And, Conditions: []iam.Condition{*match("request.IP", "203.0.113.7"), *match("resource.Type", "vps")}}, time.Time{}, 403},
		"one of these":                              {allow, &iam.Condition{Operator: iam.Or, Conditions: []iam.Condition{*match("request.IP", "203.0.113.7"), *match("resource.Type", "vps")}}, time.Time{}, 200},
		"none of these":                             {allow, &iam.Condition{Operator: iam.Not, Conditions: []iam.Condition{*match("resource.Type", "vps")}}, time.Time{}, 200},
		"not this one":                              {allow, &iam.Condition{Operator: iam.Not, Conditions: []iam.Condition{*match("request.IP", "203.0.113.7")}}, time.Time{}, 403},
	} {
		p := s.Policy(iam.Policy{
			Name: name, Identities: []urn.URN{account.Identity()}, Resources: []urn.URN{resource}, Permissions: v.permissions,
			Condition: v.condition, ExpiredAt: v.expired,
		})
		for _, path := range []string{"/GRA1/compute/v2.1/servers/detail", "/GRA/compute/v2.1/servers/detail"} { // the second time from memory
			if a := s.Do("GET", path, "", "X-Auth-Token: "+token, "X-Forwarded-For: 203.0.113.7"); a.Status != v.want {
				t.Errorf("%s: %d, want %d %s", name, a.Status, v.want, a.Body)
			}
		}
		if err := s.Registry().DeletePolicy(context.Background(), s.Operator, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Registry().DeletePolicy(context.Background(), s.Operator, always.ID); err != nil {
		t.Fatal(err)
	}
}

// TestAnAccountsPoliciesEndAtItsProjects lets one account write policies in every spelling that could reach another's project.
func TestAnAccountsPoliciesEndAtItsProjects(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	mallory := urn.Account{Partition: urn.EU, Name: "mm66666-ovh"}
	c := iam.Caller{Operator: "test", Account: mallory}
	if _, err := s.Registry().CreateAccount(ctx, c, iam.Account{ID: mallory}); err != nil {
		t.Fatal(err)
	}
	made, secret, err := s.Registry().CreateServiceAccount(ctx, c, iam.ServiceAccount{Owner: mallory, Name: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i, resource := range []urn.URN{
		urn.Project("eu", project), "urn:v1:eu:resource:*", "urn:v1:eu:resource:publicCloudProject:*", "urn:v1:eu:resource:publicCloudProject:0f*",
		urn.Project("ca", project), "urn:v1:eu:resource:publicCloudProject*",
	} {
		_, err := s.Registry().CreatePolicy(ctx, c, iam.Policy{
			Owner: mallory, Name: fmt.Sprintf("p%d", i), Identities: []urn.URN{made.Identity()}, Resources: []urn.URN{resource},
			Permissions: iam.Permissions{Allow: []iam.Action{"*"}},
		})
		if err == nil {
			accepted++ // of no effect; what names another's project outright is refused
		}
		if a := s.Scope(s.Unscoped(servertest.Credential{ServiceAccount: made, Secret: secret})); a.Status != 401 {
			t.Errorf("with a policy on %s: %d %s", resource, a.Status, a.Body)
		}
	}
	if accepted < 2 {
		t.Errorf("only %d of the policies were stored: the wildcards were not put to the test", accepted)
	}
}
