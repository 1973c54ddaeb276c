package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stackgate/stackgate/internal/web"
	"github.com/stackgate/stackgate/serviceaccount"
)

// serve sends a request to its endpoint.
func (a *Agent) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Openstack-Request-Id", web.RequestID(r))
	w.Header().Set("Vary", "X-Auth-Token")
	if !a.forUs(r) {
		return refusal(http.StatusForbidden, "This is stackgate's agent on %s, and the request was for another host.", a.c.URL)
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := strings.TrimRight(r.URL.Path, "/"); {
	case path == "" && read:
		return web.WriteJSON(w, http.StatusMultipleChoices, map[string]any{"versions": map[string]any{"values": []any{a.version()}}})
	case path == "/v3" && read:
		return web.WriteJSON(w, http.StatusOK, map[string]any{"version": a.version()})
	case path == "/v3/auth/tokens" && r.Method == http.MethodPost:
		return a.login(w, r)
	case path == "/v3/auth/tokens" && r.Method == http.MethodDelete:
		return refusal(http.StatusForbidden, "The token is shared by everything that stackgate's agent serves, and is not revoked.")
	case path == "/v3/auth/tokens" && read:
		return a.validate(w, r)
	case path == "/v3/auth/catalog" && read:
		return a.catalog(w, r)
	case strings.HasPrefix(path, "/v3/") && read && !strings.Contains(path, ".."):
		return a.pass(w, r)
	}
	return refusal(http.StatusNotFound, "stackgate's agent only logs in and reads. The cloud's Identity service is in the catalog.")
}

// forUs keeps out what a browser sends here in the name of another host.
func (a *Agent) forUs(r *http.Request) bool {
	u, err := url.Parse(a.c.URL)
	return a.c.AnyHost || err == nil && (r.Host == u.Host || r.Host == "localhost:"+u.Port())
}

// version is what keystoneauth and gophercloud want to know before they log in.
func (a *Agent) version() any {
	return map[string]any{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []any{map[string]string{"rel": "self", "href": a.c.URL + "/v3/"}},
		"media-types": []any{map[string]string{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
}

func (a *Agent) login(w http.ResponseWriter, r *http.Request) error {
	body, err := web.ReadBody(w, r, 64<<10)
	if err != nil {
		return err
	}
	var v authRequest
	if err := web.Decode(body, &v, web.IgnoreUnknown); err != nil {
		return err
	}
	if err := a.authenticate(v.Auth.Identity); err != nil {
		return err
	}
	t, err := a.token(r.Context())
	if err != nil {
		return err
	}
	if err := a.checkScope(v.Auth.Scope); err != nil {
		return err
	}
	return writeToken(w, r, http.StatusCreated, t)
}

// writeToken passes on what the cloud gave, as it gave it.
func writeToken(w http.ResponseWriter, r *http.Request, status int, t *serviceaccount.Token) error {
	body := []byte(t.Body)
	if r.URL.Query().Has("nocatalog") {
		var v map[string]map[string]json.RawMessage
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		delete(v["token"], "catalog")
		var err error
		if body, err = json.Marshal(v); err != nil {
			return err
		}
	}
	w.Header().Set("X-Subject-Token", string(t.ID))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// bearer gives the token that the client shows, if it is one of ours.
func (a *Agent) bearer(r *http.Request) (*serviceaccount.Token, error) {
	if t := a.known(r.Header.Get("X-Auth-Token")); t != nil {
		return t, nil
	}
	return nil, refusal(http.StatusUnauthorized, "The request you have made requires authentication.")
}

func (a *Agent) validate(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.bearer(r); err != nil {
		return err
	}
	t := a.known(r.Header.Get("X-Subject-Token"))
	if t == nil {
		return refusal(http.StatusNotFound, "Could not find token.")
	}
	return writeToken(w, r, http.StatusOK, t)
}

func (a *Agent) catalog(w http.ResponseWriter, r *http.Request) error {
	t, err := a.bearer(r)
	if err != nil {
		return err
	}
	var v struct {
		Token struct {
			Catalog json.RawMessage `json:"catalog"`
		} `json:"token"`
	}
	if err := json.Unmarshal(t.Body, &v); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"catalog": v.Token.Catalog, "links": map[string]any{"self": a.c.URL + "/v3/auth/catalog"}})
}

// pass reads from the cloud's own Keystone: projects, users and the like.
func (a *Agent) pass(w http.ResponseWriter, r *http.Request) error {
	t, err := a.bearer(r)
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(a.cloud.AuthURL, "/v3") + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", string(t.ID))
	req.Header.Set("Accept", "application/json")
	resp, err := a.c.Login.Transport().RoundTrip(req)
	if err != nil {
		web.EventOf(r.Context()).Err = err
		return refusal(http.StatusBadGateway, "The cloud's Identity service does not answer.")
	}
	defer func() { _ = resp.Body.Close() }()
	for _, name := range []string{"Content-Type", "X-Openstack-Request-Id"} {
		if s := resp.Header.Get(name); s != "" {
			w.Header().Set(name, s)
		}
	}
	w.WriteHeader(resp.StatusCode)
	_, err = io.Copy(w, resp.Body)
	return err
}
