package rbac

import (
	"slices"
	"testing"
)

// lines compiles a few lines for one service.
func lines(t *testing.T, s Service, text string) *Table {
	t.Helper()
	tab := &Table{roots: map[Service]*node{}}
	if err := tab.add(File{"x.txt", "service " + s.CatalogType() + "\n" + text}, nil); err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestCallsToldApart(t *testing.T) {
	image := lines(t, Image, `prefix /v2
POST /images [.visibility=community] communitize_image image_manage
POST /images [@X-Kind=big] [?wide] big image_read
POST /images !owner!project add_image image_manage image_import
PATCH /images/{id} !patch:/visibility=public !patch:/owner !patch(remove):/locations modify_image image_manage`)
	compute := lines(t, Compute, `POST /act [go] [.go.host] go:host nobody
POST /act [go] !go.user!project go compute_manage
POST /act [stop] stop compute_read`)
	store := lines(t, ObjectStore, `prefix /v1/AUTH_{project}
POST / !@X-Account-Quota-* !@Content-Type~multipart/form-data post objectstore_all
GET /{container} get objectstore_all`)
	for _, c := range []struct {
		name, call, body string
		tab              *Table
		service          Service
		header           []string
		verdict          Verdict
		rule, field      string
	}{
		{"told by the body", "POST /v2/images", `{"name":"x","visibility":"community"}`, image, Image, nil, Judged, "communitize_image", ""},
		{"told by another value in the body", "POST /v2/images", `{"visibility":"private"}`, image, Image, nil, Judged, "add_image", ""},
		{"told by the body, which is not there yet", "POST /v2/images", ``, image, Image, nil, NeedsBody, "communitize_image", ""},
		{"an empty body", "POST /v2/images", ` `, image, Image, nil, Judged, "add_image", ""},
		{"told by header and query", "POST /v2/images?wide", `{}`, image, Image, []string{"X-Kind", "big"}, Judged, "big", ""},
		{"by the header alone is not enough", "POST /v2/images", `{}`, image, Image, []string{"X-Kind", "big"}, Judged, "add_image", ""},
		{"a refusal after telling", "POST /v2/images", `{"owner":"1e1e"}`, image, Image, nil, OtherProject, "add_image", "owner"},
		{"a patch that moves", "PATCH /v2/images/1", `[{"op":"move","from":"/x","path":"/visibility"}]`, image, Image, nil, AdminOnly, "modify_image", "visibility"},
		{"a patch whose value comes first", "PATCH /v2/images/1", `[{"op":"add","path":"/a","value":"public"},{"value":"public","path":"/visibility"}]`, image, Image, nil, AdminOnly, "modify_image", "visibility"},
		{"a patch that does not touch it", "PATCH /v2/images/1", `[{"op":"add","path":"/a","value":"public"},{"value":"private","path":"/visibility"}]`, image, Image, nil, Judged, "modify_image", ""},
		{"a patch that takes the owner away", "PATCH /v2/images/1", `[{"op":"remove","path":"/owner"}]`, image, Image, nil, AdminOnly, "modify_image", "owner"},
		{"a patch that adds", "PATCH /v2/images/1", `[{"op":"add","path":"/locations/-","value":{"url":"x"}}]`, image, Image, nil, Judged, "modify_image", ""},
		{"a patch that removes", "PATCH /v2/images/1", `[{"path":"/locations/0","op":"remove"}]`, image, Image, nil, AdminOnly, "modify_image", "locations"},
		{"a patch that removes, in the first format", "PATCH /v2/images/1", `[{"remove":"/locations/0"}]`, image, Image, nil, AdminOnly, "modify_image", "locations"},
		{"a patch that does two things", "PATCH /v2/images/1", `[{"op":"add","remove":"/locations/0"}]`, image, Image, nil, AdminOnly, "modify_image", "locations"},
		{"a patch that does what nobody knows", "PATCH /v2/images/1", `[{"op":"burn","path":"/locations/0"}]`, image, Image, nil, AdminOnly, "modify_image", "locations"},
		{"a form", "POST /v2/images", `_method=DELETE`, image, Image, []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}, Malformed, "", ""},
		{"a form in parts", "POST /v2/images", `x`, image, Image, []string{"Content-Type", "Multipart/Form-Data; boundary=x"}, Malformed, "", ""},
		{"an action with a member that tells", "POST /act", `{"go":{"host":null}}`, compute, Compute, nil, Judged, "go:host", ""},
		{"an action without it", "POST /act", `{"go":{"hosts":1}}`, compute, Compute, nil, Judged, "go", ""},
		{"an action with a refusal", "POST /act", `{"go":{"user":"1e1e"}}`, compute, Compute, nil, OtherProject, "go", "go.user"},
		{"an action that is a word", "POST /act", `{"stop":"go"}`, compute, Compute, nil, Judged, "stop", ""},
		{"headers that begin alike", "POST /v1/AUTH_" + own, ``, store, ObjectStore, []string{"X-Account-Quota-Bytes-Policy-Gold", "1"}, AdminOnly, "post", "X-Account-Quota-*"},
		{"a form where the service takes one", "POST /v1/AUTH_" + own, ``, store, ObjectStore, []string{"Content-Type", "MULTIPART/form-data;boundary=x"}, AdminOnly, "post", "Content-Type"},
		{"a container that is called like a file", "GET /v1/AUTH_" + own + "/data.json", ``, store, ObjectStore, nil, Judged, "get", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := ask(t, c.tab, c.service, c.call, c.body, c.header...)
			rule := ""
			if d.Operation != nil {
				rule = d.Operation.Rule
			}
			if d.Verdict != c.verdict || rule != c.rule || d.Field != c.field {
				t.Errorf("%s, rule %q, field %q, reason %q; want %s, %q, %q", d.Verdict, rule, d.Field, d.Reason, c.verdict, c.rule, c.field)
			}
		})
	}
}

