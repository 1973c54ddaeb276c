package api_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

func TestListsHavePages(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for i := range 5 {
		_, err := w.alice.c.CreatePolicy(ctx, policy(fmt.Sprintf("p%d", i), string(w.alice.sa.Identity())))
		ok(t, err)
	}
	whole, err := w.alice.c.Policies(ctx, api.PolicyQuery{})
	ok(t, err)
	var paged []api.Policy
	cursor := ""
	for range len(whole) {
		header := []string{"X-Pagination-Size", "2"}
		if cursor != "" {
			header = append(header, "X-Pagination-Cursor", cursor)
		}
		got := w.alice.send("GET", "/v2/iam/policy", "", header...).is(200)
		part := read[[]api.Policy](got)
		if len(part) > 2 {
			t.Fatalf("a page of %d", len(part))
		}
		paged = append(paged, part...)
		if cursor = got.header.Get("X-Pagination-Cursor-Next"); cursor == "" {
			break
		}
	}
	same := func(a, b api.Policy) bool { return a.ID == b.ID }
	if !slices.EqualFunc(whole, paged, same) || len(whole) < 6 {
		t.Errorf("whole %d, in pages %d", len(whole), len(paged))
	}
	for _, size := range []string{"0", "-1", "x", "1.5"} {
		w.alice.send("GET", "/v2/iam/policy", "", "X-Pagination-Size", size).is(400, "X-Pagination-Size")
	}
	w.alice.send("GET", "/v2/iam/policy", "", "X-Pagination-Size", "5000").is(200)
}

