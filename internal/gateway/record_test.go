package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

func TestEveryRefusalOfSomebodyIsRecorded(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, token string
		verdict             audit.Verdict
		operation, field    string
		needed              []string
	}{
		{"GET", "/compute/v2.1/servers/detail?name=hidden", "none", audit.MissingRole, "os_compute_api:servers:detail", "",
			[]string{"compute_manage", "compute_snapshot_manage", "compute_read"}},
		{"GET", "/compute/v2.1/flavors", "none", audit.MissingRole, "GET /flavors", "", []string{"any"}},
		{"GET", "/network/v2.0/agents", "reader", audit.AdministratorCall, "get_agent", "", nil},
		{"GET", "/compute/v2.1/servers?all_tenants=1&name=hidden", "reader", audit.AdministratorField, "os_compute_api:servers:index", "all_tenants",
			[]string{"compute_manage", "compute_snapshot_manage", "compute_read"}},
		{"GET", "/volume/v3/" + projectB + "/volumes", "reader", audit.AnotherProject, "volume:get_all", "the path", []string{"volume_manage", "volume_read"}},
		{"GET", "/compute/v2.1/os-nothing", "reader", audit.UnknownOperation, "", "", nil},
		{"DELETE", "/object-store/v1/AUTH_" + projectA + "/c/o?temp_url=hidden", "reader", audit.MissingRole, "", "", []string{"objectstore_all"}},
	} {
		resp, _ := w.ask(t, c.method, "/GRA1"+c.path, "X-Auth-Token: "+c.token)
		kept := w.decisions()
		if len(kept) != 1 {
			t.Fatalf("%s: %d decisions", c.path, len(kept))
		}
		d := kept[0]
		if d.Verdict != c.verdict || c.operation != "" && d.Operation != c.operation || d.Field != c.field || !slices.Equal(d.Needed, c.needed) ||
			d.Method != c.method || !strings.HasPrefix(c.path, "/"+d.Service+d.Path) || d.Region != "GRA1" || d.Project != projectA ||
			d.Account.Name != "xx" || d.Identity == "" || !d.Address.IsLoopback() || d.Time.IsZero() {
			t.Errorf("%s: %+v", c.path, d)
		}
		if strings.Contains(d.Path+d.Field+d.Message, "hidden") {
			t.Errorf("%s: the query is in %+v", c.path, d)
		}
		if d.ID != resp.Header.Get("X-Stackgate-Request-Id") || d.OtherID != resp.Header.Get("X-Trans-Id") {
			t.Errorf("%s: ids %q %q, the answer has %v", c.path, d.ID, d.OtherID, resp.Header)
		}
		if wantRights := c.verdict == audit.MissingRole && c.token == "reader"; wantRights != (len(d.Rights) == 1) {
			t.Errorf("%s: rights %v", c.path, d.Rights)
		}
	}
}

func TestNobodysRefusalsAreNotRecorded(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "GET", "/GRA1/compute/v2.1/servers", "X-Other: 1")
	w.ask(t, "GET", "/GRA1/compute/v2.1/servers", "X-Auth-Token: gone")
	w.ask(t, "GET", "/GRA1/compute/v2.1//servers", "X-Auth-Token: none")
	w.ask(t, "GET", "/GRA1/compute/", "X-Auth-Token: none")
	if kept := w.decisions(); len(kept) != 0 {
		t.Errorf("%+v", kept)
	}
}

func TestNoBodyAndNoSecretInPathIsRecorded(t *testing.T) {
	w := newWorld(t)
	body := `{"pass word":{"adminPass":"hidden"}}`
	w.raw(t, "POST /GRA1/compute/v2.1/servers/1/action HTTP/1.1\r\nHost: gw\r\nConnection: close\r\nX-Auth-Token: all\r\nContent-Length: "+
		"36\r\n\r\n"+body)
	w.ask(t, "GET", "/GRA1/compute/v2.1/os-console-auth-tokens/hidden", "X-Auth-Token: all")
	kept := w.decisions()
	if len(kept) != 2 || kept[0].Verdict != audit.UnknownOperation {
		t.Fatalf("%+v", kept)
	}
	for _, d := range kept {
		if strings.Contains(d.Path+d.Field+d.Message, "hidden") || d.Field != "" {
			t.Errorf("%+v", d)
		}
	}
}

