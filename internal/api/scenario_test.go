package api_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// guidePolicy is the policy of the guide, as printed.
const guidePolicy = `{
  "description": "Demo for service account guide with openstack",
  "identities": [
    "urn:v1:eu:identity:credential:xx11111-ovh/oauth2-0f0f0f0f0f0f0f0f"
  ],
  "name": "Demo-service-account",
  "permissions": {
    "allow": [
      {
        "action": "publicCloudProject:openstack:infrastructureSupervisor"
      }
    ]
  },
  "resources": [
    {
        "urn": "urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    }
  ]
}`

func TestTheGuidesPolicyAsPrinted(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	guide, secret, err := w.registry.CreateServiceAccount(ctx, w.operator, iam.ServiceAccount{ID: "0f0f0f0f0f0f0f0f", Owner: alicesAccount, Name: "guide"})
	ok(t, err)
	made := read[api.Policy](w.alice.send("POST", "/v2/iam/policy", guidePolicy).is(200, `"owner":"xx11111-ovh"`, `"readOnly":false`, `"permissionsGroups":[]`))
	if made.ID == "" || made.CreatedAt == nil || made.UpdatedAt != nil {
		t.Errorf("made %+v", made)
	}
	shown, err := w.as("guide", guide, secret).c.Access(ctx)
	ok(t, err)
	if len(shown.Projects) != 1 || shown.Projects[0].ID != string(alicesProject) || len(shown.Projects[0].Rights) != 1 {
		t.Fatalf("access %+v", shown)
	}
	right := shown.Projects[0].Rights[0]
	if right.Action != "publicCloudProject:openstack:infrastructureSupervisor" || len(right.Reasons) != 1 || right.Reasons[0].PolicyID != made.ID {
		t.Errorf("right %+v", right)
	}
	if want := []string{"compute_read", "image_read", "volume_read", "network_read", "network_secgroup_read"}; !slices.Equal(shown.Projects[0].Roles, want) {
		t.Errorf("roles %v", shown.Projects[0].Roles)
	}
}

func TestMisspeltNamesAreRefusedWithTheNearest(t *testing.T) {
	w := newWorld(t)
	w.alice.send("POST", "/v2/iam/policy", strings.Replace(guidePolicy, "infrastructureSupervisor", "infrastructurSupervisor", 1)).
		is(400, "Client::BadRequest", "publicCloudProject:openstack:infrastructureSupervisor")
	w.alice.send("POST", "/v2/iam/policy", strings.Replace(guidePolicy, `"urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"`, `"*"`, 1)).
		is(400, "Client::BadRequest::INVALID_RESOURCE_URN", "urn:v1:region:(resource|resourceGroup):(*|group_id|resource_type):(*|resource_name)")
	w.alice.send("POST", "/v2/iam/policy", strings.Replace(guidePolicy, `resource:publicCloudProject:`, `resource:publicCloudProjet:`, 1)).
		is(400, "Client::BadRequest", "publicCloudProject")
}

// TestAuthDetails is what programs ask first; it needs no action.
func TestAuthDetails(t *testing.T) {
	w := newWorld(t)
	carol := w.carol(nil)
	carol.send("GET", "/v1/auth/details", "").is(200, `"account":"xx11111-ovh"`, `"method":"oauth2_client_credentials"`, string(carol.sa.Identity()), `"allowedRoutes":null`)
	carol.send("GET", "/1.0/auth/details", "").is(200)
	carol.send("GET", "/v2/auth/details", "").is(404)
	me, err := w.alice.c.Me(context.Background())
	ok(t, err)
	if me.Nichandle != "xx11111-ovh" || me.ResourceURN != account || me.State != "complete" {
		t.Errorf("%+v", me)
	}
}

// things is one of each kind of thing, alice's.
type things struct {
	client, secret, policy, permissionsGroup, resourceGroup string
}