func TestRuleWords(t *testing.T) {
	tab := lines(t, Compute, `GET /a new|old|older any
GET /b ~shared any
POST /c [go] - any
GET /d !?x -?y [?z] - any
GET /e - image_manage image_read`)
	ops := tab.Operations()
	if o := ops[0]; o.Rule != "new" || !slices.Equal(o.OldRules, []string{"old", "older"}) || o.SharedRule || o.Name() != "new" {
		t.Errorf("%+v", o)
	}
	if o := ops[1]; o.Rule != "shared" || !o.SharedRule {
		t.Errorf("%+v", o)
	}
	if o := ops[2]; o.Rule != "" || o.Name() != "POST /c go" {
		t.Errorf("%+v", o)
	}
	if o := ops[4]; o.Rule != "" || o.Roles != RolesOf(ImageManage, ImageRead) {
		t.Errorf("%+v", o)
	}
	when, refused, dropped := ops[3].Conditions()
	if o := ops[3]; !slices.Equal(when, []string{"?z"}) || !slices.Equal(refused, []string{"?x"}) || !slices.Equal(dropped, []string{"?y"}) || o.Source != "x.txt:5" {
		t.Errorf("%v %v %v %s", when, refused, dropped, o.Source)
	}
}

func TestAlwaysAndWith(t *testing.T) {
	tab := lines(t, Compute, `always !?a
GET /1 x any
with !?b !body.c
GET /2 x any
POST /3 x any
with
GET /4 x any`)
	for _, c := range []struct{ call, field string }{
		{"GET /1?a", "a"}, {"GET /1?b", ""}, {"GET /2?b", "b"}, {"GET /2?a", "a"}, {"POST /3?b", "b"}, {"GET /4?b", ""}, {"GET /4?a", "a"},
	} {
		if d := ask(t, tab, Compute, c.call, "{}"); d.Field != c.field {
			t.Errorf("%s: %q, want %q", c.call, d.Field, c.field)
		}
	}
	if d := ask(t, tab, Compute, "POST /3", `{"body":{"c":1}}`); d.Field != "body.c" {
		t.Errorf("%+v", d)
	}
}

func TestNamedRefusals(t *testing.T) {
	tab := lines(t, ObjectStore, `refusal Form @Content-Type~multipart a form is  not taken; use PUT
POST /a !Form x objectstore_all
POST /b x objectstore_all`)
	for call, want := range map[string]Decision{
		"POST /a": {Verdict: NotTaken, Field: "Content-Type", Reason: "a form is not taken; use PUT"}, "POST /b": {Verdict: Judged}} {
		d := ask(t, tab, ObjectStore, call, "", "Content-Type", "Multipart/form-data")
		if d.Verdict != want.Verdict || d.Field != want.Field || d.Reason != want.Reason {
			t.Errorf("%s: %+v", call, d)
		}
	}
	if _, refused, _ := tab.Operations()[0].Conditions(); !slices.Equal(refused, []string{"@Content-Type~multipart"}) {
		t.Errorf("it is shown as %q", refused)
	}
	for _, text := range []string{"refusal Form", "refusal Form ?a", "refusal Form ?= because", "refusal Form a[s].b because", "refusal A ?a x\nrefusal A ?b x"} {
		if err := (&Table{roots: map[Service]*node{}}).add(File{"x.txt", "service compute\n" + text}, nil); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestRefusedMembersOfAnOperation(t *testing.T) {
	tab := lines(t, Network, "POST /ports !port[s].binding:host_id !port[s].tenant_id!project !port[s].provider:* x network_manage")
	op := tab.Operations()[0]
	for member, want := range map[string]bool{"port.binding:host_id": true, "ports.0.binding:host_id": true, "ports.0.port.binding:host_id": true, "port.provider:network_type": true,
		"port.tenant_id": false, "port.name": false, "port": false} {
		if op.Refuses(member) != want {
			t.Errorf("%s: %v", member, !want)
		}
	}
}

func TestServicesByName(t *testing.T) {
	for name, want := range map[string]Service{"compute": Compute, "block-storage": Volume, "volumev3": Volume, "volume": Volume, "image": Image,
		"network": Network, "object-store": ObjectStore, "ai-training": AITraining} {
		if got, ok := ParseService(name); !ok || got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, s := range Services() {
		if got, ok := ParseService(s.CatalogType()); !ok || got != s {
			t.Errorf("%s: %q", s, got)
		}
	}
	if _, ok := ParseService("identity"); ok {
		t.Error("identity is not judged here")
	}
}
