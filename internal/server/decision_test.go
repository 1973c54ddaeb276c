package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
)

func everyGrant(c *server.Config) { c.Decisions.Sample = 1 }

// clientOf is a service account at the management API.
func clientOf(t *testing.T, s *servertest.Server, c servertest.Credential) *api.Client {
	t.Helper()
	cl, err := api.NewClient(api.ClientConfig{BaseURL: s.URL, ClientID: string(c.ID), ClientSecret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// stranger is the administrator of another account.
func stranger(t *testing.T, s *servertest.Server) servertest.Credential {
	t.Helper()
	other := urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	c := iam.Caller{Operator: "test", Account: other}
	_, err := s.Registry().CreateAccount(t.Context(), c, iam.Account{ID: other})
	made, secret, _, err2 := s.Registry().RecoverAdministrator(t.Context(), c, other, "administrator")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return servertest.Credential{ServiceAccount: made, Secret: secret}
}

// refusalsOf has a call of each service that an infrastructureSupervisor may not make, and what is said about it.
var refusalsOf = []struct{ method, path, body, said string }{
	{"POST", "/GRA1/compute/v2.1/servers", `{"server":{"name":"x"}}`, `{"forbidden":{"code":403,"message":"Policy doesn't allow os_compute_api:servers:create to be performed: ` +
		`needs role compute_manage on this project, which the right publicCloudProject:openstack:computeOperator grants; this account has infrastructureSupervisor."}}`},
	{"DELETE", "/GRA1/volume/v3/" + project + "/volumes/" + vm, "", `{"forbidden":{"code":403,"message":"Policy doesn't allow volume:delete to be performed: ` +
		`needs role volume_manage on this project, which the right publicCloudProject:openstack:volumeOperator grants; this account has infrastructureSupervisor."}}`},
	{"POST", "/GRA1/network/v2.0/networks", `{"network":{"name":"x"}}`, `{"NeutronError":{"type":"PolicyNotAuthorized","message":"rule:create_network is disallowed by policy: ` +
		`needs role network_manage on this project, which the right publicCloudProject:openstack:networkOperator grants; this account has infrastructureSupervisor.","detail":""}}`},
	{"DELETE", "/GRA1/image/v2/images/" + vm, "", "You are not authorized to complete delete_image action. Needs role image_manage on this project, " +
		"which the right publicCloudProject:openstack:imageOperator grants; this account has infrastructureSupervisor."},
	{"GET", "/GRA1/object-store/v1/AUTH_" + project, "", "<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>"},
	{"POST", "/GRA1/ai-training/v1/job", `{"image":"x"}`, `{"message":"Needs role ai_training_all on this project, which the right publicCloudProject:ai:aiTrainingOperator grants; ` +
		`this account has infrastructureSupervisor."}`},
}

// TestEveryRefusalExplainsItself makes a call of every service, reads the answer, looks the decision up by either id, and asks before the fact.
func TestEveryRefusalExplainsItself(t *testing.T) {
	s := servertest.Start(t)
	robot := s.ServiceAccount("robot", supervisor)
	token := s.Scoped(robot)
	admin, own, other := clientOf(t, s, s.Administrator()), clientOf(t, s, robot), clientOf(t, s, stranger(t, s))
	colleague := clientOf(t, s, s.ServiceAccount("colleague", supervisor))
	for _, c := range refusalsOf {
		a := s.Do(c.method, c.path, c.body, "X-Auth-Token: "+token, "Content-Type: application/json")
		if a.Status != http.StatusForbidden || !strings.Contains(a.Body, c.said) {
			t.Errorf("%s: %d\n%s\nwant\n%s", c.path, a.Status, a.Body, c.said)
		}
		for _, name := range []string{"X-Stackgate-Missing-Role", "X-Stackgate-Rights", "X-Stackgate-Request-Id", "X-Openstack-Request-Id"} {
			if a.Header.Get(name) == "" {
				t.Errorf("%s: no %s", c.path, name)
			}
		}
		byOwn, err := admin.Decision(t.Context(), a.Header.Get("X-Stackgate-Request-Id"))
		byOther, err2 := own.Decision(t.Context(), a.Header.Get("X-Openstack-Request-Id"))
		if err := errors.Join(err, err2); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		if !reflect.DeepEqual(byOwn, byOther) || byOwn.Granted || byOwn.Now.Granted || byOwn.ServiceAccount != string(robot.ID) ||
			len(byOwn.RolesNeeded) == 0 || !slices.Equal(byOwn.RightsHeld, []string{string(supervisor)}) || len(byOwn.Rights) == 0 ||
			len(byOwn.Changes) == 0 || byOwn.Changes[0].Right != a.Header.Get("X-Stackgate-Rights") {
			t.Errorf("%s: by one id\n%+v\nby the other\n%+v", c.path, byOwn, byOther)
		}
		for _, id := range []string{byOwn.ID, a.Header.Get("X-Openstack-Request-Id")} {
			_, err = other.Decision(t.Context(), id)
			wantKind(t, c.path+", a stranger", err, iam.NotFound)
			_, err = colleague.Decision(t.Context(), id)
			wantKind(t, c.path+", a colleague", err, iam.Denied)
		}
		before, err := own.PreviewDecision(t.Context(), api.DecisionQuestion{
			ServiceAccount: string(robot.ID), Project: project, Method: c.method, Path: c.path, Body: c.body,
		})
		if err != nil {
			t.Fatal(err)
		}
		before.ID, before.OtherID, before.Time = byOwn.ID, byOwn.OtherID, byOwn.Time
		if !reflect.DeepEqual(before, byOwn) {
			t.Errorf("%s: before the fact\n%+v\nafter it\n%+v", c.path, before, byOwn)
		}
	}
	list, _, err := admin.Refusals(t.Context(), string(robot.ID), "", 100)
	if err != nil || len(list) != len(refusalsOf) || list[0].Call.Service != "ai-training" {
		t.Errorf("%+v %v", list, err)
	}
	if list, _, err := other.Refusals(t.Context(), "", "", 100); err != nil || len(list) != 0 {
		t.Errorf("a stranger sees %+v %v", list, err)
	}
}

func wantKind(t *testing.T, what string, err error, kind iam.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: got %v, want %s", what, err, kind)
	}
}

// TestWhatWouldChangeARefusalIsTrue does what the explanation says, through the management API, and makes the call again.
func TestWhatWouldChangeARefusalIsTrue(t *testing.T) {
	resource := urn.Project("eu", project)
	for name, c := range map[string]struct {
		permissions iam.Permissions
		effects     []string
		change      string
	}{
		"missing":  {iam.Permissions{Allow: []iam.Action{supervisor}}, nil, "add policy"},
		"denied":   {iam.Permissions{Allow: []iam.Action{supervisor, operator}, Deny: []iam.Action{"*:computeOperator"}}, []string{"allow", "deny"}, "remove deny"},
		"excepted": {iam.Permissions{Allow: []iam.Action{supervisor, "*:compute*"}, Except: []iam.Action{"*:computeOperator"}}, []string{"allow", "except"}, "remove except"},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.Start(t)
			robot := s.ServiceAccount("robot")
			p := s.Policy(iam.Policy{Name: "theirs", Identities: []urn.URN{robot.Identity()}, Resources: []urn.URN{resource}, Permissions: c.permissions})
			token, admin := s.Scoped(robot), clientOf(t, s, s.Administrator())
			call := func() servertest.Answer {
				return s.Do("POST", "/GRA1/compute/v2.1/servers/"+vm+"/action", `{"reboot":{"type":"SOFT"}}`, "X-Auth-Token: "+token, "Content-Type: application/json")
			}
			a := call()
			d, err := admin.Decision(t.Context(), a.Header.Get("X-Stackgate-Request-Id"))
			if err != nil || a.Status != 403 {
				t.Fatalf("%d %s: %v", a.Status, a.Body, err)
			}
			var effects []string
			for _, st := range d.Rights[0].Statements {
				effects = append(effects, st.Effect)
				if st.PolicyID != p.ID || st.Status != "counts" {
					t.Errorf("%+v", st)
				}
			}
			i := slices.IndexFunc(d.Changes, func(g api.Change) bool { return g.Steps[0].Change == c.change })
			if !slices.Equal(effects, c.effects) || i < 0 {
				t.Fatalf("statements %v, changes %+v", effects, d.Changes)
			}
			follow(t, admin, robot, d.Changes[i].Steps)
			if a := call(); a.Status == 403 {
				t.Errorf("%s: still %d %s", d.Changes[i].Text, a.Status, a.Body)
			}
			again, err := admin.Decision(t.Context(), d.ID)
			if err != nil || again.Granted || !again.Now.Granted || len(again.Changes) != 0 {
				t.Errorf("%+v %v", again, err)
			}
		})
	}
}

