package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Shared shares tokens with other processes. It gives a token that another has made, if it is good enough (good says so), or
// calls login for a new one and keeps that. See Config.
type Shared func(ctx context.Context, c *Config, good func(*Token) bool, login func(context.Context) (*Token, error)) (*Token, error)

// A Login makes tokens from a Config and keeps the current one. It can be used by any number of goroutines: however many ask, there is
// one login at a time, and nobody waits for it while the token at hand is good for a while.
type Login struct {
	c    Config
	http *http.Client

	mu       sync.Mutex // owns what follows
	last     Config     // c with its secrets as they could last be read
	token    *Token     // the newest; nil: none, or it was rejected
	flight   *flight    // the login under way; nil: none
	endpoint string     // where secrets go, as discovered before
	rejected Secret     // the last token that a service has refused
	issued   [16]Secret // the last tokens given out
	next     int        // in issued
	failures int        // since the last success
	failed   error      // of the last login
	retryAt  time.Time  // no login before
	born     time.Time  // of token
}

// A flight is a login that several may wait for.
type flight struct {
	done  chan struct{}
	token *Token
	err   error
}

// NewLogin checks the configuration. It makes no request.
func NewLogin(c Config) (*Login, error) {
	c.fill()
	if err := c.check(); err != nil {
		return nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	// Nothing of a login is sent on to where a redirect leads.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Login{c: c, last: c, http: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

// Format prints where it logs in, whatever the verb: there are secrets in it.
func (l *Login) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "login by %s at %s", l.c.AuthType, l.c.AuthURL)
}

// Config gives the configuration with defaults filled in, and with its secrets as the files have them now.
func (l *Login) Config() Config {
	c, _ := l.current()
	return c
}

// current reads the secrets again. What cannot be read stays as it was last: a file may just be being replaced. problem says so.
func (l *Login) current() (c Config, problem error) {
	c, problem = l.c.current()
	l.mu.Lock()
	defer l.mu.Unlock()
	if problem != nil {
		return l.last, problem
	}
	l.last = c
	return c, nil
}

// Token gives a token that is good for now. It logs in where there is none, waits for a new one where the present one is about to end, and
// renews in the background where it has lived for most of its time. When a login fails, the present token is given while it lives.
func (l *Login) Token(ctx context.Context) (*Token, error) {
	l.mu.Lock()
	now, t := time.Now(), l.token
	if t != nil && now.Before(t.renewAt) {
		l.mu.Unlock()
		return t, nil
	}
	f := l.join(ctx, now)
	failed := l.failed
	l.mu.Unlock()
	if t != nil && now.Before(t.waitAt) {
		return t, nil
	}
	if f == nil { // it failed a moment ago
		return alive(t, failed)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a login: %w", ctx.Err())
	}
	if f.err != nil {
		return alive(t, f.err)
	}
	return f.token, nil
}

// alive gives t while it lives, or else the error.
func alive(t *Token, err error) (*Token, error) {
	if t != nil && t.Left() > 0 {
		return t, nil
	}
	return nil, err
}

// rejectAge is how old a token must be before a service's refusal leads to a new login. A service that refuses a token which is newer
// will refuse the next one as well, and must not make us log in for each request. Tokens of tests live for seconds.
func rejectAge(t *Token) time.Duration { return min(5*time.Second, t.life/10) }

// Reject says that a service has answered 401 to the token of this id. The next Token is another one.
func (l *Login) Reject(id Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token != nil && time.Since(l.born) >= rejectAge(l.token) {
		l.drop(id)
	}
}

// drop forgets the token if it is the one of this id. l.mu is held.
func (l *Login) drop(id Secret) {
	if l.token != nil && l.token.ID == id {
		l.token, l.rejected = nil, id
	}
}

// Transport carries requests to the cloud under the TLS of the configuration, for requests that a program makes itself.
func (l *Login) Transport() http.RoundTripper { return l.http.Transport }

// Check asks Keystone whether it still knows the token. One that it does not know is rejected, however new it is: who has given it says so. Then ok
// is false.
func (l *Login) Check(ctx context.Context, t *Token) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, l.c.AuthURL+"/auth/tokens", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("X-Auth-Token", string(t.ID))
	req.Header.Set("X-Subject-Token", string(t.ID))
	resp, err := l.http.Do(req)
	if err != nil {
		e := &Error{Step: "check", Method: req.Method, URL: plainURL(l.c.AuthURL + "/auth/tokens")}
		return false, e.unreachable(ctx, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusNotFound {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drop(t.ID)
		return false, nil
	}
	return true, nil
}

// gave says whether a token is one of ours.
func (l *Login) gave(id Secret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.issued {
		if s == id {
			return true
		}
	}
	return false
}

// join gives the login under way, or starts one; nil: the last one failed a moment ago. l.mu is held. The login does not end with the
// one who has started it, since others wait for it too; it ends by its time-outs.
func (l *Login) join(ctx context.Context, now time.Time) *flight {
	if l.flight != nil {
		return l.flight
	}
	if now.Before(l.retryAt) {
		return nil
	}
	l.flight = &flight{done: make(chan struct{})}
	go l.fly(context.WithoutCancel(ctx), l.flight)
	return l.flight
}

func (l *Login) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, 5*l.c.Timeout) // four requests, and a wait for other processes
	defer cancel()
	f.token, f.err = l.login(ctx)
	l.mu.Lock()
	l.flight = nil
	if f.err != nil {
		l.failed = f.err
		l.retryAt = time.Now().Add(pause(l.failures))
		l.failures++
	} else {
		l.token, l.born, l.failed, l.failures, l.retryAt = f.token, time.Now(), nil, 0, time.Time{}
		l.issued[l.next%len(l.issued)] = f.token.ID
		l.next++
	}
	l.mu.Unlock()
	close(f.done)
}

// pause is how long not to log in after a failure: half a second first, half a minute at last, and never the same for all.
func pause(failures int) time.Duration {
	d := min(500*time.Millisecond<<min(failures, 8), 30*time.Second)
	return d/2 + rand.N(d/2)
}

// login gets a token from the other processes or from the cloud.
func (l *Login) login(ctx context.Context) (*Token, error) {
	c, problem := l.current()
	if problem != nil && c.secret() == "" {
		return nil, problem // there has been no secret yet
	}
	do := func(ctx context.Context) (*Token, error) { return l.walk(ctx, &c) }
	var t *Token
	var err error
	if c.Shared == nil {
		t, err = do(ctx)
	} else {
		t, err = c.Shared(ctx, &c, l.good, do)
	}
	if err != nil && problem != nil {
		return nil, fmt.Errorf("%w (and the configuration could not be read again: %w)", err, problem)
	}
	return t, err
}

// good says whether a token of another process will do: newer than what we have, and not the one that was refused.
func (l *Login) good(t *Token) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.Fresh() && t.ID != l.rejected && (l.token == nil || t.ID != l.token.ID)
}

// walk logs in at the cloud. What discovery said is kept, until a token endpoint is no longer there.
func (l *Login) walk(ctx context.Context, c *Config) (*Token, error) {
	l.mu.Lock()
	w := walk{c: c, http: l.http, endpoint: l.endpoint}
	l.mu.Unlock()
	t, err := w.run(ctx)
	if e, ok := errors.AsType[*Error](err); ok && e.Step == StepToken && !errors.Is(err, ErrUnauthenticated) && !errors.Is(err, ErrRateLimited) {
		w.endpoint = ""
	}
	l.mu.Lock()
	l.endpoint = w.endpoint
	l.mu.Unlock()
	return t, err
}
