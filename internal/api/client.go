package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
)

// maxAnswer bounds what a Client reads of one answer, in bytes.
const maxAnswer = 64 << 20

// ClientConfig configures a Client.
type ClientConfig struct {
	BaseURL      string // of the server, without /v1: https://cloud.example
	ClientID     string
	ClientSecret string
	HTTPClient   *http.Client // nil: one with a timeout of 30 seconds for a whole request. Redirects are never followed.
	Now          func() time.Time
}

// A Client calls the management API as a service account. It logs in when it first needs to, keeps the token, and logs in once more when
// the token is refused. Errors are *iam.Error of the kind that the server's registry gave. It is safe for concurrent use.
type Client struct {
	base   string
	id     string
	secret string
	http   *http.Client
	now    func() time.Time

	mu      sync.Mutex // held while logging in, so that concurrent calls log in once
	token   string
	expires time.Time
}

// NewClient makes a Client. It sends nothing yet.
func NewClient(c ClientConfig) (*Client, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the address of the management API must look like https://cloud.example")
	}
	if c.ClientID == "" || c.ClientSecret == "" {
		return nil, errors.New("the management API needs a client id and its secret")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	hc := http.Client{Timeout: 30 * time.Second}
	if c.HTTPClient != nil {
		hc = *c.HTTPClient
	}
	// A redirect could carry the credentials elsewhere; the API makes none.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(c.BaseURL, "/"), id: c.ClientID, secret: c.ClientSecret, http: &hc, now: c.Now}, nil
}

// A call is one request to make.
type call struct {
	method string
	path   string // escaped, from /
	params url.Values
	header http.Header
	in     any // nil: no body
	out    any // nil: the answer does not matter
}

// do makes a call and gives the answer's headers.
func (c *Client) do(ctx context.Context, k call) (http.Header, error) {
	var body []byte
	if k.in != nil {
		var err error
		if body, err = json.Marshal(k.in, json.FormatNilSliceAsNull(true)); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	token, err := c.bearer(ctx, "")
	if err != nil {
		return nil, err
	}
	header, err := c.send(ctx, k, body, token)
	if iam.KindOf(err) != iam.Unauthenticated {
		return header, err
	}
	if token, err = c.bearer(ctx, token); err != nil {
		return nil, err
	}
	return c.send(ctx, k, body, token)
}

func (c *Client) send(ctx context.Context, k call, body []byte, token string) (http.Header, error) {
	target := c.base + k.path
	if len(k.params) > 0 {
		target += "?" + k.params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if k.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	status, header, answer, err := c.roundTrip(req)
	if err != nil {
		return nil, err
	}
	if status/100 != 2 {
		return nil, refusalOf(status, header, answer)
	}
	if k.out == nil {
		return header, nil
	}
	if err := json.Unmarshal(answer, k.out); err != nil {
		return nil, fmt.Errorf("%s %s answered what cannot be read: %w", k.method, k.path, err)
	}
	return header, nil
}

// roundTrip sends one request and reads the whole answer. A server that cannot be reached is iam.Unavailable.
func (c *Client) roundTrip(req *http.Request) (status int, header http.Header, body []byte, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, &iam.Error{Kind: iam.Unavailable, Message: "The server at " + c.base + " cannot be reached.", Err: err}
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return 0, nil, nil, &iam.Error{Kind: iam.Unavailable, Message: "The server's answer broke off or is too large.", Err: err}
	}
	return resp.StatusCode, resp.Header, body, nil
}

// refusalOf turns an answer that is no success back into the registry's error.
func refusalOf(status int, header http.Header, answer []byte) error {
	var body Error
	if json.Unmarshal(answer, &body) != nil || body.Class == "" {
		return &iam.Error{Kind: kindOf(status, ""), Message: fmt.Sprintf("The server answered with status %d and not as this API does; is the address right?", status)}
	}
	e := &iam.Error{Kind: kindOf(status, body.Class), Message: body.Message}
	if reason := body.Details[because]; reason != "" {
		e.Message = reason
	}
	e.Code = strings.TrimPrefix(strings.TrimPrefix(body.Class, rowOf(e.Kind, status).class), "::")
	if id := header.Get("X-OVH-QueryID"); id != "" {
		e.Err = errors.New("request id " + id)
	}
	for name := range strings.SplitSeq(body.Details[byIAM], ",") {
		if name != "" {
			e.Actions = append(e.Actions, iam.Action(name))
		}
	}
	return e
}

// kindOf reads the table of answers backwards: by class, then by status. What we do not know is Unavailable if it is the
// server's fault or a later try may do, else Invalid.
func kindOf(status int, class string) iam.Kind {
	for _, r := range answers() {
		if r.kind != "" && (class == r.class || strings.HasPrefix(class, r.class+"::")) {
			return r.kind
		}
	}
	for _, r := range answers() {
		if r.kind != "" && r.status == status {
			return r.kind
		}
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return iam.Unavailable
	}
	return iam.Invalid
}

// bearer gives a management token other than refused, logging in if there is none that lasts.
func (c *Client) bearer(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.token != refused && c.now().Before(c.expires) {
		return c.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.secret}, "scope": {"all"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/auth/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, answer, err := c.roundTrip(req)
	if err != nil {
		return "", err
	}
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	unreadable := json.Unmarshal(answer, &got) != nil
	if status != http.StatusOK || unreadable || got.AccessToken == "" {
		return "", loginError(status, got.Code, got.Description)
	}
	c.token = got.AccessToken
	// Renewed a little early, so that a token does not run out between us and the server.
	c.expires = c.now().Add(time.Duration(got.ExpiresIn)*time.Second - 10*time.Second)
	return c.token, nil
}

func loginError(status int, code, description string) error {
	switch {
	case code == "invalid_client" || status == http.StatusUnauthorized:
		return &iam.Error{Kind: iam.Unauthenticated, Code: code, Message: "The client id or the secret is wrong, or the service account is disabled."}
	case code != "":
		return &iam.Error{Kind: kindOf(status, ""), Code: code, Message: strings.TrimSpace("The login was refused: " + code + ". " + description)}
	}
	return &iam.Error{Kind: kindOf(status, ""), Message: "The login was answered with status " + strconv.Itoa(status) + " and not as this API does; is the address right?"}
}