// follow does what the steps of a change say, as an administrator would.
func follow(t *testing.T, admin *api.Client, robot servertest.Credential, steps []api.ChangeStep) {
	t.Helper()
	for _, s := range steps {
		if s.Change == "add policy" {
			_, err := admin.CreatePolicy(t.Context(), api.Policy{Name: "new", Identities: []string{string(robot.Identity())},
				Resources: []api.PolicyResource{{URN: string(urn.Project("eu", project))}}, Permissions: &api.Permissions{Allow: []api.Action{{Action: s.Right}}}})
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		p, err := admin.Policy(t.Context(), s.PolicyID, false)
		if err != nil {
			t.Fatal(err)
		}
		is := func(a api.Action) bool { return a.Action == s.Statement }
		p.Permissions.Deny, p.Permissions.Except = slices.DeleteFunc(p.Permissions.Deny, is), slices.DeleteFunc(p.Permissions.Except, is)
		if _, err := admin.ReplacePolicy(t.Context(), s.PolicyID, p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADecisionIsExplainedAfterRevocation(t *testing.T) {
	s := servertest.Start(t, everyGrant)
	robot := s.ServiceAccount("robot")
	p := s.Policy(iam.Policy{Name: "theirs", Identities: []urn.URN{robot.Identity()}, Resources: []urn.URN{urn.Project("eu", project)},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}})
	token, admin := s.Scoped(robot), clientOf(t, s, s.Administrator())
	list := func() servertest.Answer {
		return s.Do("GET", "/GRA1/compute/v2.1/servers/detail", "", "X-Auth-Token: "+token)
	}
	granted := list()
	if err := s.Registry().DeletePolicy(t.Context(), s.Operator, p.ID); err != nil {
		t.Fatal(err)
	}
	refused := list()
	if !strings.Contains(refused.Body, "this account has no right on this project") {
		t.Error(refused.Body)
	}
	for name, a := range map[string]servertest.Answer{"granted": granted, "refused": refused} {
		d, err := admin.Decision(t.Context(), a.Header.Get("X-Stackgate-Request-Id"))
		if err != nil || d.Granted != (name == "granted") || (len(d.RolesHeld) > 0) != d.Granted || d.Now.Granted || len(d.Now.RolesHeld) != 0 || len(d.Changes) == 0 {
			t.Errorf("%s: %+v %v", name, d, err)
		}
	}
	if err := s.Registry().DeleteServiceAccount(t.Context(), s.Operator, robot.ID); err != nil {
		t.Fatal(err)
	}
	d, err := admin.Decision(t.Context(), refused.Header.Get("X-Stackgate-Request-Id"))
	if err != nil || d.Now.Blocked != "The service account is gone." || len(d.Changes) != 0 {
		t.Errorf("%+v %v", d, err)
	}
}

// TestAReplicaFindsADecision: what one server decided, another on the same database explains, as does the next one after a restart.
func TestAReplicaFindsADecision(t *testing.T) {
	var conf server.Config
	s := servertest.Start(t, func(c *server.Config) { c.Decisions.Sample = 1; conf = *c })
	robot := s.ServiceAccount("robot", supervisor)
	token := s.Scoped(robot)
	refused := s.Do("GET", "/GRA1/object-store/v1/AUTH_"+project, "", "X-Auth-Token: "+token)
	granted := s.Do("GET", "/GRA1/compute/v2.1/servers", "", "X-Auth-Token: "+token)
	conf.Sandbox = nil
	replica, err := server.New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(replica.Handler())
	t.Cleanup(func() {
		web.Close()
		_ = replica.Close()
	})
	for _, id := range []string{
		refused.Header.Get("X-Stackgate-Request-Id"), refused.Header.Get("X-Trans-Id"),
		granted.Header.Get("X-Stackgate-Request-Id"), granted.Header.Get("X-Openstack-Request-Id"),
	} {
		for { // Run writes each second; go test's own limit ends this if it never does
			e, err := replica.Registry().Decision(t.Context(), s.Operator, id)
			if err == nil && e.Decision.Identity == robot.Identity() {
				break
			}
			if !errors.Is(err, iam.NotFound) {
				t.Fatalf("%s: %+v %v", id, e, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestDecisionsHoldNoSecret makes calls with secrets everywhere, and looks for them in the log, in the answers about the calls and in the database.
func TestDecisionsHoldNoSecret(t *testing.T) {
	var conf server.Config
	log := &logged{}
	s := servertest.Start(t, func(c *server.Config) { c.Decisions.Sample = 1; c.Logger = log.logger(); conf = *c })
	robot := s.ServiceAccount("robot", supervisor)
	token, admin := s.Scoped(robot), clientOf(t, s, s.Administrator())
	const secret = "c0ffee5ec2e7"
	signature := "?temp_url_sig=" + secret + "&temp_url_expires=4102444800"
	ids := map[string]string{}
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/GRA1/object-store/v1/AUTH_" + project + "/c/o" + signature, "x"},
		{"DELETE", "/GRA1/object-store/v1/AUTH_" + project + "/c/o" + signature, ""},
		{"POST", "/GRA1/object-store/v1/AUTH_" + project + "/c" + signature + "&extract-archive=tar", ""},
		{"GET", "/GRA1/compute/v2.1/servers" + signature, ""},
		{"GET", "/GRA1/compute/v2.1/servers" + signature + "&all_tenants=1", ""},
		{"POST", "/GRA1/compute/v2.1/servers/" + vm + "/action", `{"changePassword":{"adminPass":"` + secret + `"}}`},
		{"POST", "/GRA1/compute/v2.1/servers/" + vm + "/action", `{"no such ` + secret + `":{}}`},
		{"GET", "/GRA1/compute/v2.1/os-console-auth-tokens/" + secret, ""},
	} {
		a := s.Do(c.method, c.path, c.body, "X-Auth-Token: "+token, "X-Storage-Token: "+secret, "Content-Type: application/json")
		ids[a.Header.Get("X-Stackgate-Request-Id")] = c.path
	}
	found := 0
	for id, path := range ids {
		d, err := admin.Decision(t.Context(), id)
		if errors.Is(err, iam.NotFound) {
			continue // went on without a token: nobody's
		}
		if err != nil {
			t.Fatal(err)
		}
		found++
		if text := strings.Join([]string{d.Call.Path, d.Message, d.Field, d.Operation, d.OtherID, d.Advice}, " "); strings.Contains(text, secret) {
			t.Errorf("%s: %+v", path, d)
		}
	}
	if found < 5 {
		t.Errorf("only %d decisions were found", found)
	}
	if err := s.Registry().Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"", "-wal"} {
		data, err := os.ReadFile(conf.Database + part)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), secret) || strings.Contains(string(data), token) {
			t.Errorf("in the database%s", part)
		}
	}
	if text := log.String(); strings.Contains(text, secret) || strings.Contains(text, token) {
		t.Error("in the log")
	}
}

func TestAskingBeforeTheFact(t *testing.T) {
	s := servertest.Start(t)
	robot := s.ServiceAccount("robot", operator)
	admin, own, other := clientOf(t, s, s.Administrator()), clientOf(t, s, robot), clientOf(t, s, stranger(t, s))
	ask := func(q api.DecisionQuestion) api.ExplainedDecision {
		t.Helper()
		q.ServiceAccount, q.Project = string(robot.ID), project
		d, err := admin.PreviewDecision(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		q       api.DecisionQuestion
		granted bool
		verdict string
	}{
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1/servers"}, true, "granted"},
		{api.DecisionQuestion{Path: "/GRA1/compute/v2.1/servers"}, true, "granted"},
		{api.DecisionQuestion{Service: "block-storage", Path: "/v3/" + project + "/volumes"}, true, "granted"},
		{api.DecisionQuestion{Service: "volumev3", Path: "/v3/" + project + "/volumes", Method: "POST", Body: `{"volume":{}}`}, false, "missing role"},
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1/servers", Query: "all_tenants=1"}, false, "administrator's field"},
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1"}, true, "open"},
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1//servers"}, false, "malformed"},
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1/servers/1/action", Method: "POST", Body: `{"a":1,"b":2}`}, false, "malformed"},
		{api.DecisionQuestion{Service: "compute", Path: "/v2.1/nonsense"}, false, "unknown operation"},
		{api.DecisionQuestion{Service: "volumev3", Path: "/v3/1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e/volumes"}, false, "another project"},
	} {
		d := ask(c.q)
		if d.Granted != c.granted || d.Now.Granted != c.granted || d.Verdict != c.verdict || d.ID != "" || d.Time != nil {
			t.Errorf("%+v:\n%+v", c.q, d)
		}
		if !c.granted && len(d.Changes) == 0 && d.Advice == "" {
			t.Errorf("%+v: nothing is said that helps: %+v", c.q, d)
		}
	}
	if d := ask(api.DecisionQuestion{Service: "compute", Path: "/v2.1/servers", Query: "all_tenants=1"}); len(d.Changes) != 1 || d.Changes[0].Text != "Leave out all_tenants, and whatever else only the cloud administrator may set." {
		t.Errorf("%+v", d.Changes)
	}
	q := api.DecisionQuestion{ServiceAccount: string(robot.ID), Project: project, Path: "/GRA1/compute/v2.1/servers"}
	_, err := other.PreviewDecision(t.Context(), q)
	wantKind(t, "a stranger", err, iam.NotFound)
	if _, err := own.PreviewDecision(t.Context(), q); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]func(*api.DecisionQuestion){
		"no path": func(q *api.DecisionQuestion) { q.Path = "" }, "no account": func(q *api.DecisionQuestion) { q.ServiceAccount = "" },
		"no project": func(q *api.DecisionQuestion) { q.Project = "x" }, "no region": func(q *api.DecisionQuestion) { q.Path = "/v2.1/servers" },
		"a service of another planet": func(q *api.DecisionQuestion) { q.Service = "x" }, "a space": func(q *api.DecisionQuestion) { q.Path += " x" },
		"two queries": func(q *api.DecisionQuestion) { q.Path += "?a"; q.Query = "b" }, "no address": func(q *api.DecisionQuestion) { q.Address = "here" },
	} {
		q := q
		bad(&q)
		_, err := admin.PreviewDecision(t.Context(), q)
		wantKind(t, name, err, iam.Invalid)
	}
}

// TestConditionsAreExplained: a policy for one network counts only if it is known from where.
func TestConditionsAreExplained(t *testing.T) {
	s := servertest.Start(t)
	robot := s.ServiceAccount("robot")
	s.Policy(iam.Policy{Name: "office", Identities: []urn.URN{robot.Identity()}, Resources: []urn.URN{urn.Project("eu", project)},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}, Condition: match("request.IP.IN_RANGE", "192.0.2.0/24")})
	admin := clientOf(t, s, s.Administrator())
	for address, want := range map[string]string{"192.0.2.7": "counts", "198.51.100.1": "its condition is false", "": "its condition cannot be decided"} {
		d, err := admin.PreviewDecision(t.Context(), api.DecisionQuestion{
			ServiceAccount: string(robot.ID), Project: project, Path: "/GRA1/compute/v2.1/servers", Address: address,
		})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(d.Rights, func(r api.DecidedRight) bool { return r.Action == string(supervisor) })
		if got := d.Rights[i].Statements; d.Granted != (want == "counts") || len(got) != 1 || got[0].Status != want || got[0].PolicyName != "office" {
			t.Errorf("from %q: %+v", address, d)
		}
	}
}
