// Package rest is what the sandbox's services share: who asks, JSON in and out, and state that survives an orderly restart.
package rest

import "net/http"

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
