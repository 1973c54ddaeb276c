package keystone_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
)

// K5: who one is follows from the token alone; whatever else the request says about a user reaches nothing.
func TestK5_ExtraIdentityMembersDoNotImpersonate(t *testing.T) {
	w := newWorld(t)
	victim := w.rescope(w.login(w.stranger), "").tok("user").(map[string]any)
	as := `"user":{"id":"` + victim["id"].(string) + `","name":"` + string(w.stranger.id) + `","domain":{"id":"default"}}`
	token := w.login(w.client)
	for _, body := range []string{
		`{"auth":{"identity":{"methods":["token"],"token":{"id":"` + token + `",` + as + `}}}}`,
		`{"auth":{"identity":{"methods":["token"],"token":{"id":"` + token + `"},` + as + `,"password":{` + as + `}}}}`,
		`{"auth":{` + as + `,"identity":{"methods":["token"],"token":{"id":"` + token + `"}}},` + as + `}`,
	} {
		a := w.do("POST", "/v3/auth/tokens", body)
		a.want(t, 201, "")
		if name := a.tok("user").(map[string]any)["name"]; name != string(w.client.id) {
			t.Errorf("the token is %v's", name)
		}
	}
}

// K6: neither the body nor the query reaches what is judged.
func TestK6_BodyAndQueryAreNoPolicyTarget(t *testing.T) {
	w := newWorld(t)
	own, others := w.scoped(), w.login(w.stranger)
	me := w.rescope(own, "").tok("user").(map[string]any)["id"].(string)
	them := w.rescope(others, "").tok("user").(map[string]any)["id"].(string)
	query := "?user_id=" + them + "&target.user_id=" + them + "&target.token.user_id=" + them + "&project_id=" + string(w.foreign) + "&domain_id=default"
	body := `{"target":{"user_id":"` + them + `","token":{"user_id":"` + them + `"},"project":{"id":"` + string(w.foreign) + `"}},"user_id":"` + them + `"}`
	for _, c := range []struct{ method, target string }{
		{"GET", "/v3/auth/tokens"}, {"HEAD", "/v3/auth/tokens"}, {"DELETE", "/v3/auth/tokens"}, {"GET", "/v3/users/" + me},
		{"GET", "/v3/users/" + me + "/projects"}, {"GET", "/v3/users/" + me + "/groups"}, {"GET", "/v3/projects/" + string(w.project)},
		{"GET", "/v3/projects"}, {"POST", "/v3/projects"}, {"DELETE", "/v3/users/" + them}, {"GET", "/v3/role_assignments"},
	} {
		w.do(c.method, c.target+query, body, "X-Auth-Token", others, "X-Subject-Token", own).want(t, 403, "identity:")
	}
	if w.get("/v3/auth/projects", own).status != 200 {
		t.Error("the token was harmed")
	}
}

// K8: no sequence of exchanges makes a token that outlives the first one.
func TestK8_ExpiryNeverGrows(t *testing.T) {
	w := newWorld(t)
	scopes := []string{"", `"unscoped"`, projectScope(w.project), `{"project":{"name":"proj","domain":{"id":"default"}}}`}
	rapid.Check(t, func(rt *rapid.T) {
		first := w.bearer(w.idToken(w.client))
		expires, tokens := expiry(t, first), []string{first.token()}
		for range rapid.IntRange(1, 8).Draw(rt, "exchanges") {
			w.advance(time.Duration(rapid.IntRange(0, 900).Draw(rt, "seconds")) * time.Second)
			a := w.rescope(rapid.SampledFrom(tokens).Draw(rt, "token"), rapid.SampledFrom(scopes).Draw(rt, "scope"))
			if !w.clock().Before(expires) {
				if a.status != 404 {
					rt.Fatalf("an expired token gives %d", a.status)
				}
				continue
			}
			if a.status != 201 || expiry(t, a).After(expires) {
				rt.Fatalf("%d: expiry %v after %v", a.status, expiry(t, a), expires)
			}
			tokens = append(tokens, a.token())
		}
	})
}

func expiry(t testing.TB, a *answer) time.Time {
	t.Helper()
	e, err := time.Parse(time.RFC3339, a.tok("expires_at").(string))
	must(t, err)
	return e
}