func (w *world) things() things {
	w.t.Helper()
	ctx := context.Background()
	made, err := w.alice.c.CreateServiceAccount(ctx, api.ServiceAccountCreation{Name: "thing", Description: new("one of each"), Flow: api.ClientCredentials})
	ok(w.t, err)
	secret, err := w.alice.c.AddSecret(ctx, made.ClientID, api.SecretCreation{Description: "second"})
	ok(w.t, err)
	p, err := w.alice.c.CreatePolicy(ctx, policy("thing", made.Identity))
	ok(w.t, err)
	g, err := w.alice.c.CreatePermissionsGroup(ctx, api.PermissionsGroup{
		Name: "thing", Description: new(""), Permissions: &api.Permissions{Allow: []api.Action{{Action: "publicCloudProject:openstack:*"}}},
	})
	ok(w.t, err)
	rg, err := w.alice.c.CreateResourceGroup(ctx, api.ResourceGroup{Name: "thing", Resources: []api.GroupResource{{URN: project}}})
	ok(w.t, err)
	w.registry.Record(seen(urn.URN(made.Identity)))
	return things{made.ClientID, secret.ID, p.ID, g.URN, rg.ID}
}

// seen is a refusal that can be looked up.
func seen(identity urn.URN) audit.Decision {
	return audit.Decision{ID: "req-seen", Time: time.Now(), Account: alicesAccount, Identity: identity, Verdict: audit.MissingRole, Method: "POST",
		Path: "/v2.1/servers", Service: "compute", Project: string(alicesProject), Needed: []string{"compute_manage"}}
}

// A try is one request of each route, with the action that it needs ("" for none).
type try struct {
	route, path, body, action string
}

