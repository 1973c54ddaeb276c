package serviceaccount

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An Exchange is one request of a login, when it has ended. There is no secret in it.
type Exchange struct {
	Step   Step
	Method string
	URL    string
	Sent   string // what was sent, in words
	Status int    // 0: no answer
	Start  time.Time
	Took   time.Duration
	Date   time.Time // the server's clock, where it said
	Err    error     // an *Error; nil: it went well
}

// A walk is the requests of one login.
type walk struct {
	c        *Config
	http     *http.Client
	endpoint string // the token endpoint: from the configuration, from an earlier walk, or discovered
	secrets  []Secret
}

// A request is one of them.
type request struct {
	step        Step
	method, url string
	header      http.Header
	body        string
	sent        string
	want        []int
}

// An answer is what came back, where it was wanted.
type answer struct {
	header http.Header
	body   []byte
	start  time.Time
}

// maxAnswer bounds what is read: catalogs of large clouds are some hundred kilobytes.
const maxAnswer = 8 << 20

// run logs in.
func (w *walk) run(ctx context.Context) (*Token, error) {
	if !w.c.AuthType.oidc() {
		return w.identity(ctx, StepLogin, w.c.method())
	}
	bearer, err := w.bearer(ctx)
	if err != nil {
		return nil, err
	}
	unscoped, err := w.federation(ctx, bearer)
	if err != nil || !w.c.scoped() {
		return unscoped, err
	}
	w.secrets = append(w.secrets, unscoped.ID)
	return w.identity(ctx, StepScope, method{"token": map[string]any{"id": string(unscoped.ID)}})
}

// bearer is what the identity provider gives us for Keystone.
func (w *walk) bearer(ctx context.Context) (Secret, error) {
	if w.c.AuthType == OIDCAccessToken {
		return w.c.AccessToken, nil
	}
	if w.endpoint == "" {
		w.endpoint = w.c.AccessTokenEndpoint
	}
	if w.endpoint == "" {
		if err := w.discover(ctx); err != nil {
			return "", err
		}
	}
	return w.tokens(ctx)
}

// discover asks for the token endpoint.
func (w *walk) discover(ctx context.Context) error {
	r := request{step: StepDiscovery, method: "GET", url: w.c.DiscoveryEndpoint, sent: "nothing", want: []int{http.StatusOK}}
	a, err := w.do(ctx, r, func(a answer) string {
		var v struct {
			TokenEndpoint string   `json:"token_endpoint"`
			Grants        []string `json:"grant_types_supported"`
		}
		if err := json.Unmarshal(a.body, &v); err != nil {
			return "the answer is not a discovery document, which is JSON"
		}
		grant := w.c.grant()
		switch u, err := url.Parse(v.TokenEndpoint); {
		case v.TokenEndpoint == "":
			return "the discovery document has no token_endpoint"
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return "the token_endpoint of the discovery document is not a URL"
		case u.Scheme == "http" && strings.HasPrefix(w.c.DiscoveryEndpoint, "https:"):
			return "the token_endpoint of the discovery document is plain HTTP: the secret is not sent there"
		case v.Grants != nil && !slices.Contains(v.Grants, grant):
			return "the identity provider does not offer the grant " + grant
		}
		w.endpoint = v.TokenEndpoint
		return ""
	})
	_ = a
	return err
}

func (c *Config) grant() string {
	if c.AuthType == OIDCPassword {
		return "password"
	}
	return "client_credentials"
}