// K9: every kind of scope is known by name, and what is not known is refused.
func TestK9_EveryScopeIsEnumerated(t *testing.T) {
	w := newWorld(t)
	token := w.login(w.client)
	kinds := map[string]string{
		"project": `{"id":"` + string(w.project) + `"}`, "domain": `{"id":"default"}`, "system": `{"all":true}`, "OS-TRUST:trust": `{"id":"0f"}`, "unscoped": `{}`,
		"System": `{"all":true}`, "is_domain": `true`, "OS-INHERIT": `{}`, "": `{}`,
	}
	names := slices.Sorted(maps.Keys(kinds))
	for set := range 1 << len(names) {
		var members, known []string
		for i, name := range names {
			if set&(1<<i) == 0 {
				continue
			}
			members = append(members, fmt.Sprintf("%q:%s", name, kinds[name]))
			if slices.Contains([]string{"project", "domain", "system", "OS-TRUST:trust", "unscoped"}, name) {
				known = append(known, name)
			}
		}
		want := 400
		if len(known) == 1 {
			want = 401
			if known[0] == "project" || known[0] == "unscoped" {
				want = 201
			}
		}
		scope := "{" + strings.Join(members, ",") + "}"
		if a := w.rescope(token, scope); a.status != want {
			t.Errorf("%s: %d, want %d", scope, a.status, want)
		}
	}
	t.Run("a token of an application credential goes nowhere else", func(t *testing.T) {
		now := w.clock()
		delegated := w.seal(iam.IdentityToken, iam.Token{
			ClientID: w.client.id, SecretID: w.client.secret, Project: w.project, Methods: iam.MethodApplicationCredential, IssuedAt: now, Expires: now.Add(time.Hour),
		})
		for _, scope := range []string{"", `"unscoped"`, projectScope(w.project), `{"system":{"all":true}}`, `{"domain":{"id":"default"}}`} {
			w.rescope(delegated, scope).want(t, 403, "You are not authorized to perform the requested action.")
		}
	})
}

func (w *world) seal(p iam.Purpose, t iam.Token) string {
	w.t.Helper()
	b, err := t.AppendBinary(nil)
	must(w.t, err)
	s, err := w.ring.Seal(string(p), b)
	must(w.t, err)
	return s
}

// K13: a list shows what show shows, and only one's own.
func TestK13_ListsAreWhatShowAllows(t *testing.T) {
	w := newWorld(t)
	token := w.login(w.client)
	me := w.rescope(token, "").tok("user").(map[string]any)["id"].(string)
	for _, list := range []string{"/v3/auth/projects", "/v3/OS-FEDERATION/projects", "/v3/users/" + me + "/projects"} {
		a := w.get(list, token)
		a.want(t, 200, "")
		compareShape(t, "projects.json", a.body)
		if p := a.body["projects"].([]any)[0].(map[string]any); p["id"] != string(w.project) {
			t.Errorf("%s lists %v", list, p["id"])
		}
	}
	w.get("/v3/projects/"+string(w.project), token).want(t, 200, "")
	for _, p := range []iam.ProjectID{w.unused, w.foreign, "00000000000000000000000000000000", "x"} {
		w.get("/v3/projects/"+string(p), token).want(t, 403, "You are not authorized to perform the requested action: identity:get_project.")
	}
}

// K14: what is null or empty matches nothing.
func TestK14_NullMatchesNothing(t *testing.T) {
	w := newWorld(t)
	token := w.login(w.client)
	for _, scope := range []string{
		`{"project":{"id":null}}`, `{"project":{"id":""}}`, `{"project":{"name":null,"domain":null}}`, `{"project":{"name":"proj","domain":null}}`,
		`{"project":{"name":"proj","domain":{}}}`, `{"project":{"name":"proj","domain":{"id":null}}}`, `{"project":{"name":"proj","domain":{"id":"","name":null}}}`,
		`{"domain":null}`, `{"domain":{"id":null}}`,
	} {
		w.rescope(token, scope).want(t, 400, "Expecting to find")
	}
	w.do("POST", "/v3/auth/tokens", `{"auth":{"identity":{"methods":["token"],"token":{"id":null}}}}`).want(t, 400, "Expecting to find id in token.")
	w.get("/v3/users/", token).want(t, 403, "identity:list_users") // a slash at the end is no empty id
}