func (x things) tries() []try {
	client := "/v1/me/api/oauth2/client/" + x.client
	group, res := "/v2/iam/permissionsGroup/"+url.PathEscape(x.permissionsGroup), "/v2/iam/resource/"+project
	const account = "account:apiovh:"
	groupBody := `{"name":"other","description":"","permissions":{"allow":[{"action":"publicCloudProject:openstack:*"}]}}`
	rgBody := `{"name":"other","resources":[{"urn":"` + project + `"}]}`
	return []try{
		{"GET /v1/auth/details", "/v1/auth/details", "", ""},
		{"GET /v1/auth/access", "/v1/auth/access", "", ""},
		{"GET /v1/me", "/v1/me", "", account + "me/get"},
		{"GET /v1/cloud/project", "/v1/cloud/project", "", ""},
		{"GET /v1/cloud/project/{}", "/v1/cloud/project/" + string(alicesProject), "", "publicCloudProject:apiovh:get"},
		{"GET /v1/me/api/decision", "/v1/me/api/decision", "", account + "me/api/decision/get"},
		{"GET /v1/me/api/decision/{}", "/v1/me/api/decision/req-seen", "", account + "me/api/decision/get"},
		{"POST /v1/me/api/decision", "/v1/me/api/decision", `{"serviceAccount":"` + x.client + `","project":"` + string(alicesProject) + `","path":"/"}`,
			account + "me/api/decision/get"},
		{"GET /v1/me/api/oauth2/client", "/v1/me/api/oauth2/client", "", account + "me/api/oauth2/client/get"},
		{"POST /v1/me/api/oauth2/client", "/v1/me/api/oauth2/client", `{"name":"n","description":"","flow":"CLIENT_CREDENTIALS"}`, account + "me/api/oauth2/client/create"},
		{"GET /v1/me/api/oauth2/client/{}", client, "", account + "me/api/oauth2/client/get"},
		{"PUT /v1/me/api/oauth2/client/{}", client, `{"name":"changed"}`, account + "me/api/oauth2/client/edit"},
		{"DELETE /v1/me/api/oauth2/client/{}", client, "", account + "me/api/oauth2/client/delete"},
		{"POST /v1/me/api/oauth2/client/{}/disable", client + "/disable", "", account + "me/api/oauth2/client/disable"},
		{"POST /v1/me/api/oauth2/client/{}/enable", client + "/enable", "", account + "me/api/oauth2/client/enable"},
		{"GET /v1/me/api/oauth2/client/{}/secret", client + "/secret", "", account + "me/api/oauth2/client/secret/get"},
		{"POST /v1/me/api/oauth2/client/{}/secret", client + "/secret", "", account + "me/api/oauth2/client/secret/create"},
		{"POST /v1/me/api/oauth2/client/{}/secret/rotate", client + "/secret/rotate", `{"overlap":0}`, account + "me/api/oauth2/client/secret/rotate"},
		{"DELETE /v1/me/api/oauth2/client/{}/secret/{}", client + "/secret/" + x.secret, "", account + "me/api/oauth2/client/secret/delete"},
		{"GET /v1/me/api/oauth2/token", "/v1/me/api/oauth2/token", "", account + "me/api/oauth2/token/get"},
		{"GET /v1/me/api/oauth2/token/{}", "/v1/me/api/oauth2/token/1", "", account + "me/api/oauth2/token/get"},
		{"DELETE /v1/me/api/oauth2/token/{}", "/v1/me/api/oauth2/token/1", "", account + "me/api/oauth2/token/delete"},
		{"GET /v2/iam/policy", "/v2/iam/policy", "", account + "iam/policy/get"},
		{"POST /v2/iam/policy", "/v2/iam/policy", guidePolicy, account + "iam/policy/create"},
		{"GET /v2/iam/policy/{}", "/v2/iam/policy/" + x.policy, "", account + "iam/policy/get"},
		{"PUT /v2/iam/policy/{}", "/v2/iam/policy/" + x.policy, guidePolicy, account + "iam/policy/edit"},
		{"DELETE /v2/iam/policy/{}", "/v2/iam/policy/" + x.policy, "", account + "iam/policy/delete"},
		{"GET /v2/iam/permissionsGroup", "/v2/iam/permissionsGroup", "", account + "iam/permissionsGroup/get"},
		{"POST /v2/iam/permissionsGroup", "/v2/iam/permissionsGroup", groupBody, account + "iam/permissionsGroup/create"},
		{"GET /v2/iam/permissionsGroup/{}", group, "", account + "iam/permissionsGroup/get"},
		{"PUT /v2/iam/permissionsGroup/{}", group, groupBody, account + "iam/permissionsGroup/edit"},
		{"DELETE /v2/iam/permissionsGroup/{}", group, "", account + "iam/permissionsGroup/delete"},
		{"GET /v2/iam/resourceGroup", "/v2/iam/resourceGroup", "", account + "iam/resourceGroup/get"},
		{"POST /v2/iam/resourceGroup", "/v2/iam/resourceGroup", rgBody, account + "iam/resourceGroup/create"},
		{"GET /v2/iam/resourceGroup/{}", "/v2/iam/resourceGroup/" + x.resourceGroup, "", account + "iam/resourceGroup/get"},
		{"PUT /v2/iam/resourceGroup/{}", "/v2/iam/resourceGroup/" + x.resourceGroup, rgBody, account + "iam/resourceGroup/edit"},
		{"DELETE /v2/iam/resourceGroup/{}", "/v2/iam/resourceGroup/" + x.resourceGroup, "", account + "iam/resourceGroup/delete"},
		{"GET /v2/iam/resource", "/v2/iam/resource", "", ""},
		{"GET /v2/iam/resource/{}", res, "", "404"}, // what nothing is granted on is not there
		{"PUT /v2/iam/resource/{}", res, `{"tags":{"a":"b"}}`, account + "iam/resource/edit"},
		{"POST /v2/iam/resource/{}/tag", res + "/tag", `{"key":"a","value":"b"}`, "publicCloudProject:apiovh:iam/resource/tag/add"},
		{"DELETE /v2/iam/resource/{}/tag/{}", res + "/tag/a", "", "publicCloudProject:apiovh:iam/resource/tag/remove"},
		{"POST /v2/iam/resource/{}/authorization/check", res + "/authorization/check", `{"actions":["publicCloudProject:apiovh:get"]}`, ""},
		{"POST /v2/iam/authorization/check", "/v2/iam/authorization/check", `{"actions":["x"],"resourceURNs":["` + project + `"]}`, ""},
		{"GET /v2/iam/reference/action", "/v2/iam/reference/action", "", ""},
		{"GET /v2/iam/reference/resource/type", "/v2/iam/reference/resource/type", "", ""},
	}
}

func TestEveryRouteWithoutItsActionIsRefusedAndNamesIt(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	carol := w.carol(nil)
	var tried []string
	for _, y := range x.tries() {
		tried = append(tried, y.route)
		method, _, _ := strings.Cut(y.route, " ")
		got := carol.send(method, y.path, y.body)
		switch y.action {
		case "":
			got.is(200)
		case "404":
			got.is(404)
		default:
			got.is(403, `"class":"Client::Forbidden"`, `"message":"User not granted for this request"`, `"unauthorizedActionsByIAM":"`+y.action)
		}
		if !strings.HasPrefix(got.header.Get("X-OVH-QueryID"), "req-") || got.header.Get("X-OVH-QueryID") != got.header.Get("x-request-id") {
			t.Errorf("%s: query id %q, request id %q", y.route, got.header.Get("X-OVH-QueryID"), got.header.Get("x-request-id"))
		}
	}
	routes := api.RouteNames()
	slices.Sort(routes)
	slices.Sort(tried)
	if !slices.Equal(routes, tried) {
		t.Errorf("the table has %q, tried %q", routes, tried)
	}
	w.untouched(x)
}

