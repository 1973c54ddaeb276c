package oidc

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	maxForm       = 16 << 10 // bytes of a token request
	maxBasic      = 2 << 10  // characters of an Authorization header
	maxCredential = 512      // characters of a client id or secret
)

// A form is a token request's parameters. Each is there once (RFC 6749 §3.2).
type form map[string]string

// readForm reads the parameters of a token request from its body, and from nowhere else.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("Parameters belong in the request's body, not in its URL, which gets logged")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return nil, &failure{http.StatusUnsupportedMediaType, "invalid_request", "A token request is sent as application/x-www-form-urlencoded, not compressed"}
	}
	body, err := web.ReadBody(w, r, maxForm)
	if err != nil {
		return nil, err
	}
	return parseForm(string(body))
}

// parseForm is stricter than net/url: a parameter that is there twice has two meanings, and is refused.
func parseForm(body string) (form, error) {
	f := form{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || strings.Contains(pair, ";") {
			return nil, invalidRequest("The request's body is not a valid form: percent-encode what is not a letter or digit")
		}
		if _, twice := f[name]; twice {
			return nil, invalidRequest("A parameter of the request appears twice")
		}
		f[name] = value
	}
	return f, nil
}

// Credentials are what a client presents.
type credentials struct{ id, secret string }

// presented gives the credentials of a request, most likely first: RFC 6749 §2.3.1 wants both parts of Basic percent-encoded, which
// Go's x/oauth2 does and Python's keystoneauth does not. No credentials at all are the same error as wrong ones.
func presented(h http.Header, f form) ([]credentials, error) {
	id, hasID := f["client_id"]
	secret, hasSecret := f["client_secret"]
	lines := h.Values("Authorization")
	switch {
	case len(lines) > 1:
		return nil, invalidRequest("The request has two Authorization headers")
	case len(lines) == 0 && hasSecret && id != "":
		return []credentials{{id, secret}}, nil
	case len(lines) == 0:
		return nil, errClient
	case hasSecret:
		return nil, invalidRequest("Client credentials come in the Authorization header or in the body, not in both")
	}
	all, err := parseBasic(lines[0])
	if err == nil && hasID && id != all[0].id && id != all[len(all)-1].id {
		return nil, invalidRequest("The Authorization header and the body name different clients")
	}
	return all, err
}

// parseBasic reads RFC 7617 credentials as sent and, where that differs, percent-decoded. Client ids have no colon, so the first one
// separates; what comes after it is bytes of no known encoding, as Python sends Latin-1.
func parseBasic(header string) ([]credentials, error) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, &failure{http.StatusUnauthorized, "invalid_client", "The Authorization header is not of the Basic scheme"}
	}
	if len(header) > maxBasic {
		return nil, errClient
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, found := strings.Cut(string(raw), ":")
	if err != nil || !found {
		return nil, invalidRequest("The Authorization header is malformed: Basic, a space, and base64 of client id, colon and secret")
	}
	all := []credentials{{id, secret}}
	decodedID, err1 := url.QueryUnescape(id)
	decodedSecret, err2 := url.QueryUnescape(secret)
	if err1 == nil && err2 == nil && (decodedID != id || decodedSecret != secret) {
		all = append(all, credentials{decodedID, decodedSecret})
	}
	return all, nil
}

// known makes credentials fit for the registry. What no client can have been given becomes something that none has, so that the
// registry still does the work of a wrong secret, and a database never sees bytes that it would choke on.
func (c credentials) known() (iam.ClientID, string) {
	id := iam.ClientID(c.id)
	if !id.Valid() || !visible(c.secret) {
		return "none", "none"
	}
	return id, c.secret
}

func visible(s string) bool {
	return s != "" && len(s) <= maxCredential && !strings.ContainsFunc(s, func(c rune) bool { return c < '!' || c > '~' })
}
