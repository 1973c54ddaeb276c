package serviceaccount

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// A Token is what a login gives. It is not changed once made.
type Token struct {
	ID        Secret          // the value of X-Auth-Token
	ExpiresAt time.Time       // by the cloud's clock
	Body      json.RawMessage // the document {"token": …} as the cloud gave it, with catalog, roles and project

	catalog *tokens.ServiceCatalog
	result  tokens.CreateResult

	// By the local clock, so that a clock that is wrong does no harm: when to renew it in the background, from when on callers wait
	// for its successor, and when it is over.
	renewAt, waitAt, deadline time.Time
	life                      time.Duration
}

// Format prints when it ends, whatever the verb: there is a secret in it.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "token until %s", t.ExpiresAt.UTC().Format(time.RFC3339))
}

// minLeft is how much life a token should have when it is handed on: keystoneauth takes one with less than 120 s for expired, and rclone and
// restic refuse one with less than 60 s. minAge is for how long one is used where tokens do not live that long.
const (
	minLeft = 150 * time.Second
	minAge  = 10 * time.Second
)

// newToken reads an answer of Keystone that was asked for at start.
func newToken(header http.Header, body []byte, start time.Time) (*Token, string) {
	t := &Token{ID: Secret(header.Get("X-Subject-Token")), Body: body}
	if t.ID == "" {
		return nil, "the answer has no X-Subject-Token"
	}
	var v struct {
		Token *struct {
			ExpiresAt time.Time `json:"expires_at"`
			IssuedAt  time.Time `json:"issued_at"`
		} `json:"token"`
	}
	if err := json.Unmarshal(body, &v); err != nil || v.Token == nil || v.Token.ExpiresAt.IsZero() {
		return nil, "the answer is not a token with expires_at"
	}
	t.ExpiresAt = v.Token.ExpiresAt
	life := t.lifeLeft(header, v.Token.IssuedAt, start)
	t.schedule(start.Add(life), life)
	return t, t.decode(header)
}

// decode makes what gophercloud works with.
func (t *Token) decode(header http.Header) string {
	var body any
	if err := json.Unmarshal(t.Body, &body); err != nil {
		return "the answer is not JSON"
	}
	t.result.Result = gophercloud.Result{Body: body, Header: http.Header{"X-Subject-Token": {string(t.ID)}}}
	catalog, err := t.result.ExtractServiceCatalog()
	if err != nil {
		return "the catalog in the answer cannot be read"
	}
	t.catalog = catalog
	return ""
}

// lifeLeft is how long the token lived on when it was asked for at start, by the cloud's own clock. Date and issued_at may be cut to the
// second: so is our hope.
func (t *Token) lifeLeft(header http.Header, issued, start time.Time) time.Duration {
	clock, err := http.ParseTime(header.Get("Date"))
	switch {
	case err != nil && issued.IsZero():
		clock = start
	case err != nil || issued.After(clock):
		clock = issued
	}
	life := max(t.ExpiresAt.Sub(clock), 0)
	return life - min(time.Second, life/2)
}

// schedule sets when to renew: with between two and one fifths of its life left, not the same in every process, but never with less than
// clients want to see, if it lives that long. Times are of the wall: a monotonic clock stands still while a machine sleeps.
func (t *Token) schedule(deadline time.Time, life time.Duration) {
	t.deadline, t.life = deadline.Round(0), life
	t.waitAt = t.deadline.Add(-min(minLeft, max(life/5, life-minAge)))
	t.renewAt = t.deadline.Add(-life/5 - rand.N(life/5+1))
	if t.waitAt.Before(t.renewAt) {
		t.renewAt = t.waitAt
	}
}

// Left is how long the token will still live.
func (t *Token) Left() time.Duration { return time.Until(t.deadline) }

// Fresh says whether it is too early to renew the token.
func (t *Token) Fresh() bool { return time.Now().Before(t.renewAt) }

// Age is how long the token has lived.
func (t *Token) Age() time.Duration { return t.life - t.Left() }

// Catalog is the token's list of services; empty for a token that is for no project.
func (t *Token) Catalog() *tokens.ServiceCatalog { return t.catalog }

// A StoredToken is what a Token is made from again, for a store that outlives the process. It holds the token in the clear.
type StoredToken struct {
	ID       string          `json:"id"`
	Body     json.RawMessage `json:"body"`
	Deadline time.Time       `json:"deadline"` // by the clock of this machine
	Life     time.Duration   `json:"life"`
}

// Store gives what to keep.
func (t *Token) Store() StoredToken {
	return StoredToken{ID: string(t.ID), Body: t.Body, Deadline: t.deadline, Life: t.life}
}

// Restore makes the Token again, or gives nil if it cannot be used.
func (s StoredToken) Restore() *Token {
	t, problem := newToken(http.Header{"X-Subject-Token": {s.ID}}, s.Body, time.Now())
	if problem != "" || !time.Now().Before(s.Deadline) {
		return nil
	}
	t.schedule(s.Deadline, s.Life)
	return t
}