// untouched checks that all things are still there and as they were made.
func (w *world) untouched(x things) {
	w.t.Helper()
	ctx := context.Background()
	a, err := w.alice.c.ServiceAccount(ctx, x.client)
	ok(w.t, err)
	if *a.Name != "thing" || *a.Disabled || len(a.Secrets) != 2 {
		w.t.Errorf("the service account became %+v", a)
	}
	p, err := w.alice.c.Policy(ctx, x.policy, false)
	ok(w.t, err)
	g, err := w.alice.c.PermissionsGroup(ctx, x.permissionsGroup)
	ok(w.t, err)
	rg, err := w.alice.c.ResourceGroup(ctx, x.resourceGroup, false)
	ok(w.t, err)
	res, err := w.alice.c.Resource(ctx, project)
	ok(w.t, err)
	if p.Name != "thing" || p.UpdatedAt != nil || g.Name != "thing" || rg.Name != "thing" || len(res.Tags) != 0 {
		w.t.Errorf("changed: %+v %+v %+v %+v", p, g, rg, res)
	}
}

// TestTwoAccountsNeverSeeEachOther has bob, who may do everything in his account, try every route on alice's things.
func TestTwoAccountsNeverSeeEachOther(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	for _, y := range x.tries() {
		method, _, _ := strings.Cut(y.route, " ")
		if !strings.Contains(y.route, "{}") {
			if method == "GET" {
				got := w.bob.send(method, y.path, "").is(200)
				for _, secret := range []string{x.client, x.policy, x.resourceGroup, string(alicesProject), "xx11111"} {
					if strings.Contains(got.body, secret) {
						t.Errorf("bob sees %s in %s: %s", secret, y.route, got.body)
					}
				}
			}
			continue
		}
		got := w.bob.send(method, y.path, y.body)
		if strings.HasSuffix(y.route, "/authorization/check") {
			got.is(200, `"authorizedActions":[]`)
		} else if got.status != 404 && got.status != 400 {
			t.Errorf("bob %s: %d %s", y.route, got.status, got.body)
		}
		if strings.Contains(got.body, `"thing"`) || strings.Contains(got.body, "xx11111-ovh/") {
			t.Errorf("bob learns of alice in %s: %s", y.route, got.body)
		}
	}
	w.untouched(x)
	w.bob.send("POST", "/v2/iam/policy", guidePolicy).is(400)
}

// TestK6BodyAndQueryCannotReachPolicyInput: members, parameters and headers named like what a decision is made of change no decision.
func TestK6BodyAndQueryCannotReachPolicyInput(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	carol := w.carol([]iam.Action{"account:apiovh:iam/policy/get"})
	spoofs := `"target":{"account":"yy22222-ovh"},"identity":"` + string(w.alice.sa.Identity()) + `","caller":"operator","account":"xx11111-ovh","operator":"root"`
	for _, y := range x.tries() {
		method, _, _ := strings.Cut(y.route, " ")
		if method == "GET" || y.action == "" {
			continue
		}
		body := "{" + spoofs + "}"
		if strings.HasPrefix(y.body, "{") {
			body = "{" + spoofs + "," + y.body[1:]
		}
		got := carol.send(method, y.path, body, "X-Account", "xx11111-ovh", "X-Identity", string(w.alice.sa.Identity()), "X-Operator", "root")
		if got.status != 403 && got.status != 400 {
			t.Errorf("%s with a body that names policy input: %d %s", y.route, got.status, got.body)
		}
		got = carol.send(method, y.path+"?target=x&identity="+url.QueryEscape(string(w.alice.sa.Identity()))+"&operator=root", y.body)
		if got.status != 403 && got.status != 400 {
			t.Errorf("%s with a query that names policy input: %d %s", y.route, got.status, got.body)
		}
	}
	carol.send("GET", "/v2/iam/policy?identity[]="+url.QueryEscape(string(w.bob.sa.Identity())), "").is(200, "[]")
	carol.send("GET", "/v2/iam/policy?owner=yy22222-ovh", "").is(400, "Unknown query parameter")
	w.untouched(x)
}

