// Package rest is what the sandbox's services share: who asks, routes, JSON in and out, errors in each service's own shape, paging,
// and state that survives an orderly restart.
//
// Every service follows one pattern. It is an http.Handler, has one mutex, and keeps everything it knows in one exported-field
// struct that a Store loads in New and saves in Close:
//
//	type state struct{ Volumes map[string]*volume }
//
//	func New(c Config) (*Service, error) {
//		s := &Service{c: c, store: rest.NewStore(c.Dir, "volume", c.Region)}
//		if err := s.store.Load(&s.state); err != nil { … }
//		s.router = rest.NewRouter(rest.CinderError)
//		s.router.Handle("GET /v3/{project}/volumes/{id}", s.locked(s.show))
//	}
//	func (s *Service) Close() error { s.mu.Lock(); defer s.mu.Unlock(); return s.store.Save(s.state) }
//
// A lifecycle needs no goroutine: an object keeps when it was created, and what it has become since is computed from Now.
package rest

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stackgate/stackgate/internal/web"
)

// An Identity is who asks, as keystonemiddleware's auth_token would tell a service in headers. The gateway sets them after
// it has judged the call; the sandbox has no listener of its own and trusts them.
type Identity struct {
	ProjectID string // X-Project-Id; "" on calls that need no token
	UserID    string // X-User-Id
}

// IdentityOf reads the identity headers.
func IdentityOf(r *http.Request) Identity {
	return Identity{ProjectID: r.Header.Get("X-Project-Id"), UserID: r.Header.Get("X-User-Id")}
}

// NewID makes the id of a new object: a random UUID.
func NewID() string { return uuid.NewString() }

// IsID says whether s is a UUID in either of the two spellings that OpenStack uses, with or without hyphens.
func IsID(s string) bool {
	if len(s) != 36 && len(s) != 32 {
		return false
	}
	_, err := uuid.Parse(s)
	return err == nil
}

// Time prints t as Nova, Glance and Neutron do: UTC, seconds, Z.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// TimeMicro prints t as Cinder and Nova's later records do: UTC, microseconds, no zone.
func TimeMicro(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }

// SetRequestID gives the answer its X-Openstack-Request-Id, unless it has one, and the same under the further header names. It is
// the id of the request's event, so that what a client prints is what our log says.
func SetRequestID(w http.ResponseWriter, r *http.Request, also ...string) string {
	id := w.Header().Get("X-Openstack-Request-Id")
	if id == "" {
		id = web.RequestID(r)
	}
	if id == "" {
		id = "req-" + uuid.NewString()
	}
	w.Header().Set("X-Openstack-Request-Id", id)
	for _, name := range also {
		w.Header().Set(name, id)
	}
	return id
}

// ExternalURL joins a service's public root and a path with one slash.
func ExternalURL(root, path string) string {
	return strings.TrimRight(root, "/") + "/" + strings.TrimLeft(path, "/")
}
