package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A Target is an installation and a service account in it, by the names of the guide's variables.
type Target struct {
	AuthURL           string // OS_AUTH_URL, https://…/v3
	DiscoveryEndpoint string // OS_DISCOVERY_ENDPOINT
	IdentityProvider  string // OS_IDENTITY_PROVIDER
	Protocol          string // OS_PROTOCOL; "": openid
	ProjectID         string // OS_PROJECT_ID
	ClientID          string // OS_CLIENT_ID
	ClientSecret      string // OS_CLIENT_SECRET
	Region            string // OS_REGION_NAME
}

// FromEnvironment reads a Target from the guide's variables. lookup is os.LookupEnv.
func FromEnvironment(lookup func(string) (string, bool)) (Target, error) {
	var t Target
	var missing []string
	for _, v := range []struct {
		name string
		dst  *string
	}{
		{"OS_AUTH_URL", &t.AuthURL}, {"OS_DISCOVERY_ENDPOINT", &t.DiscoveryEndpoint}, {"OS_IDENTITY_PROVIDER", &t.IdentityProvider},
		{"OS_PROJECT_ID", &t.ProjectID}, {"OS_CLIENT_ID", &t.ClientID}, {"OS_CLIENT_SECRET", &t.ClientSecret}, {"OS_REGION_NAME", &t.Region},
	} {
		value, _ := lookup(v.name)
		if value == "" {
			missing = append(missing, v.name)
		}
		*v.dst = value
	}
	if len(missing) > 0 {
		return Target{}, fmt.Errorf("set %s, as the guide does and `stackgate openrc` prints", strings.Join(missing, ", "))
	}
	t.Protocol, _ = lookup("OS_PROTOCOL")
	return t, nil
}

func (t Target) authURL() string { return strings.TrimRight(t.AuthURL, "/") }

// The requests of a login, as keystoneauth sends them.

func (t Target) discover() request {
	return request{name: "discovery", method: http.MethodGet, url: t.DiscoveryEndpoint, want: http.StatusOK}
}

func (t Target) token(endpoint string) request {
	return request{name: "token", method: http.MethodPost, url: endpoint, want: http.StatusOK, basic: url.UserPassword(t.ClientID, t.ClientSecret),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, body: []byte("scope=openid+profile&grant_type=client_credentials")}
}

func (t Target) federate(idToken string) request {
	protocol := t.Protocol
	if protocol == "" {
		protocol = "openid"
	}
	address := t.authURL() + "/OS-FEDERATION/identity_providers/" + url.PathEscape(t.IdentityProvider) + "/protocols/" + url.PathEscape(protocol) + "/auth"
	return request{name: "federation", method: http.MethodPost, url: address, want: http.StatusCreated, discard: true,
		header: http.Header{"Authorization": {"Bearer " + idToken}}}
}

func (t Target) rescope(token string) request {
	type m map[string]any
	body, _ := json.Marshal(m{"auth": m{ // of strings only: cannot fail
		"identity": m{"methods": []string{"token"}, "token": m{"id": token}},
		"scope":    m{"project": m{"id": t.ProjectID}},
	}})
	return request{name: "rescope", method: http.MethodPost, url: t.authURL() + "/auth/tokens", want: http.StatusCreated, discard: true, body: body,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "X-Auth-Token": {token}}}
}

type discovery struct {
	TokenEndpoint string `json:"token_endpoint"`
}

type oidcTokens struct {
	IDToken string `json:"id_token"`
}

// unscoped logs in up to the unscoped token.
func (t Target) unscoped(ctx context.Context, c *Client) (string, error) {
	var d discovery
	if _, err := c.sendJSON(ctx, t.discover(), &d); err != nil {
		return "", err
	}
	var tokens oidcTokens
	if _, err := c.sendJSON(ctx, t.token(d.TokenEndpoint), &tokens); err != nil {
		return "", err
	}
	h, _, err := c.send(ctx, t.federate(tokens.IDToken))
	if err != nil {
		return "", err
	}
	return h.Get("X-Subject-Token"), nil
}

// login is all four requests.
func (t Target) login(ctx context.Context, c *Client) (token string, body []byte, err error) {
	unscoped, err := t.unscoped(ctx, c)
	if err != nil {
		return "", nil, err
	}
	q := t.rescope(unscoped)
	q.discard = false
	h, body, err := c.send(ctx, q)
	if err != nil {
		return "", nil, err
	}
	if token = h.Get("X-Subject-Token"); token == "" {
		return "", nil, errors.New("rescope: the answer has no X-Subject-Token")
	}
	return token, body, nil
}

// endpoint finds a service's public address in the catalog of a token.
func (t Target) endpoint(body []byte, service string) (string, error) {
	var b struct {
		Token struct {
			Catalog []struct {
				Type      string
				Endpoints []struct {
					Interface, Region, URL string
				}
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", errors.New("the token's body is not the JSON expected")
	}
	for _, s := range b.Token.Catalog {
		for _, e := range s.Endpoints {
			if s.Type == service && e.Interface == "public" && e.Region == t.Region {
				return strings.TrimRight(e.URL, "/"), nil
			}
		}
	}
	return "", fmt.Errorf("the catalog has no %s in region %s", service, t.Region)
}