// TestAGrantIsFoundByTheCloudsRequestID: the cloud's own id stays in the answer, ours is beside it and goes upstream.
func TestAGrantIsFoundByTheCloudsRequestID(t *testing.T) {
	w := newWorld(t)
	w.serve(t, func(rbac.Service) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Openstack-Request-Id", "req-cloud")
			w.Header().Set("X-Stackgate-Request-Id", "req-forged")
			w.Header().Set("X-Upstream", r.Header.Get("X-Openstack-Request-Id"))
			w.WriteHeader(http.StatusNoContent)
		})
	})
	resp, _ := w.ask(t, "GET", "/GRA1/compute/v2.1/servers", "X-Auth-Token: reader", "X-Openstack-Request-Id: req-clients")
	own := resp.Header.Values("X-Stackgate-Request-Id")
	if len(own) != 1 || resp.Header.Get("X-Upstream") != own[0] || resp.Header.Get("X-Openstack-Request-Id") != "req-cloud" {
		t.Errorf("%v", resp.Header)
	}
	kept := w.decisions()
	if len(kept) != 1 || kept[0].ID != own[0] || kept[0].OtherID != "req-cloud" || kept[0].Verdict != audit.Granted ||
		!slices.Contains(kept[0].Held, "compute_read") {
		t.Errorf("%+v", kept)
	}
}

// TestOurIDSurvivesAnInterimAnswer: what is sent before an answer (Expect: 100-continue) clears all headers before the answer begins.
func TestOurIDSurvivesAnInterimAnswer(t *testing.T) {
	w := newWorld(t)
	w.serve(t, func(rbac.Service) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProcessing)
			clear(w.Header())
			w.WriteHeader(http.StatusOK)
		})
	})
	req, err := http.NewRequest("GET", w.gw.URL+"/GRA1/object-store/v1/AUTH_"+projectA, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", "all")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Stackgate-Request-Id") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// TestAGrantThatIsNotSampledCostsNothing counts what deciding not to keep a grant allocates.
func TestAGrantThatIsNotSampledCostsNothing(t *testing.T) {
	s, r, c := &Server{c: Config{Sample: 1 << 31}}, &http.Request{}, &call{}
	if n := testing.AllocsPerRun(1000, func() { s.sample(r, c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTheHeldRightsAreSaidAsPeopleSayThem(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		rights []iam.Action
		want   string
	}{
		{nil, "grants; this account has no right on this project."},
		{[]iam.Action{"publicCloudProject:openstack:imageOperator"}, "grants; this account has imageOperator."},
		{[]iam.Action{"publicCloudProject:openstack:imageOperator", "publicCloudProject:ai:aiTrainingRead"}, "grants; this account has imageOperator and aiTrainingRead."},
		{[]iam.Action{"a:b:one", "a:b:two", "a:b:three"}, "grants; this account has one, two and three."},
	} {
		w.held["none"] = c.rights
		if _, body := w.ask(t, "POST", "/GRA1/volume/v3/"+projectA+"/backups", "X-Auth-Token: none", "Content-Length: 0"); !strings.Contains(body, c.want) {
			t.Errorf("%v: %s", c.rights, body)
		}
	}
}

// A form upload is refused for what it is, in words that its sender understands.
func TestWhatIsTakenFromNobodySaysWhy(t *testing.T) {
	w := newWorld(t)
	w.ask(t, "POST", "/GRA1"+account+"/c", "X-Auth-Token: all", "Content-Type: multipart/form-data; boundary=b")
	kept := w.decisions()
	if len(kept) != 1 || kept[0].Verdict != audit.NotTaken || !strings.HasPrefix(kept[0].Message, "A form upload (FormPOST) has its signature in its body") {
		t.Errorf("%+v", kept)
	}
}
