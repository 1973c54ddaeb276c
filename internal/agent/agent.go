// Package agent is a loopback Keystone for tools that cannot log in with a service account.
//
// gophercloud and what is built on it (Terraform, Packer, rclone, restic, …), swift and others know passwords and application credentials, and no
// OpenID Connect. An Agent answers these logins with tokens that it gets by serviceaccount: the tool is given a one-time
// credential and our address as its OS_AUTH_URL, and talks to the cloud's services itself, with a real token and the cloud's own catalog. When
// that token ends the tool asks again, as it would ask any Keystone, and gets the next one: a run may last as long as it likes.
//
//	a, err := agent.New(agent.Config{Login: login, URL: "http://127.0.0.1:4711"})
//	go http.Serve(listener, a)
//	code, err := agent.Run([]string{"terraform", "apply"}, a.Environment(os.Environ(), agent.AsApplicationCredential), streams)
package agent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/web"
	"github.com/stackgate/stackgate/serviceaccount"
)

// A Credential is what the Agent, and nothing else, accepts. The id is that of an application credential and a user's name, the secret is also
// the password, and the token never ends: it is exchanged for a real one.
type Credential struct {
	ID            string
	Secret, Token serviceaccount.Secret
}

// NewCredential makes one at random.
func NewCredential() Credential {
	return Credential{ID: "stackgate-" + strings.ToLower(rand.Text()[:10]), Secret: serviceaccount.Secret(rand.Text()), Token: serviceaccount.Secret("sga-" + rand.Text())}
}

// Config is one Agent.
type Config struct {
	Login      *serviceaccount.Login
	URL        string       // how clients reach us, http://127.0.0.1:4711, without /v3
	Credential Credential   // zero: NewCredential
	AnyHost    bool         // answer whatever the Host header says; else URL's only, so that no web page of elsewhere reaches us
	Logger     *slog.Logger // nil: slog.Default
}

// An Agent is an http.Handler that answers as Keystone does.
type Agent struct {
	c       Config
	cloud   serviceaccount.Config
	handler http.Handler

	mu      sync.Mutex              // owns what follows
	issued  []*serviceaccount.Token // handed out and not over yet, newest last
	checked time.Time               // when the cloud last gave the newest, or said that it is good
}

// New makes an Agent and logs in, so that what is wrong shows before anything depends on it.
func New(ctx context.Context, c Config) (*Agent, error) {
	if c.Credential.ID == "" {
		c.Credential = NewCredential()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	a := &Agent{c: c, cloud: c.Login.Config()}
	a.handler = web.New(web.Config{Logger: c.Logger}).Wrap(web.Handler(a.serve, a.refuse))
	if _, err := a.token(ctx); err != nil {
		return nil, err
	}
	if p, _ := a.subject(); p.ID == "" {
		return nil, fmt.Errorf("%w: the cloud's token is for no project; set project_id (OS_PROJECT_ID)", serviceaccount.ErrConfig)
	}
	return a, nil
}

// ServeHTTP answers a request.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// checkAfter is for how long a token is taken for good. Whoever logs in again may do so because a service has refused the token, and would not be
// helped by getting the same one: before a token is handed out another time the cloud is asked, but not for each of many logins at once.
const checkAfter = time.Second

// token gives a token of the cloud's that is good.
func (a *Agent) token(ctx context.Context) (*serviceaccount.Token, error) {
	t, err := a.c.Login.Token(ctx)
	if err == nil && a.mustCheck(t) {
		t, err = a.check(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	a.note(t)
	return t, nil
}

// check gives t if the cloud still knows it, or else another one. A Keystone that does not answer says nothing against the token.
func (a *Agent) check(ctx context.Context, t *serviceaccount.Token) (*serviceaccount.Token, error) {
	ok, err := a.c.Login.Check(ctx, t)
	switch {
	case errors.Is(err, serviceaccount.ErrUnavailable):
		return t, nil
	case err != nil:
		return nil, err
	case !ok:
		return a.c.Login.Token(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checked = time.Now()
	return t, nil
}

func (a *Agent) mustCheck(t *serviceaccount.Token) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newest() == t && time.Since(a.checked) > checkAfter
}

// newest is the token that was handed out last; nil before the first. a.mu is held.
func (a *Agent) newest() *serviceaccount.Token {
	if n := len(a.issued); n > 0 {
		return a.issued[n-1]
	}
	return nil
}

// note keeps what has been handed out, while it lives.
func (a *Agent) note(t *serviceaccount.Token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest() != t {
		a.checked = time.Now()
	}
	living := a.issued[:0:0]
	for _, old := range a.issued {
		if old.Left() > 0 && old != t {
			living = append(living, old)
		}
	}
	a.issued = append(living, t)
}

// known gives the token of the cloud's that a client has got from us. Our own one-time token stands for the newest.
func (a *Agent) known(id string) *serviceaccount.Token {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.issued); n > 0 && equal(id, a.c.Credential.Token) {
		return a.issued[n-1]
	}
	for _, t := range a.issued {
		if equal(id, t.ID) && t.Left() > 0 {
			return t
		}
	}
	return nil
}

func equal(s string, secret serviceaccount.Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(secret)) == 1
}

// named is something with an id and a name.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// subject is what the newest token is for, and user whose it is.
func (a *Agent) subject() (project, user named) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var v struct {
		Token struct {
			Project named `json:"project"`
			User    named `json:"user"`
		} `json:"token"`
	}
	if n := len(a.issued); n > 0 {
		_ = json.Unmarshal(a.issued[n-1].Body, &v) // it is JSON: a Token has been made of it
	}
	return v.Token.Project, v.Token.User
}

// An apiError is a refusal in Keystone's shape.
type apiError struct {
	status  int
	message string
}

// Error gives the message.
func (e *apiError) Error() string { return e.message }

func refusal(status int, format string, args ...any) error {
	return &apiError{status, fmt.Sprintf(format, args...)}
}

// statuses are the kinds of a failed login, as our client sees them.
var statuses = []struct {
	kind   error
	status int
}{
	{serviceaccount.ErrConfig, http.StatusInternalServerError},
	{serviceaccount.ErrUnauthenticated, http.StatusUnauthorized},
	{serviceaccount.ErrNoAccess, http.StatusUnauthorized},
	{serviceaccount.ErrNotFound, http.StatusBadGateway},
	{serviceaccount.ErrRateLimited, http.StatusServiceUnavailable},
	{serviceaccount.ErrUnavailable, http.StatusServiceUnavailable},
	{serviceaccount.ErrProtocol, http.StatusBadGateway},
}

// refuse is the one place that writes an error.
func (a *Agent) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, message := http.StatusInternalServerError, "internal error"
	if e, ok := errors.AsType[*apiError](err); ok {
		status, message = e.status, e.message
	} else if e, ok := web.AsError(err); ok {
		status, message = e.Status, e.Message
	}
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			status, message = s.status, "stackgate could not log in at the cloud: "+err.Error()
			web.EventOf(r.Context()).Err = err
		}
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("Www-Authenticate", fmt.Sprintf("Keystone uri=%q", a.c.URL+"/v3"))
	}
	body := map[string]any{"error": map[string]any{"code": status, "title": http.StatusText(status), "message": message}}
	if err := web.WriteJSON(w, status, body); err != nil {
		web.EventOf(r.Context()).Err = err
	}
}