// O3: an id_token without one of the claims, or for somebody else, is nothing.
func TestO3_EveryClaimIsRequired(t *testing.T) {
	w := newWorld(t)
	now := w.clock().Unix()
	for _, c := range []struct {
		name   string
		change map[string]any
		status int
	}{
		{"as it should be", nil, 201},
		{"within the skew of clocks", map[string]any{"iat": now + 20, "nbf": now + 20}, 201},
		{"no iss", map[string]any{"iss": nil}, 403},
		{"another partition's iss", map[string]any{"iss": issuerCA}, 403},
		{"a foreign iss", map[string]any{"iss": "https://accounts.example"}, 403},
		{"iss with a slash more", map[string]any{"iss": issuer + "/"}, 403},
		{"no sub", map[string]any{"sub": nil}, 401},
		{"sub of nobody", map[string]any{"sub": "urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0000000000000000"}, 401},
		{"sub of another account", map[string]any{"sub": "urn:v1:eu:identity:credential:yy22222-ovh/oauth2-" + string(w.client.id)}, 401},
		{"sub of an account itself", map[string]any{"sub": "urn:v1:eu:identity:account:xx11111-ovh"}, 401},
		{"no aud", map[string]any{"aud": nil}, 401},
		{"no exp", map[string]any{"exp": nil}, 401},
		{"no iat", map[string]any{"iat": nil}, 401},
		{"no nbf", map[string]any{"nbf": nil}, 401},
		{"exp that is text", map[string]any{"exp": "tomorrow"}, 401},
		{"expired", map[string]any{"exp": now - 31, "iat": now - 100, "nbf": now - 100}, 401},
		{"not yet", map[string]any{"nbf": now + 100}, 401},
		{"issued in the future", map[string]any{"iat": now + 100}, 401},
		{"valid for ever", map[string]any{"exp": now + 400*24*3600}, 401},
		{"exp beyond all numbers", map[string]any{"exp": uint64(1) << 63}, 401},
		{"exp near the end of numbers", map[string]any{"exp": int64(math.MaxInt64)}, 401},
		{"issued before all time", map[string]any{"iat": int64(math.MinInt64)}, 401},
		{"valid from before all time", map[string]any{"nbf": int64(math.MinInt64)}, 401},
		{"no secret_id", map[string]any{"secret_id": nil}, 401},
		{"another's secret_id", map[string]any{"secret_id": w.stranger.secret}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.bearer(sign(t, w.ring, w.claims(w.client, c.change)))
			a.want(t, c.status, "")
			if c.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`) {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	t.Run("a Canadian through the European provider", func(t *testing.T) { w.bearer(w.idToken(w.canadian)).want(t, 403, "") })
	t.Run("a Canadian with a European issuer", func(t *testing.T) {
		w.bearer(sign(t, w.ring, w.claims(w.canadian, map[string]any{"iss": issuer}))).want(t, 403, "")
	})
	t.Run("an unknown provider", func(t *testing.T) {
		w.do("POST", strings.Replace(loginURL, "ovhcloud-emea", "nope", 1), "", "Authorization", "Bearer x").
			want(t, 404, "Could not find Identity Provider: nope.")
	})
	t.Run("an unknown protocol", func(t *testing.T) {
		w.do("POST", strings.Replace(loginURL, "openid/auth", "saml2/auth", 1), "", "Authorization", "Bearer x").
			want(t, 401, "Attempted to authenticate with an unsupported method.")
	})
	for name, headers := range map[string][]string{
		"no bearer": nil, "basic": {"Authorization", "Basic eDp5"}, "an empty bearer": {"Authorization", "Bearer "}, "two": {"Authorization", "Bearer a", "Authorization", "Bearer b"},
	} {
		t.Run(name, func(t *testing.T) {
			w.do("POST", loginURL, "", headers...).want(t, 401, "The bearer token was refused")
		})
	}
}

// O5: a token is exact. No truncation, extension or change of a character leaves one.
func TestO5_AlteredTokensAreNothing(t *testing.T) {
	w := newWorld(t)
	token := w.scoped()
	refused := func(altered string) {
		t.Helper()
		w.get("/v3/auth/projects", altered).want(t, 401, generic401)
		w.rescope(altered, "").want(t, 404, "Could not recognize Fernet token")
	}
	for i := range token {
		flipped := []byte(token)
		flipped[i] ^= 1
		if strings.ContainsRune("\"\\", rune(flipped[i])) {
			flipped[i] = 'A' + 'B' - token[i]&1
		}
		if string(flipped) != token {
			refused(string(flipped))
		}
		refused(token[:i])
	}
	for _, tail := range []string{"A", "=", "==", " x", "AAAA", ".", token} {
		refused(token + tail)
	}
	refused(strings.Repeat("A", 9000))
}

// O14: the classics of JOSE.
func TestO14_ForgedIDTokens(t *testing.T) {
	w := newWorld(t)
	good := w.idToken(w.client)
	parts := strings.Split(good, ".")
	var header map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	must(t, err)
	must(t, json.Unmarshal(raw, &header))
	kid := header["kid"]
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	encode := func(h map[string]any, claims []byte) string {
		b, err := json.Marshal(h)
		must(t, err)
		return base64.RawURLEncoding.EncodeToString(b) + "." + base64.RawURLEncoding.EncodeToString(claims)
	}
	hs := func(key []byte) string {
		input := encode(map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, claims)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	elsewhere := newRing(t, newStore(t, w.clock), w.clock)
	duplicate, err := w.ring.SignJWT([]byte(strings.Replace(string(claims), `{`, `{"iss":"x",`, 1)))
	must(t, err)
	zero := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	for name, jwt := range map[string]string{
		"alg none":                      encode(map[string]any{"alg": "none", "typ": "JWT"}, claims) + ".",
		"alg None with our kid":         encode(map[string]any{"alg": "None", "kid": kid}, claims) + "." + parts[2],
		"HS256 with the public key set": hs(w.ring.JWKS()),
		"HS256 with nothing":            hs(nil),
		"r and s zero":                  parts[0] + "." + parts[1] + "." + zero,
		"another ring's key":            sign(t, elsewhere, w.claims(w.client, nil)),
		"another kid":                   encode(map[string]any{"alg": header["alg"], "typ": "JWT", "kid": "../../etc/passwd"}, claims) + "." + parts[2],
		"a kid of SQL":                  encode(map[string]any{"alg": header["alg"], "typ": "JWT", "kid": "' OR 1=1 --"}, claims) + "." + parts[2],
		"no kid":                        encode(map[string]any{"alg": header["alg"], "typ": "JWT"}, claims) + "." + parts[2],
		"other claims":                  encode(header, []byte(strings.Replace(string(claims), string(w.client.id), string(w.stranger.id), 1))) + "." + parts[2],
		"a claim twice":                 duplicate,
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"two parts":                     parts[0] + "." + parts[1],
		"five parts":                    good + "." + parts[1] + "." + parts[2],
		"dots":                          "..",
		"far too long":                  strings.Repeat("a.", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.bearer(jwt); a.status != 401 || a.token() != "" {
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
}

// O18: aud may be a string or an array; either must contain us exactly.
func TestO18_AudienceShapes(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		aud  any
		want int
	}{
		{"our address", audience, 201},
		{"an array with it", []string{"x", audience}, 201},
		{"an array of it alone", []string{audience}, 201},
		{"an empty string", "", 401},
		{"an empty array", []string{}, 401},
		{"null", json.RawMessage("null"), 401},
		{"an operator's Keystone", "https://keystone.example/v3", 401},
		{"ours as a part", audience + "/x", 401},
		{"ours in a longer list in one string", "x " + audience, 401},
		{"ours in other letters", strings.ToUpper(audience), 401},
		{"an array in an array", [][]string{{audience}}, 401},
		{"an array with a number", []any{audience, 1}, 401},
		{"an object", map[string]string{"aud": audience}, 401},
		{"the client alone", string(w.client.id), 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.bearer(sign(t, w.ring, w.claims(w.client, map[string]any{"aud": c.aud}))).want(t, c.want, "")
		})
	}
}

// No API takes another's token, and no server another server's.
func TestTokensOfOtherPurposesAndRingsAreNothing(t *testing.T) {
	w := newWorld(t)
	now := w.clock()
	token := iam.Token{ClientID: w.client.id, SecretID: w.client.secret, Methods: iam.MethodOpenID, IssuedAt: now, Expires: now.Add(time.Hour)}
	elsewhere := newRing(t, newStore(t, w.clock), w.clock)
	b, err := token.AppendBinary(nil)
	must(t, err)
	foreign, err := elsewhere.Seal(string(iam.IdentityToken), b)
	must(t, err)
	for name, s := range map[string]string{
		"an access token": w.seal(iam.AccessToken, token), "a management token": w.seal(iam.ManagementToken, token), "an id_token": w.idToken(w.client),
		"another server's": foreign,
	} {
		t.Run(name, func(t *testing.T) {
			w.get("/v3/auth/projects", s).want(t, 401, generic401)
			w.rescope(s, "").want(t, 404, "")
			w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", w.login(w.client), "X-Subject-Token", s).want(t, 404, "")
		})
	}
	t.Run("the federation endpoint takes an access token", func(t *testing.T) { w.bearer(w.seal(iam.AccessToken, token)).want(t, 201, "") })
	for name, s := range map[string]string{"a management token": w.seal(iam.ManagementToken, token), "an Identity token": w.seal(iam.IdentityToken, token)} {
		t.Run("the federation endpoint refuses "+name, func(t *testing.T) { w.bearer(s).want(t, 401, "") })
	}
}
