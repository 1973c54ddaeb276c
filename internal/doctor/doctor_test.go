package doctor_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/doctor"
	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

func config(c *recorded.Cloud) serviceaccount.Config {
	return serviceaccount.Config{
		Name: "rec", Files: []string{"clouds.yaml"}, AuthType: serviceaccount.OIDCClientCredentials,
		AuthURL: "http://cloud.example/v3", IdentityProvider: recorded.Provider, Protocol: "openid", AccessTokenType: "id_token",
		DiscoveryEndpoint: "http://cloud.example" + recorded.Adapter + "/.well-known/openid-configuration",
		ClientID:          recorded.ClientID, ClientSecret: recorded.Secret, ProjectID: recorded.Project, Region: recorded.Region,
		Transport: recorded.Transport(c),
	}
}

func TestALoginThatWorksHasFourStepsAndNoFindings(t *testing.T) {
	r := doctor.Examine(t.Context(), config(recorded.New(time.Hour)), nil, nil)
	if r.Failed() || len(r.Findings) != 0 || len(r.Steps) != 4 || r.Token.Project != "proj "+recorded.Project || r.Token.Roles[0] != "infrastructureSupervisor" {
		t.Errorf("%+v", r)
	}
	for _, s := range r.Steps {
		if s.Status == 0 || s.Sent == "" || s.URL == "" || s.Error != "" {
			t.Errorf("%+v", s)
		}
		for _, secret := range []string{recorded.Secret, "gAAAAA", "ID."} {
			if strings.Contains(s.Sent+s.URL, secret) {
				t.Errorf("a secret shows: %+v", s)
			}
		}
	}
}