// tokens presents the secret. The credentials are not form-encoded before they are base64, as keystoneauth has it.
func (w *walk) tokens(ctx context.Context) (bearer Secret, err error) {
	form := url.Values{"grant_type": {w.c.grant()}, "scope": {w.c.Scope}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	sent := fmt.Sprintf("client id %s and its secret, grant_type %s, scope %q", w.c.ClientID, w.c.grant(), w.c.Scope)
	if w.c.AuthType == OIDCPassword {
		form.Set("username", w.c.Username)
		form.Set("password", string(w.c.Password))
		sent = fmt.Sprintf("client id %s, user %s and a password, scope %q", w.c.ClientID, w.c.Username, w.c.Scope)
	}
	if w.c.ClientSecret != "" {
		var r http.Request
		r.Header = header
		r.SetBasicAuth(w.c.ClientID, string(w.c.ClientSecret))
		w.secrets = append(w.secrets, Secret(strings.TrimPrefix(header.Get("Authorization"), "Basic ")))
	} else {
		form.Set("client_id", w.c.ClientID)
	}
	r := request{step: StepToken, method: "POST", url: w.endpoint, header: header, body: form.Encode(), sent: sent, want: []int{http.StatusOK}}
	_, err = w.do(ctx, r, func(a answer) string {
		var v map[string]any
		if err := json.Unmarshal(a.body, &v); err != nil {
			return "the answer is not JSON"
		}
		text, _ := v[w.c.AccessTokenType].(string)
		if text == "" {
			return fmt.Sprintf("the answer has no %s (access_token_type); it has %s", w.c.AccessTokenType, strings.Join(tokenNames(v), ", "))
		}
		bearer = Secret(text)
		return ""
	})
	w.secrets = append(w.secrets, bearer)
	return bearer, err
}

// tokenNames are the tokens in an answer of a token endpoint, without their values.
func tokenNames(v map[string]any) []string {
	names := []string{}
	for k := range v {
		if strings.HasSuffix(k, "_token") {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return []string{"none"}
	}
	slices.Sort(names)
	return names
}

// federation makes an unscoped token of Keystone's. It has neither body nor Content-Type.
func (w *walk) federation(ctx context.Context, bearer Secret) (*Token, error) {
	u := fmt.Sprintf("%s/OS-FEDERATION/identity_providers/%s/protocols/%s/auth", w.c.AuthURL,
		url.PathEscape(w.c.IdentityProvider), url.PathEscape(w.c.Protocol))
	r := request{step: StepFederation, method: "POST", url: u, header: http.Header{"Authorization": {"Bearer " + string(bearer)}},
		sent: "the " + w.c.AccessTokenType + " as bearer", want: []int{http.StatusOK, http.StatusCreated}}
	return w.keystone(ctx, r)
}

// identity posts to /v3/auth/tokens.
func (w *walk) identity(ctx context.Context, step Step, m method) (*Token, error) {
	body, sent, err := w.c.authBody(m)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	return w.keystone(ctx, request{step: step, method: "POST", url: w.c.AuthURL + "/auth/tokens", header: header, body: body, sent: sent,
		want: []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}})
}

func (w *walk) keystone(ctx context.Context, r request) (t *Token, err error) {
	_, err = w.do(ctx, r, func(a answer) (problem string) {
		t, problem = newToken(a.header, a.body, a.start)
		return problem
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// do makes a request, under the time-out, and has read look at the answer; read says what is wrong with it, if anything.
func (w *walk) do(ctx context.Context, r request, read func(answer) string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, w.c.Timeout)
	defer cancel()
	e := &Error{Step: r.step, Method: r.method, URL: plainURL(r.url)}
	x := Exchange{Step: r.step, Method: r.method, URL: e.URL, Sent: r.sent, Start: time.Now()}
	a, resp, err := w.send(ctx, r)
	a.start = x.Start
	switch {
	case err != nil:
		x.Err = e.unreachable(ctx, err)
	case !slices.Contains(r.want, resp.StatusCode):
		x.Err = w.refused(e, resp, a.body)
	default:
		if problem := read(a); problem != "" {
			e.Kind, e.Message, e.RequestID = ErrProtocol, problem, requestID(resp.Header)
			x.Err = e
		}
	}
	x.Took = time.Since(x.Start)
	if resp != nil {
		x.Status = resp.StatusCode
		x.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	if w.c.Trace != nil {
		w.c.Trace(x)
	}
	return a, x.Err
}

func (w *walk) send(ctx context.Context, r request) (answer, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return answer{}, nil, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if w.c.UserAgent != "" {
		req.Header.Set("User-Agent", w.c.UserAgent)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return answer{}, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return answer{}, nil, err
	}
	return answer{header: resp.Header, body: body}, resp, nil
}

// refused fills in what the server said, without our secrets, should it have repeated them.
func (w *walk) refused(e *Error, resp *http.Response, body []byte) *Error {
	e.Kind, e.Status, e.RequestID = kindOf(e.Step, resp.StatusCode), resp.StatusCode, requestID(resp.Header)
	e.Message = without(said(resp, body), append(w.secrets, w.c.secret())...)
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		e.Message = "redirects to " + plainURL(to) + ", which is not followed: a login is not sent where the configuration does not say"
	}
	return e
}

func requestID(h http.Header) string { return clean(h.Get("X-Openstack-Request-Id"), 80) }

// plainURL is a URL that can be shown.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// said is the sentence in an error's body: Keystone's, the identity provider's (RFC 6749), or a page's.
func said(resp *http.Response, body []byte) string {
	var v struct {
		Error       json.RawMessage          `json:"error"`
		Description string                   `json:"error_description"`
		Errors      []struct{ Title string } `json:"errors"`
		Message     string                   `json:"message"`
	}
	var object struct{ Message string }
	var text string
	if json.Unmarshal(body, &v) == nil {
		_, _ = json.Unmarshal(v.Error, &object), json.Unmarshal(v.Error, &text)
		if len(v.Errors) > 0 {
			text = v.Errors[0].Title
		}
		for _, s := range []string{object.Message, v.Description, text, v.Message} {
			if s != "" {
				return clean(s, 300)
			}
		}
	}
	if _, auth, ok := strings.Cut(resp.Header.Get("Www-Authenticate"), `error_description="`); ok {
		auth, _, _ = strings.Cut(auth, `"`)
		return clean(auth, 300)
	}
	if bytes.Contains(body, []byte("<")) || len(bytes.TrimSpace(body)) == 0 {
		return "no explanation"
	}
	return clean(string(body), 300)
}

// clean makes one line of a text from outside, no longer than n bytes.
func clean(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == ' ' }), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
