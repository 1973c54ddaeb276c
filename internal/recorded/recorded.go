// Package recorded is a cloud that is not Stackgate, for tests: it answers as a real Keystone 22 behind mod_auth_openidc was recorded to.
//
// A Cloud is a whole one in a handler: an identity provider that knows one client, Keystone with its federated login, Nova's list of
// servers and Swift's account. The bodies under answers/ are what was recorded; only addresses, times and tokens are filled in. It keeps
// its tokens, so that what has expired or was revoked is refused.
package recorded

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What the recording knows.
const (
	ClientID = "0f0f0f0f0f0f0f0f"
	Secret   = "xxxx-the-first-secret"
	Project  = "a0debfbd64584eb3bac14bd9435185f4"
	Provider = "ovhcloud-emea"
	Region   = "GRA1"
	Adapter  = "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci"
)

// The requests that Count counts and Fail changes.
const (
	Discovery  = "discovery"
	Token      = "token"
	Federation = "federation"
	Scope      = "scope"
	Validate   = "validate"
	Servers    = "servers"
)

//go:embed answers
var answers embed.FS

// A Cloud is one cloud. Its zero value is not ready; see New.
type Cloud struct {
	life time.Duration

	mu     sync.Mutex // owns what follows
	secret string
	tokens map[string]granted // those of Keystone
	bearer map[string]bool    // those of the identity provider
	counts map[string]int
	fails  map[string]http.HandlerFunc
}

type granted struct {
	scoped          bool
	issued, expires time.Time
}

// New makes a Cloud whose tokens live that long.
func New(life time.Duration) *Cloud {
	return &Cloud{life: life, secret: Secret, tokens: map[string]granted{}, bearer: map[string]bool{}, counts: map[string]int{}, fails: map[string]http.HandlerFunc{}}
}

// SetSecret gives the client another secret. The tokens that the former one got go on.
func (c *Cloud) SetSecret(s string) { c.mu.Lock(); defer c.mu.Unlock(); c.secret = s }

// Revoke ends every token.
func (c *Cloud) Revoke() { c.mu.Lock(); defer c.mu.Unlock(); clear(c.tokens) }

// Count says how many requests of a kind there have been.
func (c *Cloud) Count(kind string) int { c.mu.Lock(); defer c.mu.Unlock(); return c.counts[kind] }

// Counts is all of them.
func (c *Cloud) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Fail has h answer the requests of a kind from now on; nil: the cloud answers again.
func (c *Cloud) Fail(kind string, h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails[kind] = h
}

// Answer makes a handler for Fail.
func Answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// ServeHTTP answers as recorded.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, h := c.route(r)
	c.mu.Lock()
	c.counts[kind]++
	if f := c.fails[kind]; f != nil {
		h = f
	}
	c.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat)) // synctest's clock, in a bubble
	w.Header().Set("X-Openstack-Request-Id", "req-ecd82bcd-9bfc-4151-9cab-86a39f235796")
	h(w, r)
}

func (c *Cloud) route(r *http.Request) (string, http.HandlerFunc) {
	path, read := r.URL.Path, r.Method == "GET" || r.Method == "HEAD"
	switch {
	case path == Adapter+"/.well-known/openid-configuration":
		return Discovery, c.discovery
	case path == Adapter+"/token":
		return Token, c.token
	case path == "/v3/OS-FEDERATION/identity_providers/"+Provider+"/protocols/openid/auth":
		return Federation, c.federation
	case path == "/v3/auth/tokens" && r.Method == "POST":
		return Scope, c.scope
	case path == "/v3/auth/tokens" && read:
		return Validate, c.authenticated(c.validate)
	case path == "/v3/auth/projects" && read:
		return path, c.authenticated(func(w http.ResponseWriter, r *http.Request) { c.write(w, r, 200, "projects.json", granted{}) })
	case path == "/v2.1/servers/detail":
		return Servers, c.authenticated(Answer(200, "application/json", `{"servers":[{"id":"0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0","name":"name_vm","status":"ACTIVE"}]}`))
	case strings.HasPrefix(path, "/swift/v1/AUTH_"+Project):
		return "swift", c.authenticated(Answer(403, "text/html; charset=UTF-8", "<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>"))
	}
	return path, Answer(404, "text/html", "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n")
}