// TestEachFindingSaysWhatToChange is the list of what goes wrong.
func TestEachFindingSaysWhatToChange(t *testing.T) {
	type world struct {
		cloud *recorded.Cloud
		c     *serviceaccount.Config
		env   []string
	}
	secure := httptest.NewTLSServer(recorded.New(time.Hour))
	defer secure.Close()
	plain := httptest.NewServer(recorded.New(time.Hour))
	defer plain.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	cases := map[string]struct {
		change       func(*world)
		fatal        bool
		what, advice string
	}{
		"no scope": {func(w *world) {
			w.cloud.Fail(recorded.Token, recorded.Answer(400, "application/json", `{"error":"invalid_scope"}`))
		}, true, "invalid_scope", "openid profile email publicCloudProject/all"},
		"a wrong identity provider":  {func(w *world) { w.c.IdentityProvider = "ovhcloud" }, true, "no explanation", "ovhcloud-world and ovhcloud-us"},
		"a wrong secret":             {func(w *world) { w.c.ClientSecret = "old" }, true, "unknown service account or wrong secret", "revoked or expired"},
		"the access token":           {func(w *world) { w.c.AccessTokenType = "" }, true, "JWT token could not be validated", "set access_token_type (OS_ACCESS_TOKEN_TYPE) to id_token"},
		"no role on the project":     {func(w *world) { w.c.ProjectID = "ffffffffffffffffffffffffffffffff" }, true, "requires authentication", "give it a policy with a right on project ffff"},
		"no project":                 {func(w *world) { w.c.ProjectID = "" }, true, "for no project", "set project_id"},
		"a region of another case":   {func(w *world) { w.c.Region = "gra1" }, true, `no region "gra1"`, "to one of GRA1"},
		"an interface that is empty": {func(w *world) { w.c.Interface = "internal" }, true, "no internal endpoint of any service", "to public"},
		"OS_USER_DOMAIN_NAME":        {func(w *world) { w.env = []string{"OS_USER_DOMAIN_NAME=x"} }, false, "unexpected keyword argument", "unset OS_USER_DOMAIN_NAME"},
		"a wrong discovery document": {func(w *world) { w.c.DiscoveryEndpoint = "http://cloud.example/nothing" }, true, "no explanation", "/.well-known/openid-configuration"},
		"an unknown authority": {func(w *world) { w.c.Transport, w.c.DiscoveryEndpoint = nil, secure.URL+"/" }, true,
			"certificate", "with cacert (OS_CACERT)"},
		"HTTPS where there is none": {func(w *world) {
			w.c.Transport, w.c.DiscoveryEndpoint = nil, strings.Replace(plain.URL, "http:", "https:", 1)+"/"
		}, true, "HTTP response to HTTPS client", "write http://"},
		"nobody listens":    {func(w *world) { w.c.Transport, w.c.DiscoveryEndpoint = nil, closed.URL+"/" }, true, "refused", "nothing listens there"},
		"no such host":      {func(w *world) { w.c.Transport = broken{&net.DNSError{Err: "no such host", Name: "x"}} }, true, "no such host", "the host's name"},
		"too many logins":   {func(w *world) { w.cloud.Fail(recorded.Token, recorded.Answer(429, "", "slow down")) }, true, "slow down", "60 tokens a minute"},
		"the cloud is down": {func(w *world) { w.cloud.Fail(recorded.Scope, recorded.Answer(503, "", "maintenance")) }, true, "maintenance", "request id"},
		"no verification":   {func(w *world) { w.c.Insecure = true }, false, "not verified", "cacert"},
		"a clock that is wrong": {func(w *world) {
			w.cloud.Fail(recorded.Scope, func(rw http.ResponseWriter, r *http.Request) {
				w.cloud.Fail(recorded.Scope, nil)
				w.cloud.ServeHTTP(late{rw}, r)
			})
		}, false, "the cloud's are 5m", "set the clock"},
		"short lives": {func(w *world) {
			w.cloud = recorded.New(3 * time.Minute)
			w.c.Transport = recorded.Transport(w.cloud)
		}, false, "log in again and again", "longer life"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := recorded.New(time.Hour)
			c := config(cloud)
			w := &world{cloud, &c, nil}
			tc.change(w)
			r := doctor.Examine(t.Context(), c, nil, w.env)
			if len(r.Findings) != 1 || r.Failed() != tc.fatal || !strings.Contains(r.Findings[0].What, tc.what) || !strings.Contains(r.Findings[0].Change, tc.advice) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

func TestAConfigurationThatCannotBeUsedIsAFinding(t *testing.T) {
	c, err := serviceaccount.FromCloud("nobody")
	r := doctor.Examine(t.Context(), c, err, nil)
	if !r.Failed() || !strings.Contains(r.Findings[0].What, "nobody was not found") || len(r.Tools) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestADomainKeepsPythonOut: what is said of openstack agrees with what is found.
func TestADomainKeepsPythonOut(t *testing.T) {
	plain := config(recorded.New(time.Hour))
	if r := doctor.Examine(t.Context(), plain, nil, nil); !r.Tools[0].Can {
		t.Errorf("%+v", r.Tools[0])
	}
	r := doctor.Examine(t.Context(), plain, nil, []string{"OS_USER_DOMAIN_ID=x"})
	if r.Tools[0].Can || !strings.Contains(r.Tools[0].Use, "without OS_USER_DOMAIN_ID") {
		t.Errorf("%+v", r.Tools[0])
	}
	plain.UserDomainName = "Default"
	if r := doctor.Examine(t.Context(), plain, nil, nil); r.Tools[0].Can || r.Failed() {
		t.Errorf("%+v", r.Tools[0])
	}
}

// broken is a network that fails.
type broken struct{ err error }

func (b broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

// late answers with a Date of five minutes and a half ago: a Date has whole seconds, so that the figure may be one off.
type late struct{ http.ResponseWriter }

func (l late) WriteHeader(status int) {
	l.Header().Set("Date", time.Now().Add(-5*time.Minute-30*time.Second).UTC().Format(http.TimeFormat))
	l.ResponseWriter.WriteHeader(status)
}
