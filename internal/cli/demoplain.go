package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/api"
)

// mustPolicy reads a policy that is a constant of ours but for ids.
func mustPolicy(text string) (p api.Policy) {
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	return p
}

// plainOpenstack does with plain requests what the openstack command does for the two lists of the guide, and prints as it does.
func plainOpenstack(ctx context.Context, v access, args []string) (string, error) {
	p := plain{http: &http.Client{Timeout: 10 * time.Second}}
	token, catalog, err := p.login(ctx, v)
	if err != nil {
		return err.Error(), err
	}
	if args[0] == "container" {
		_, err := p.get(ctx, catalog["object-store"]+"?format=json", token, nil)
		return fmt.Sprint(err), err
	}
	out, err := p.serverList(ctx, catalog, token)
	if err != nil {
		return err.Error(), err
	}
	return out, nil
}

type plain struct{ http *http.Client }

// do sends a request and decodes the answer; a refusal reads as keystoneauth shows it.
func (p plain) do(req *http.Request, dst any) (http.Header, error) {
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFile))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s (HTTP %d) (Request-ID: %s)", http.StatusText(resp.StatusCode), resp.StatusCode, resp.Header.Get("X-Openstack-Request-Id"))
	}
	if dst == nil {
		return resp.Header, nil
	}
	return resp.Header, json.Unmarshal(body, dst)
}

func (p plain) get(ctx context.Context, url, token string, dst any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	return p.do(req, dst)
}

// login makes the four requests of v3oidcclientcredentials.
func (p plain) login(ctx context.Context, v access) (token string, catalog map[string]string, err error) {
	var discovery struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if _, err = p.get(ctx, v.Discovery(), "", &discovery); err != nil {
		return "", nil, err
	}
	idToken, err := p.idToken(ctx, discovery.TokenEndpoint, v)
	if err != nil {
		return "", nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		v.AuthURL()+"/OS-FEDERATION/identity_providers/"+v.Provider+"/protocols/openid/auth", nil)
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Authorization", "Bearer "+idToken)
	h, err := p.do(req, nil)
	if err != nil {
		return "", nil, err
	}
	return p.scope(ctx, v, h.Get("X-Subject-Token"))
}

func (p plain) idToken(ctx context.Context, endpoint string, v access) (string, error) {
	form := url.Values{"scope": {"openid profile"}, "grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(v.ClientID, v.Secret)
	var answer struct {
		IDToken string `json:"id_token"`
	}
	_, err = p.do(req, &answer)
	return answer.IDToken, err
}

func (p plain) scope(ctx context.Context, v access, unscoped string) (string, map[string]string, error) {
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["token"],"token":{"id":%q}},"scope":{"project":{"id":%q}}}}`, unscoped, v.Project)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.AuthURL()+"/auth/tokens", strings.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		Token struct {
			Catalog []struct {
				Type      string
				Endpoints []struct {
					Interface, Region string
					URL               string `json:"url"`
				}
			}
		}
	}
	h, err := p.do(req, &answer)
	if err != nil {
		return "", nil, err
	}
	catalog := map[string]string{}
	for _, s := range answer.Token.Catalog {
		for _, e := range s.Endpoints {
			if e.Interface == "public" && e.Region == v.Region {
				catalog[s.Type] = e.URL
			}
		}
	}
	return h.Get("X-Subject-Token"), catalog, nil
}

func (p plain) serverList(ctx context.Context, catalog map[string]string, token string) (string, error) {
	var servers struct {
		Servers []struct {
			ID, Name, Status string
			Addresses        map[string][]struct{ Addr string }
			Image, Flavor    struct{ ID string }
		}
	}
	var images struct{ Images []struct{ ID, Name string } }
	var flavors struct{ Flavors []struct{ ID, Name string } }
	_, err1 := p.get(ctx, catalog["compute"]+"/servers/detail", token, &servers)
	_, err2 := p.get(ctx, catalog["image"]+"/v2/images", token, &images)
	_, err3 := p.get(ctx, catalog["compute"]+"/flavors/detail", token, &flavors)
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	names := map[string]string{}
	for _, v := range append(images.Images, flavors.Flavors...) {
		names[v.ID] = v.Name
	}
	var out bytes.Buffer
	for _, s := range servers.Servers {
		var networks []string
		for name, list := range s.Addresses {
			var addrs []string
			for _, a := range list {
				addrs = append(addrs, a.Addr)
			}
			networks = append(networks, name+"="+strings.Join(addrs, ", "))
		}
		_, _ = fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", s.ID, s.Name, s.Status, strings.Join(networks, "; "), names[s.Image.ID], names[s.Flavor.ID])
	}
	return out.String(), nil
}
