package serviceaccount_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

// TestErrorsSayWhichRequestFailedAndHoldNoSecret has each of the four requests fail in the ways that were seen.
func TestErrorsSayWhichRequestFailedAndHoldNoSecret(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { // a server that repeats what it was sent
		r.Header.Del("User-Agent")
		_, password, _ := r.BasicAuth()
		recorded.Answer(400, "text/plain", fmt.Sprint(r.Header, password))(w, r)
	}
	cases := map[string]struct {
		kind   string
		answer http.HandlerFunc
		is     error
		says   string
	}{
		"no discovery document":               {recorded.Discovery, recorded.Answer(404, "text/html", "<html>"), serviceaccount.ErrNotFound, "log in (discovery): GET http://cloud.example/role-adapter/"},
		"a discovery document that is a page": {recorded.Discovery, recorded.Answer(200, "text/html", "<html>"), serviceaccount.ErrProtocol, "which is JSON"},
		"no token endpoint":                   {recorded.Discovery, recorded.Answer(200, "application/json", `{}`), serviceaccount.ErrProtocol, "token_endpoint"},
		"a grant that is not offered": {recorded.Discovery, recorded.Answer(200, "application/json",
			`{"token_endpoint":"http://cloud.example/t","grant_types_supported":["password"]}`), serviceaccount.ErrProtocol, "client_credentials"},
		"a wrong secret": {recorded.Token, recorded.Answer(401, "application/json", `{"error":"invalid_client","errors":[{"title":"Unknown service account or wrong secret"}]}`),
			serviceaccount.ErrUnauthenticated, "log in (token): POST http://cloud.example/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/token answered 401 Unauthorized: Unknown service account or wrong secret"},
		"a scope that is not granted": {recorded.Token, recorded.Answer(400, "application/json", `{"error":"invalid_scope","error_description":"scope=all is missing"}`),
			serviceaccount.ErrUnauthenticated, "scope=all is missing"},
		"too many logins": {recorded.Token, recorded.Answer(429, "application/json", `{"message":"slow down"}`), serviceaccount.ErrRateLimited, "slow down"},
		"no id_token":     {recorded.Token, recorded.Answer(200, "application/json", `{"access_token":"sesame"}`), serviceaccount.ErrProtocol, "has no id_token (access_token_type); it has access_token"},
		"a redirect": {recorded.Token, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://evil.example/?x="+recorded.Secret, http.StatusTemporaryRedirect)
		}, serviceaccount.ErrProtocol, "redirects to http://evil.example/,"},
		"an unknown identity provider": {recorded.Federation, recorded.Answer(404, "application/json", `{"error":{"code":404,"message":"Could not find Identity Provider: nope.","title":"Not Found"}}`),
			serviceaccount.ErrNotFound, "log in (federation): POST http://cloud.example/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth answered 404 Not Found: Could not find Identity Provider: nope. (request id req-"},
		"Apache refuses the bearer": {recorded.Federation, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Www-Authenticate", `Bearer error="invalid_token", error_description="JWT token could not be validated"`)
			recorded.Answer(401, "text/html", "<html>")(w, r)
		}, serviceaccount.ErrUnauthenticated, "JWT token could not be validated"},
		"no token in the answer": {recorded.Federation, recorded.Answer(201, "application/json", `{}`), serviceaccount.ErrProtocol, "X-Subject-Token"},
		"no role on the project": {recorded.Scope, recorded.Answer(401, "application/json", `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`),
			serviceaccount.ErrNoAccess, "log in (scope): POST http://cloud.example/v3/auth/tokens answered 401"},
		"Keystone is down": {recorded.Scope, recorded.Answer(502, "text/html", "<html>"), serviceaccount.ErrUnavailable, "502 Bad Gateway: no explanation"},
	}
	for _, kind := range []string{recorded.Token, recorded.Federation, recorded.Scope} {
		cases["a server that repeats what it was sent at "+kind] = struct {
			kind   string
			answer http.HandlerFunc
			is     error
			says   string
		}{kind, echo, nil, "[secret]"}
	}
	delete(cases, "a server that repeats what it was sent at "+recorded.Scope) // the secret is in the body there
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := recorded.New(time.Hour)
			cloud.Fail(tc.kind, tc.answer)
			_, err := serviceaccount.New(t.Context(), config(cloud))
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v\nwant %s", err, tc.says)
			}
			for _, secret := range []string{recorded.Secret, "ID.", "sesame", "gAAAAA", "MGYwZjBm"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s is in: %v", secret, err)
				}
			}
			if e, ok := errors.AsType[*serviceaccount.Error](err); !ok || string(e.Step) != tc.kind {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestSecretsDoNotShowThemselves(t *testing.T) {
	c := config(recorded.New(time.Hour))
	c.Transport = nil
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", c.ClientSecret, "config", c)
	encoded, err := json.Marshal(struct{ S serviceaccount.Secret }{c.ClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%q %x %d %s", c.ClientSecret, c.ClientSecret, c.ClientSecret, c.ClientSecret),
		logged.String(), string(encoded),
	} {
		if strings.Contains(text, recorded.Secret) || strings.Contains(text, fmt.Sprintf("%x", recorded.Secret)) || !strings.Contains(text, "[secret]") {
			t.Error(text)
		}
	}
}

func TestATokenDoesNotFollowARedirectToAnotherHost(t *testing.T) {
	cloud := recorded.New(time.Hour)
	cloud.Fail(recorded.Servers, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://evil.example/", http.StatusFound)
	})
	seen := ""
	c := config(cloud)
	c.Transport = recorded.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "evil.example" {
			cloud.ServeHTTP(w, r)
			return
		}
		seen = r.Header.Get("X-Auth-Token") + "nothing"
	}))
	pc, err := serviceaccount.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list(t.Context(), pc); err == nil || seen != "nothing" {
		t.Errorf("%q reached the other host (%v)", seen, err)
	}
}

func TestATokenOfSomebodyElseIsLeftAlone(t *testing.T) {
	cloud := recorded.New(time.Hour)
	pc, err := serviceaccount.New(t.Context(), config(cloud))
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://cloud.example/v2.1/servers/detail", nil)
	req.Header.Set("X-Auth-Token", "another")
	resp, err := pc.HTTPClient.Do(req)
	if err != nil || resp.StatusCode != 401 {
		t.Error(resp, err)
	}
	counts(t, cloud, map[string]int{"scope": 1})
}

// TestNothingThatIsPrintedHoldsASecret: a Config, a Token and a Login end up in logs.
func TestNothingThatIsPrintedHoldsASecret(t *testing.T) {
	dir := home(t)
	write(t, filepath.Join(dir, ".config", "openstack", "clouds.yaml"), guide)
	c, err := serviceaccount.FromCloud("ovhcloud")
	if err != nil {
		t.Fatal(err)
	}
	c.Transport = nil
	l := login(t, config(recorded.New(time.Hour)))
	tok := token(t, l)
	for _, v := range []any{c, &c, *tok, tok, l, []*serviceaccount.Token{tok}, map[string]any{"login": l}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"xxxx", recorded.Secret, string(tok.ID)} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows %s", verb, v, secret)
				}
			}
		}
	}
}