func (c *Cloud) discovery(w http.ResponseWriter, r *http.Request) {
	issuer := base(r) + Adapter
	writeJSON(w, 200, map[string]any{"issuer": issuer, "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		"grant_types_supported": []string{"client_credentials"}})
}

func (c *Cloud) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != ClientID || secret != c.secret || r.FormValue("grant_type") != "client_credentials" {
		w.Header().Set("Www-Authenticate", `Basic realm="role-adapter"`)
		writeJSON(w, 401, map[string]any{"error": "invalid_client", "error_description": "Invalid client credentials: unknown service account or wrong secret"})
		return
	}
	idToken, access := "ID."+rand.Text(), "ACCESS."+rand.Text()
	c.bearer[idToken] = true
	writeJSON(w, 200, map[string]any{"access_token": access, "id_token": idToken, "token_type": "Bearer", "expires_in": 600, "scope": r.FormValue("scope")})
}

// federation refuses in Apache's words, not Keystone's.
func (c *Cloud) federation(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	ok := c.bearer[token]
	c.mu.Unlock()
	if !ok {
		w.Header().Set("Www-Authenticate", `Bearer error="invalid_token", error_description="JWT token could not be validated"`)
		Answer(401, "text/html; charset=iso-8859-1", "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n")(w, r)
		return
	}
	c.grant(w, r, granted{expires: time.Now().Add(c.life)})
}

// scope takes the method token. What is scoped ends when what it was made from ends.
func (c *Cloud) scope(w http.ResponseWriter, r *http.Request) {
	var v struct {
		Auth struct {
			Identity struct{ Token struct{ ID string } }
			Scope    struct{ Project struct{ ID string } }
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&v)
	g, ok := c.look(v.Auth.Identity.Token.ID)
	if !ok {
		writeJSON(w, 404, map[string]any{"error": map[string]any{"code": 404, "message": "Could not recognize Fernet token", "title": "Not Found"}})
		return
	}
	if v.Auth.Scope.Project.ID != Project {
		c.unauthorized(w, r)
		return
	}
	g.scoped = true
	c.grant(w, r, g)
}

func (c *Cloud) grant(w http.ResponseWriter, r *http.Request, g granted) {
	g.issued = time.Now()
	id := "gAAAAA" + rand.Text() + rand.Text()
	c.mu.Lock()
	c.tokens[id] = g
	c.mu.Unlock()
	w.Header().Set("X-Subject-Token", id)
	w.Header().Set("Vary", "X-Auth-Token")
	c.write(w, r, 201, g.file(), g)
}

func (g granted) file() string {
	if g.scoped {
		return "scoped.json"
	}
	return "unscoped.json"
}

func (c *Cloud) validate(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Subject-Token")
	g, ok := c.look(id)
	if !ok {
		writeJSON(w, 404, map[string]any{"error": map[string]any{"code": 404, "message": "Failed to validate token", "title": "Not Found"}})
		return
	}
	w.Header().Set("X-Subject-Token", id)
	c.write(w, r, 200, g.file(), g)
}

func (c *Cloud) look(id string) (granted, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.tokens[id]
	return g, ok && time.Now().Before(g.expires)
}

func (c *Cloud) authenticated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := c.look(r.Header.Get("X-Auth-Token")); !ok {
			c.unauthorized(w, r)
			return
		}
		h(w, r)
	}
}

func (c *Cloud) unauthorized(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Www-Authenticate", fmt.Sprintf("Keystone uri=%q", base(r)+"/v3"))
	c.write(w, r, 401, "unauthorized.json", granted{})
}

func (c *Cloud) write(w http.ResponseWriter, r *http.Request, status int, file string, g granted) {
	text, err := answers.ReadFile("answers/" + file)
	if err != nil {
		panic(err)
	}
	const format = "2006-01-02T15:04:05.000000Z"
	fill := strings.NewReplacer("$BASE", base(r), "$ISSUED", g.issued.UTC().Format(format), "$EXPIRES", g.expires.UTC().Format(format))
	Answer(status, "application/json", fill.Replace(string(text)))(w, r)
}

func base(r *http.Request) string { return "http://" + r.Host }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// Transport carries requests to a handler without a network, so that a test in a synctest bubble can wait for them.
func Transport(h http.Handler) http.RoundTripper { return carrier{h} }