// TestK12OwnersAndIdsAreImmutable: what a GET shows can be sent back with other read-only members, and changes none of them.
func TestK12OwnersAndIdsAreImmutable(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	ctx := context.Background()
	other := "00000000-0000-0000-0000-000000000000"
	p, err := w.alice.c.Policy(ctx, x.policy, false)
	ok(t, err)
	p.Owner, p.ID, p.ReadOnly = "yy22222-ovh", other, true
	got, err := w.alice.c.ReplacePolicy(ctx, x.policy, p)
	ok(t, err)
	if got.Owner != "xx11111-ovh" || got.ID != x.policy || got.ReadOnly {
		t.Errorf("the policy became %+v", got)
	}
	g, err := w.alice.c.PermissionsGroup(ctx, x.permissionsGroup)
	ok(t, err)
	g.Owner, g.ID, g.URN = "ovh", other, "urn:v1:eu:permissionsGroup:ovh:globalAdmin"
	gotGroup, err := w.alice.c.ReplacePermissionsGroup(ctx, x.permissionsGroup, g)
	ok(t, err)
	if gotGroup.Owner != "xx11111-ovh" || gotGroup.ID == other || gotGroup.URN != x.permissionsGroup {
		t.Errorf("the permissions group became %+v", gotGroup)
	}
	rg, err := w.alice.c.ResourceGroup(ctx, x.resourceGroup, false)
	ok(t, err)
	rg.Owner, rg.ID, rg.ReadOnly = "yy22222-ovh", other, true
	gotRG, err := w.alice.c.ReplaceResourceGroup(ctx, x.resourceGroup, rg)
	ok(t, err)
	if gotRG.Owner != "xx11111-ovh" || gotRG.ID != x.resourceGroup || gotRG.ReadOnly {
		t.Errorf("the resource group became %+v", gotRG)
	}
	client := "/v1/me/api/oauth2/client/" + x.client
	w.alice.send("PUT", client, `{"clientId":"EU.ffffffffffffffff","identity":"`+string(w.bob.sa.Identity())+`"}`).is(200, "null")
	w.alice.send("PUT", client, `{"flow":"AUTHORIZATION_CODE"}`).is(400, "flow")
	w.alice.send("PUT", client, `{"disabled":true}`).is(400, "disable")
	w.alice.send("PUT", client, `{"owner":"yy22222-ovh"}`).is(400, "owner")
	w.alice.send("GET", client, "").is(200, x.client, "xx11111-ovh", `"disabled":false`)
	for _, member := range []string{`"id":"` + other + `"`, `"owner":"yy22222-ovh"`, `"readOnly":true`, `"createdAt":"2026-01-01T00:00:00Z"`} {
		w.alice.send("POST", "/v2/iam/policy", "{"+member+","+guidePolicy[1:]).is(400, "set by the server")
	}
}

// TestK13ListIsFilterOfShow: whoever sees a thing in a list may show it, and the other way round.
func TestK13ListIsFilterOfShow(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	second := iam.ProjectID("abababababababababababababababab")
	_, err := w.registry.CreateProject(ctx, w.operator, iam.Project{ID: second, Owner: alicesAccount, Name: "second"})
	ok(t, err)
	projects := []string{string(alicesProject), string(second), string(bobsProject)}
	actors := map[string]actor{"alice": w.alice, "bob": w.bob, "carol, who may read one project": w.carol([]iam.Action{"publicCloudProject:apiovh:get"}, urn.URN(project))}
	for name, a := range actors {
		listed, err := a.c.ProjectIDs(ctx)
		ok(t, err)
		resources, err := a.c.Resources(ctx, api.ResourceQuery{})
		ok(t, err)
		for _, id := range projects {
			_, err := a.c.Project(ctx, id)
			if (err == nil) != slices.Contains(listed, id) {
				t.Errorf("%s: project %s shown: %v, listed: %v", name, id, err, listed)
			}
			u := string(urn.Project(urn.EU, id))
			_, err = a.c.Resource(ctx, u)
			if (err == nil) != slices.ContainsFunc(resources, func(r api.Resource) bool { return r.URN == u }) {
				t.Errorf("%s: resource %s shown: %v, listed: %v", name, u, err, resources)
			}
		}
	}
	if ids, err := actors["carol, who may read one project"].c.ProjectIDs(ctx); err != nil || !slices.Equal(ids, projects[:1]) {
		t.Errorf("carol sees %v, %v", ids, err)
	}
}
