// Package oidc speaks OAuth 2.0 and OpenID Connect: the role-adapter and the management token endpoint.
//
// The role-adapter is one OpenID provider per partition, with the client credentials grant (RFC 6749 §4.4) and nothing else:
//
//	GET  /role-adapter/<urn>/.well-known/openid-configuration   OpenID Connect Discovery 1.0 §4
//	GET  /role-adapter/<urn>/jwks                               RFC 7517 §5
//	POST /role-adapter/<urn>/token                              an id_token and an access token, for the Identity API
//	     /role-adapter/<urn>/authorize                          refuses: relying parties want it to exist
//	POST /auth/oauth2/token                                     an access token for the management API
//
// <urn> is urn:v1:<partition>:resource:publicCloudProject:<anything>, percent-encoded or not. It chooses the discovery document; what
// the token endpoint issues depends on the service account's own partition alone.
package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// Config configures a Server.
type Config struct {
	Registry         *registry.Registry
	Ring             *keys.Ring
	PublicURL        string          // of the server, without a final slash
	IdentityAudience string          // our Identity API, which the id_tokens are for
	Partitions       []urn.Partition // that have a role-adapter
	Now              func() time.Time

	// Keystones are operators' own, by the partition whose id_tokens are for it and, so, not for our Identity API.
	Keystones map[urn.Partition]Keystone

	IDTokenLife         time.Duration // 0: 10 minutes
	AccessTokenLife     time.Duration // of the role-adapter's access tokens; 0: 10 minutes
	ManagementTokenLife time.Duration // 0: 1 hour
}

// A Keystone is an operator's own, as the id_tokens for it name it.
type Keystone struct {
	Audience string // its address, for aud
	Provider string // what it calls us, for the claim provider: Keystone 29 takes no remote id as long as an iss of ours
}

// A Server answers everything under /role-adapter/ and /auth/oauth2/token. Mount it where nothing cleans or redirects paths.
type Server struct {
	c         Config
	documents map[urn.Partition][]byte // discovery documents
}

// Issuer gives the issuer of a partition: the iss of its id_tokens.
func Issuer(publicURL string, p urn.Partition) string {
	return publicURL + "/role-adapter/" + string(urn.Project(p, "pci"))
}

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Registry == nil || c.Ring == nil {
		return nil, errors.New("a registry and a key ring are needed")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || strings.HasSuffix(c.PublicURL, "/") {
		return nil, fmt.Errorf("the public URL %q is not absolute, or ends with a slash", c.PublicURL)
	}
	if c.IdentityAudience == "" {
		return nil, errors.New("id_tokens need an audience: the address of the Identity API")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for life, standard := range map[*time.Duration]time.Duration{
		&c.IDTokenLife: 10 * time.Minute, &c.AccessTokenLife: 10 * time.Minute, &c.ManagementTokenLife: time.Hour,
	} {
		if *life <= 0 {
			*life = standard
		}
	}
	s := &Server{c: c, documents: map[urn.Partition][]byte{}}
	for _, p := range c.Partitions {
		doc, err := document(Issuer(c.PublicURL, p))
		if err != nil {
			return nil, err
		}
		s.documents[p] = doc
	}
	return s, nil
}

// audience gives the one Identity API that a partition's id_tokens are for.
func (s *Server) audience(p urn.Partition) string {
	if keystone, ok := s.c.Keystones[p]; ok {
		return keystone.Audience
	}
	return s.c.IdentityAudience
}

// ServeHTTP routes on the path as it was sent: a URN has colons and may be percent-encoded.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Openstack-Request-Id", web.RequestID(r))
	e, err := s.route(r.URL.EscapedPath())
	if err == nil {
		err = e.serve(w, r)
	}
	if err != nil {
		writeError(w, r, err)
	}
}

// An endpoint is what answers at a path, and to which methods.
type endpoint struct {
	name    string
	methods []string // nil: all
	handle  web.Func
}

func (e endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	web.EventOf(r.Context()).Operation = e.name
	if e.methods != nil && !slices.Contains(e.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		return &failure{http.StatusMethodNotAllowed, "invalid_request", "This address answers " + strings.Join(e.methods, " and ") + " only"}
	}
	return e.handle(w, r)
}

func (s *Server) route(path string) (endpoint, error) {
	if path == "/auth/oauth2/token" {
		return endpoint{"oauth2:management-token", []string{http.MethodPost}, s.token(s.issueManagement)}, nil
	}
	rest, ok := strings.CutPrefix(path, "/role-adapter/")
	segment, rest, found := strings.Cut(rest, "/")
	if !ok || !found {
		return endpoint{}, errNotFound
	}
	doc, ok := s.documents[partitionOf(segment)]
	if !ok {
		return endpoint{}, &failure{http.StatusNotFound, "not_found",
			"There is no role-adapter of that name: the address has the form /role-adapter/urn:v1:<partition>:resource:publicCloudProject:pci/..., with a partition of this server"}
	}
	read := []string{http.MethodGet, http.MethodHead}
	switch rest {
	case ".well-known/openid-configuration":
		return endpoint{"oidc:discovery", read, constant(doc, "public, max-age=3600")}, nil
	case "jwks":
		return endpoint{"oidc:jwks", read, s.jwks}, nil
	case "token":
		return endpoint{"oidc:token", []string{http.MethodPost}, s.token(s.issueIdentity)}, nil
	case "authorize":
		return endpoint{"oidc:authorize", nil, refuseAuthorize}, nil
	}
	return endpoint{}, errNotFound
}

// partitionOf reads the URN of a path segment; "" if it is none that a role-adapter can have. The last part is free: the guide's
// "pci" names a product, and people put their project's id there.
func partitionOf(segment string) urn.Partition {
	name, err := url.PathUnescape(segment)
	if err != nil {
		return ""
	}
	rest, ok := strings.CutPrefix(name, "urn:v1:")
	partition, rest, _ := strings.Cut(rest, ":")
	last, typed := strings.CutPrefix(rest, "resource:publicCloudProject:")
	if !ok || !typed || last == "" || strings.ContainsFunc(last, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' }) {
		return ""
	}
	return urn.Partition(partition)
}

func constant(body []byte, cache string) web.Func {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", cache)
		_, _ = w.Write(body) // a client that went away is no error of ours
		return nil
	}
}

// jwks may be cached for less than the time that a new key is published before its first use.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) error {
	return constant(s.c.Ring.JWKS(), "public, max-age=300")(w, r)
}

// refuseAuthorize never redirects: whoever sends a browser here is not known (RFC 6749 §4.1.2.1).
func refuseAuthorize(http.ResponseWriter, *http.Request) error {
	return &failure{http.StatusBadRequest, "unsupported_response_type",
		"There is no login page here: service accounts use the client credentials grant at the token endpoint"}
}