func TestPoliciesAreFiltered(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	x := w.things()
	for name, c := range map[string]struct {
		f    api.PolicyQuery
		want bool
	}{
		"by its action":         {api.PolicyQuery{Actions: []string{"publicCloudProject:openstack:computeOperator"}}, true},
		"by another action":     {api.PolicyQuery{Actions: []string{"publicCloudProject:openstack:imageOperator"}}, false},
		"by its identity":       {api.PolicyQuery{Identities: []string{"urn:v1:eu:identity:credential:xx11111-ovh/oauth2-" + x.client}}, true},
		"by another identity":   {api.PolicyQuery{Identities: []string{string(w.bob.sa.Identity())}}, false},
		"by its resource":       {api.PolicyQuery{Resources: []string{project}}, true},
		"by not being theirs":   {api.PolicyQuery{ReadOnly: new(false)}, true},
		"by being the system's": {api.PolicyQuery{ReadOnly: new(true)}, false},
	} {
		list, err := w.alice.c.Policies(ctx, c.f)
		ok(t, err)
		if got := slices.ContainsFunc(list, func(p api.Policy) bool { return p.ID == x.policy }); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWhatAGetGivesCanBePut(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	x := w.things()
	in := policy("full", string(w.alice.sa.Identity()))
	in.Description = "everything a policy can have"
	in.Permissions.Deny = []api.Action{{Action: "publicCloudProject:openstack:imageOperator"}}
	in.Permissions.Except = []api.Action{{Action: "publicCloudProject:openstack:volume*"}}
	in.PermissionsGroups = []api.PermissionsGroupRef{{URN: x.permissionsGroup}, {URN: "urn:v1:eu:permissionsGroup:ovh:globalReadOnly"}}
	in.Resources = append(in.Resources, api.PolicyResource{URN: "urn:v1:eu:resourceGroup:" + x.resourceGroup}, api.PolicyResource{URN: "urn:v1:eu:resource:publicCloudProject:*"})
	in.ExpiredAt = new(time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC))
	in.Conditions = &api.Condition{Operator: "AND", Conditions: []api.Condition{{Operator: "MATCH", Values: map[string]string{"request.IP.IN_RANGE": "10.0.0.0/8"}}}}
	made, err := w.alice.c.CreatePolicy(ctx, in)
	ok(t, err)

	paths := []string{
		"/v2/iam/policy/" + made.ID, "/v2/iam/permissionsGroup/" + url.PathEscape(x.permissionsGroup), "/v2/iam/resourceGroup/" + x.resourceGroup,
		"/v1/me/api/oauth2/client/" + x.client, "/v2/iam/resource/" + project,
	}
	for _, path := range paths {
		for _, details := range []string{"", "?details=true"} {
			if details != "" && !strings.Contains(path, "policy") && !strings.Contains(path, "resourceGroup") {
				continue
			}
			before := w.alice.send("GET", path+details, "").is(200)
			w.alice.send("PUT", path, before.body).is(200)
			after := w.alice.send("GET", path+details, "").is(200)
			if stripped(before) != stripped(after) {
				t.Errorf("%s%s was\n%s and is\n%s", path, details, before.body, after.body)
			}
		}
	}
	shown, err := w.alice.c.Policy(ctx, made.ID, true)
	ok(t, err)
	if shown.Resources[0].Resource == nil || shown.Resources[1].Group == nil || shown.Resources[1].Group.Name != "thing" || shown.Resources[2].Resource != nil {
		t.Errorf("resources with details: %+v", shown.Resources)
	}
	if *shown.PermissionsGroups[0].Name != "thing" || *shown.PermissionsGroups[1].Owner != "ovh" || shown.PermissionsGroups[1].Permissions == nil {
		t.Errorf("permissions groups with details: %+v", shown.PermissionsGroups)
	}
}

// stripped is a body without updatedAt, which a PUT sets.
func stripped(r reply) string {
	m := read[map[string]any](r)
	delete(m, "updatedAt")
	return fmt.Sprint(m)
}

func TestSecretsRotateAndEnd(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	made, err := w.alice.c.CreateServiceAccount(ctx, api.ServiceAccountCreation{Name: "job", Description: new("nightly"), Flow: api.ClientCredentials, CallbackURLs: []string{}})
	ok(t, err)
	first := w.as("job", iam.ServiceAccount{ID: iam.ClientID(made.ClientID), Owner: alicesAccount}, made.ClientSecret)
	first.send("GET", "/v1/auth/details", "").is(200)

	rotated, err := w.alice.c.RotateSecrets(ctx, made.ClientID, api.Rotation{Description: "November", Overlap: new(int64(3600))})
	ok(t, err)
	first.send("GET", "/v1/auth/details", "").is(200)
	second := w.as("job", first.sa, rotated.ClientSecret)
	list, err := w.alice.c.Secrets(ctx, made.ClientID)
	ok(t, err)
	if len(list) != 2 {
		t.Fatalf("secrets %+v", list)
	}
	for _, s := range list {
		if (s.ExpiresAt == nil) != (s.ID == rotated.ID) {
			t.Errorf("secret %+v", s)
		}
	}
	w.alice.send("GET", "/v1/me/api/oauth2/client/"+made.ClientID, "").is(200, `"secrets":[`, `"description":"November"`)
	_, err = w.alice.c.RotateSecrets(ctx, made.ClientID, api.Rotation{Overlap: new(int64(0))})
	ok(t, err)
	first.send("GET", "/v1/auth/details", "").is(401, "Client::Unauthorized")
	second.send("GET", "/v1/auth/details", "").is(401)
	e := fails(t, errOf(second.c.AuthDetails(ctx)), iam.Unauthenticated)
	if strings.Contains(e.Error(), rotated.ClientSecret) {
		t.Errorf("the error holds the secret: %v", e)
	}

	for body, sentence := range map[string]string{
		`{}`: "overlap", ``: "empty", `{"overlap":-1}`: "overlap", `{"overlap":"1h"}`: "whole number", `{"overlap":9223372036854775807}`: "overlap", `{"overlap":0,"x":1}`: "unknown member",
	} {
		w.alice.send("POST", "/v1/me/api/oauth2/client/"+made.ClientID+"/secret/rotate", body).is(400, sentence)
	}
	for body, sentence := range map[string]string{
		`{"expiresIn":-5}`: "expiresIn", `{"expiresIn":60,"expiresAt":"2100-01-01T00:00:00Z"}`: "not both", `{"expiresAt":"soon"}`: "a time such as", `{"expiresAt":"2001-01-01T00:00:00Z"}`: "past",
		`{"expiresAt":"0001-01-01T00:00:00Z"}`: "1970", `{"expiresAt":"9999-12-31T23:59:59-23:00"}`: "9999", `{"expiresAt":"0000-01-01T00:00:00+23:00"}`: "1970",
	} {
		w.alice.send("POST", "/v1/me/api/oauth2/client/"+made.ClientID+"/secret", body).is(400, sentence)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestDisableAndEnable(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	carol := w.carol(nil)
	id := string(carol.sa.ID)
	ok(t, w.alice.c.DisableServiceAccount(ctx, id))
	ok(t, w.alice.c.DisableServiceAccount(ctx, id))
	carol.send("GET", "/v1/auth/details", "").is(401)
	shown, err := w.alice.c.ServiceAccount(ctx, id)
	ok(t, err)
	if !*shown.Disabled {
		t.Error("not shown as disabled")
	}
	w.alice.send("POST", "/v1/me/api/oauth2/client/"+id+"/enable", `{"until":"tomorrow"}`).is(400, "until")
	w.alice.send("POST", "/v1/me/api/oauth2/client/"+id+"/enable", `{}`).is(200, "null")
	ok(t, w.alice.c.EnableServiceAccount(ctx, id))
	carol.send("GET", "/v1/auth/details", "").is(200)
}

func TestServiceAccountsAreListed(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	x := w.things()
	ids, err := w.alice.c.ServiceAccountIDs(ctx)
	ok(t, err)
	list, err := w.alice.c.ServiceAccounts(ctx, "")
	ok(t, err)
	if len(ids) != 2 || len(list) != 2 || !slices.Contains(ids, x.client) || len(list[0].Secrets) == 0 {
		t.Errorf("%v, %v", ids, list)
	}
	unused, err := w.alice.c.ServiceAccounts(ctx, "1h")
	ok(t, err)
	if len(unused) != 0 {
		t.Errorf("just made, and listed as unused for an hour: %+v", unused)
	}
	w.ahead.Store(int64(2 * time.Hour))
	unused, err = w.alice.c.ServiceAccounts(ctx, "1h")
	ok(t, err)
	if !slices.ContainsFunc(unused, func(a api.ServiceAccount) bool { return a.ClientID == x.client }) {
		t.Errorf("never used in two hours, and not listed: %+v", unused)
	}
	w.ahead.Store(0)
	w.alice.send("GET", "/v1/me/api/oauth2/client?unused=soon", "").is(400, "90d")
	w.alice.send("GET", "/v1/me/api/oauth2/client?unused=1d&unused=2d", "").is(400, "only once")
	w.alice.send("GET", "/v1/me/api/oauth2/client?details=yes", "").is(400, "true or false")
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	ok(t, w.alice.c.AddTag(ctx, project, "environment", "prod"))
	ok(t, w.alice.c.AddTag(ctx, project, "lz:tenant/a", ""))
	r, err := w.alice.c.Resource(ctx, project)
	ok(t, err)
	if r.Tags["environment"] != "prod" || len(r.Tags) != 2 || r.Type != "publicCloudProject" {
		t.Errorf("%+v", r)
	}
	ok(t, w.alice.c.RemoveTag(ctx, project, "lz:tenant/a"))
	for filter, want := range map[api.TagFilter]int{
		{Value: "prod"}: 1, {Operator: "EQ", Value: "x"}: 0, {Operator: "EXISTS"}: 1, {Operator: "LIKE", Value: "pr%"}: 1, {Operator: "NEXISTS"}: 0, {Operator: "ILIKE", Value: "PR%"}: 1,
	} {
		list, err := w.alice.c.Resources(ctx, api.ResourceQuery{Types: []string{"publicCloudProject"}, Tags: map[string][]api.TagFilter{"environment": {filter}}})
		ok(t, err)
		if len(list) != want {
			t.Errorf("%+v: %d resources", filter, len(list))
		}
	}
	_, err = w.alice.c.SetTags(ctx, project, map[string]string{})
	ok(t, err)
	w.alice.send("GET", "/v2/iam/resource?tags=x", "").is(400, "tags")
	w.alice.send("GET", "/v2/iam/resource?tags="+url.QueryEscape(`{"a":[{"operator":"SOUNDS_LIKE"}]}`), "").is(400, "SOUNDS_LIKE")
	w.alice.send("GET", "/v2/iam/resource?resourceURN[]=x", "").is(400, "resourceURN")
	w.alice.send("POST", "/v2/iam/resource/"+project+"/tag", `{"key":"ovh:x","value":""}`).is(400)
	w.alice.send("POST", "/v2/iam/resource/"+project+"/tag", `{"key":"a b","value":""}`).is(400)
	w.alice.send("POST", "/v2/iam/resource/"+project+"/tag", `{"key":"a"}`).is(400, "value")
	w.alice.send("PUT", "/v2/iam/resource/"+project, `{}`).is(400, "tags")
}

func TestChecks(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	carol := w.carol([]iam.Action{"publicCloudProject:openstack:computeOperator"}, "urn:v1:eu:resource:publicCloudProject:*")
	actions := []string{"publicCloudProject:openstack:computeOperator", "publicCloudProject:openstack:imageOperator"}
	one, err := carol.c.Check(ctx, project, actions)
	ok(t, err)
	if !slices.Equal(one.AuthorizedActions, actions[:1]) || !slices.Equal(one.UnauthorizedActions, actions[1:]) {
		t.Errorf("%+v", one)
	}
	bobs := "urn:v1:eu:resource:publicCloudProject:" + string(bobsProject)
	several, err := carol.c.CheckAll(ctx, api.Check{Actions: actions, ResourceURNs: []string{project, bobs}})
	ok(t, err)
	if len(several) != 2 || len(several[0].AuthorizedActions) != 1 || len(several[1].AuthorizedActions) != 0 || several[1].ResourceURN != bobs {
		t.Errorf("%+v", several)
	}
	carol.send("POST", "/v2/iam/authorization/check", `{"actions":[],"resourceURNs":["`+project+`"]}`).is(400, "actions")
	carol.send("POST", "/v2/iam/authorization/check", `{"actions":["x"],"resourceURNs":[]}`).is(400, "resourceURNs")
	carol.send("POST", "/v2/iam/authorization/check", `{"actions":["x"],"resourceURNs":["x"]}`).is(400, "INVALID_RESOURCE_URN")
	many := strings.Repeat(`"x",`, 500) + `"x"`
	carol.send("POST", "/v2/iam/authorization/check", `{"actions":[`+many+`],"resourceURNs":["`+project+`","`+project+`"]}`).is(413, "1000 ")
}

func TestResourceGroupsTakeIdsOrURNs(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	r, err := w.alice.c.Resource(ctx, project)
	ok(t, err)
	made, err := w.alice.c.CreateResourceGroup(ctx, api.ResourceGroup{Name: "by id", Resources: []api.GroupResource{{ID: r.ID}}})
	ok(t, err)
	if len(made.Resources) != 1 || made.Resources[0].URN != project || made.Resources[0].ID != r.ID {
		t.Errorf("%+v", made)
	}
	for body, sentence := range map[string]string{
		`{"name":"x","resources":[{"id":"00000000-0000-0000-0000-000000000000"}]}`:              "resources[0].id",
		`{"name":"x","resources":[{"id":"` + r.ID + `","urn":"urn:v1:eu:resource:account:x"}]}`: "another",
		`{"name":"x","resources":[{}]}`: "an id or a urn",
		`{"name":"x"}`:                  "resources",
		`{"resources":[]}`:              "name",
		`{"name":"x","resources":[{"urn":"urn:v1:eu:resource:publicCloudProject:` + string(bobsProject) + `"}]}`: "",
	} {
		w.alice.send("POST", "/v2/iam/resourceGroup", body).is(400, sentence)
	}
}

func TestReference(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	list, err := w.alice.c.ReferenceActions(ctx)
	ok(t, err)
	some, err := w.alice.c.ReferenceActions(ctx, "publicCloudProject")
	ok(t, err)
	none, err := w.alice.c.ReferenceActions(ctx, "vps")
	ok(t, err)
	if len(some) < 11 || len(list) <= len(some) || len(none) != 0 {
		t.Errorf("%d, %d, %d actions", len(list), len(some), len(none))
	}
	types, err := w.alice.c.ResourceTypes(ctx)
	ok(t, err)
	if !slices.Contains(types, "publicCloudProject") || !slices.Contains(types, "account") {
		t.Error(types)
	}
}

func TestProjects(t *testing.T) {
	w := newWorld(t)
	p, err := w.alice.c.Project(context.Background(), string(alicesProject))
	ok(t, err)
	if p.ProjectName != "alices" || p.Status != "ok" || p.IAM.URN != project {
		t.Errorf("%+v", p)
	}
	w.alice.send("GET", "/v1/cloud/project/ffffffffffffffffffffffffffffffff", "").is(404, "Client::NotFound")
	w.alice.send("GET", "/v1/cloud/project/..", "").is(404)
}

func TestThePathIsMatchedAsSent(t *testing.T) {
	w := newWorld(t)
	group := "urn:v1:eu:permissionsGroup:ovh:globalAdmin"
	w.alice.send("GET", "/v2/iam/permissionsGroup/"+group, "").is(200, group)
	w.alice.send("GET", "/v2/iam/permissionsGroup/"+strings.ReplaceAll(group, ":", "%3A"), "").is(200, group)
	for _, path := range []string{
		"/v2/iam//policy", "/v2/iam/policy/", "/v2/./iam/policy", "/v2/x/../iam/policy", "/v2%2Fiam/policy", "/v2/iam/Policy", "/v1/iam/policy", "/v2/iam/log/kind", "/v3x", "/1.0",
	} {
		got := w.alice.send("GET", path, "")
		if got.status != 404 || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	got := w.alice.send("PATCH", "/v2/iam/policy", "").is(405, "Client::MethodNotAllowed")
	if got.header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
	w.alice.send("GET", "/v2/iam/policy?action=%zz", "").is(400, "query")
	w.alice.send("GET", "/v2/iam/policy?actions[]=x", "").is(400, "actions[]", "resourceURN")
}

func TestDetailsShowWhatTheCallerMaySee(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	in := policy("detailed", string(w.alice.sa.Identity()))
	in.Resources = append(in.Resources, api.PolicyResource{URN: "urn:v1:eu:resourceGroup:" + x.resourceGroup})
	in.PermissionsGroups = []api.PermissionsGroupRef{{URN: x.permissionsGroup}}
	made, err := w.alice.c.CreatePolicy(context.Background(), in)
	ok(t, err)
	carol := w.carol([]iam.Action{iam.ActionPolicyGet, iam.ActionClientGet}, urn.URN(account))
	for _, path := range []string{"/v2/iam/policy/" + made.ID, "/v2/iam/policy"} {
		got := carol.send("GET", path+"?details=true", "").is(200, x.permissionsGroup, x.resourceGroup)
		if strings.Contains(got.body, `"group":`) || strings.Contains(got.body, `"alices"`) || strings.Contains(got.body, "openstack:*") {
			t.Errorf("carol sees more than policies: %s", got.body)
		}
	}
	got := carol.send("GET", "/v1/me/api/oauth2/client/"+x.client, "").is(200)
	if strings.Contains(got.body, "secrets") {
		t.Errorf("carol sees secrets: %s", got.body)
	}
}

// TestBodiesAsOVHcloudsClientsWriteThem: nulls for what is not there, the console's conditions, a policy of permissions groups only.
func TestBodiesAsOVHcloudsClientsWriteThem(t *testing.T) {
	w := newWorld(t)
	who := `"identities":["` + string(w.alice.sa.Identity()) + `"],"resources":[{"urn":"` + project + `"}]`
	allow := `"permissions":{"allow":[{"action":"publicCloudProject:openstack:computeOperator"}],"deny":null,"except":null}`
	for name, body := range map[string]string{
		"nulls":                    `{"name":"a",` + who + `,` + allow + `,"description":null,"permissionsGroups":null,"conditions":null,"expiredAt":null}`,
		"a condition without test": `{"name":"b",` + who + `,` + allow + `,"conditions":{"operator":"MATCH"}}`,
		"the console's condition": `{"name":"c",` + who + `,` + allow + `,"conditions":{"operator":"AND","values":null,"conditions":[` +
			`{"operator":"MATCH","values":{"date(Europe/Paris).WeekDay.In":"monday,Tuesday"},"conditions":null}]}}`,
		"permissions groups only": `{"name":"d",` + who + `,"permissions":{"allow":null,"deny":null,"except":null},"permissionsGroups":[{"urn":"urn:v1:eu:permissionsGroup:ovh:globalReadOnly"}]}`,
		"globs of actions":        `{"name":"e",` + who + `,"permissions":{"allow":[{"action":"publicCloudProject:apiovh:*"},{"action":"*get"}]}}`,
	} {
		got := w.alice.send("POST", "/v2/iam/policy", body, "X-Schemas-Version", "1.0", "Content-Type", "application/json;charset=utf-8")
		if got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	x := w.things()
	client := "/v1/me/api/oauth2/client/" + x.client
	w.alice.send("PUT", client, `{"callbackUrls": [], "name": "renamed", "description": "by the guide's body"}`).is(200, "null")
	w.alice.send("PUT", client, `{"callbackUrls": null, "name": null}`).is(200, "null")
	w.alice.send("GET", client, "").is(200, `"name":"renamed"`, `"description":"by the guide's body"`, `"callbackUrls":[]`, `"flow":"CLIENT_CREDENTIALS"`)
}
