package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stackgate/stackgate/serviceaccount"
)

// A project is one of the cloud's that is served.
type project struct {
	cloud   *Cloud
	id      string // "": whichever the credential is for
	login   *serviceaccount.Login
	current atomic.Pointer[view] // of the newest token

	mu     sync.Mutex
	proofs map[proof]*attempt // their keys are few: roles change seldom
}

// A proof is that somebody with these roles cannot administer a service, or ("") Keystone.
type proof struct {
	place
	roles string
}

// A view is what a token says. It is not changed once made.
type view struct {
	token     *serviceaccount.Token
	project   string
	roles     []string
	endpoints map[place]*served
	keystone  *attempt
	skipped   []string // endpoints that are not served, and why
	refused   error    // why the token is not used
	renew     func(context.Context) string
}

// A served is an endpoint, and the proof that the roles of the view cannot administer it.
type served struct {
	*Endpoint
	proof *attempt
}

// view gives what the project's token says, logging in if there is none.
func (p *project) view(ctx context.Context) (*view, error) {
	t, err := p.login.Token(ctx)
	if err != nil {
		return nil, err
	}
	v := p.current.Load()
	if v == nil || v.token != t {
		v = p.read(t)
		p.current.Store(v)
		p.cloud.found(v.endpoints)
	}
	return v, v.refused
}

// read reads a token.
func (p *project) read(t *serviceaccount.Token) *view {
	v := &view{token: t}
	v.renew = func(ctx context.Context) string { return p.renew(ctx, t) }
	var body struct {
		Token struct {
			Project struct{ ID string }     `json:"project"`
			Roles   []struct{ Name string } `json:"roles"`
		} `json:"token"`
	}
	if err := json.Unmarshal(t.Body, &body); err != nil {
		v.refused = fmt.Errorf("the token cannot be read: %w", err)
		return v
	}
	for _, r := range body.Token.Roles {
		v.roles = append(v.roles, r.Name)
	}
	slices.Sort(v.roles)
	v.project = body.Token.Project.ID
	switch {
	case v.project == "":
		v.refused = errors.New("the login gives a token for no project: say which projects are served, or a project in the credential's entry")
	case p.id != "" && v.project != p.id:
		v.refused = fmt.Errorf("the login is for project %s", v.project)
	default:
		v.refused = p.cloud.c.Accept.roles(v.roles)
	}
	if v.refused == nil {
		p.serve(v)
	}
	return v
}

// serve finds what the catalog of a token has.
func (p *project) serve(v *view) {
	roles := strings.Join(v.roles, ",")
	found, skipped := p.cloud.endpoints(v.project, p.login.Config().AuthURL, v.token.Catalog())
	v.endpoints, v.skipped, v.keystone = map[place]*served{}, skipped, p.attempt(proof{roles: roles})
	for at, e := range found {
		v.endpoints[at] = &served{e, p.attempt(proof{at, roles})}
	}
}

func (p *project) attempt(key proof) *attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs == nil {
		p.proofs = map[proof]*attempt{}
	}
	if p.proofs[key] == nil {
		p.proofs[key] = &attempt{}
	}
	return p.proofs[key]
}

// renew gives a token in place of one that a service has refused.
func (p *project) renew(ctx context.Context, refused *serviceaccount.Token) string {
	p.login.Reject(refused.ID)
	v, err := p.view(ctx)
	if err != nil || v.token.ID == refused.ID {
		return ""
	}
	return string(v.token.ID)
}

// open logs in and asks Keystone and every service.
func (p *project) open(ctx context.Context) error {
	v, err := p.view(ctx)
	if err != nil {
		return err
	}
	if err := p.proveKeystone(ctx, v); err != nil {
		return err
	}
	var errs []error
	for at, e := range v.endpoints {
		errs = append(errs, p.proveBoth(ctx, v, at, e))
	}
	return errors.Join(errs...)
}

// discover finds out which projects the cloud's credential sees, where none are listed, and begins to serve those that are new.
func (c *Cloud) discover(ctx context.Context) error {
	p := c.project("")
	if p == nil {
		return nil
	}
	t, err := p.login.Token(ctx)
	if err != nil {
		return err
	}
	ids, err := c.visible(ctx, p.login.Config(), t)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if c.project(id) == nil {
			if err := c.add(id, nil); err != nil {
				return err
			}
		}
	}
	c.forget(ids)
	return nil
}

// forget ends the service of projects that the credential sees no more.
func (c *Cloud) forget(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.projects {
		if id != "" && !slices.Contains(ids, id) {
			delete(c.projects, id)
		}
	}
}

// visible lists the projects of a credential. An application credential has its own and no other.
func (c *Cloud) visible(ctx context.Context, login serviceaccount.Config, t *serviceaccount.Token) ([]string, error) {
	var own struct {
		Token struct {
			Project struct{ ID string } `json:"project"`
		} `json:"token"`
	}
	if err := json.Unmarshal(t.Body, &own); err != nil {
		return nil, fmt.Errorf("the token cannot be read: %w", err)
	}
	if login.AuthType == serviceaccount.ApplicationCredential {
		return []string{own.Token.Project.ID}, nil
	}
	var list struct {
		Projects []struct {
			ID      string
			Enabled bool
		}
	}
	status, err := c.ask(ctx, "GET", login.AuthURL+"/auth/projects", string(t.ID), &list)
	if err != nil {
		return nil, fmt.Errorf("list the projects that the credential sees: %w", err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("list the projects that the credential sees: %w: Keystone answered %d; list them in the configuration instead",
			serviceaccount.ErrProtocol, status)
	}
	var ids []string
	for _, p := range list.Projects {
		if p.Enabled {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("the credential sees no project")
	}
	return ids, nil
}

// ask makes a request of our own and reads the JSON of a 200.
func (c *Cloud) ask(ctx context.Context, method, url, token string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "stackgate")
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", serviceaccount.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if into == nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusMultipleChoices {
		return resp.StatusCode, nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return resp.StatusCode, fmt.Errorf("%s %s: the answer cannot be read: %w", method, url, err)
	}
	return resp.StatusCode, nil
}

// maxAnswer bounds what is read of an answer to ourselves.
const maxAnswer = 16 << 20
