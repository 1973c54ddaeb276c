package cloud

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// roles refuses a token by the names of its roles. Names are the cloud's own; these are those that sound like more than a member's.
func (a Accept) roles(names []string) error {
	if a.Administrator {
		return nil
	}
	for _, name := range names {
		if slices.Contains(a.Roles, name) {
			continue
		}
		if s := strings.ToLower(name); strings.Contains(s, "admin") || s == "service" {
			return fmt.Errorf("%w: it has the role %q. Use one with the role member. If that role is harmless in this cloud, say accept: {roles: [%s]}",
				ErrAdministrator, name, name)
		}
	}
	return nil
}

// probes are reads that services let administrators alone make, by service. A member is refused, or is shown nothing.
var probes = map[string]func(context.Context, *Cloud, *Endpoint, string, string) (bool, error){
	"compute": reads(func(string) string { return "/v2.1/os-services" }),
	"volume":  reads(func(project string) string { return "/v3/" + project + "/os-services" }),
	"image":   reads(func(string) string { return "/v2/tasks?limit=1" }),
	"network": agents,
	// The account of another project, which need not exist: whoever may look would be told so.
	"object-store": func(ctx context.Context, c *Cloud, e *Endpoint, _, token string) (bool, error) {
		status, err := c.ask(ctx, "HEAD", e.Root()+"/v1/AUTH_"+strings.Repeat("0", 32), token, nil)
		return status/100 == 2 || status == http.StatusNotFound, known(status, err)
	},
}

func reads(path func(project string) string) func(context.Context, *Cloud, *Endpoint, string, string) (bool, error) {
	return func(ctx context.Context, c *Cloud, e *Endpoint, project, token string) (bool, error) {
		status, err := c.ask(ctx, "GET", e.Root()+path(project), token, nil)
		return status/100 == 2, known(status, err)
	}
}

// agents asks Neutron for its agents. It refuses no list: it leaves out what one may not see. There may be none, in a cloud whose ports are
// another's business; so it is asked for the quotas of all projects too, a list that it does refuse.
func agents(ctx context.Context, c *Cloud, e *Endpoint, project, token string) (bool, error) {
	var list struct{ Agents []struct{ ID string } }
	status, err := c.ask(ctx, "GET", e.Root()+"/v2.0/agents?fields=id", token, &list)
	if err := known(status, err); err != nil || len(list.Agents) > 0 {
		return err == nil, err
	}
	return reads(func(string) string { return "/v2.0/quotas" })(ctx, c, e, project, token)
}

// known is an error where an answer says nothing.
func known(status int, err error) error {
	if err == nil && (status == http.StatusUnauthorized || status >= http.StatusInternalServerError && status != http.StatusNotImplemented) {
		return fmt.Errorf("it answered %d", status)
	}
	return err
}

// probeTime is how long a probe may take.
const probeTime = 10 * time.Second

// An attempt is something that is to succeed once, and that all wait for. Where it fails it is not made again for a moment.
type attempt struct {
	done   atomic.Bool
	mu     sync.Mutex // owns what follows
	failed error
	until  time.Time
}

const pause = 5 * time.Second

// make gives nil when f has succeeded. f does not end with the one who has begun it: others wait for it too.
func (a *attempt) make(ctx context.Context, f func(context.Context) error) error {
	if a.done.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done.Load() {
		return nil
	}
	if a.failed != nil && time.Now().Before(a.until) {
		return a.failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	err := f(ctx)
	a.done.Store(err == nil)
	a.failed, a.until = err, time.Now().Add(pause)
	return err
}

// proveBoth makes sure that the token of v can administer neither Keystone nor a service.
func (p *project) proveBoth(ctx context.Context, v *view, at place, e *served) error {
	if err := p.proveKeystone(ctx, v); err != nil || p.cloud.c.Accept.Administrator || e.proof.done.Load() {
		return err
	}
	return e.proof.make(ctx, func(ctx context.Context) error { return p.prove(ctx, v, at, e.Endpoint) })
}

func (p *project) proveKeystone(ctx context.Context, v *view) error {
	if p.cloud.c.Accept.Administrator || v.keystone.done.Load() {
		return nil
	}
	return v.keystone.make(ctx, func(ctx context.Context) error { return p.system(ctx, v) })
}

// prove makes sure that the token cannot administer a service.
func (p *project) prove(ctx context.Context, v *view, at place, e *Endpoint) error {
	probe := probes[at.service]
	if probe == nil || slices.Contains(p.cloud.c.Accept.Services, at.service) {
		return nil
	}
	administers, err := probe(ctx, p.cloud, e, v.project, string(v.token.ID))
	if err != nil {
		return fmt.Errorf("%w %s in %s: %w", ErrUnproven, at.service, at.region, err)
	}
	if administers {
		return fmt.Errorf("%w: %s in %s lets it read what is for administrators, at %s. Use one with the role member. If anybody may read that in "+
			"this cloud, say accept: {services: [%s]}", ErrAdministrator, at.service, at.region, e.Root(), at.service)
	}
	return nil
}

// system asks Keystone whether the credential administers the whole cloud, whatever the token is for, and whether the token lets it read what
// is for administrators. That Keystone has no such call is no proof of anything.
func (p *project) system(ctx context.Context, v *view) error {
	base := p.login.Config().AuthURL
	var scopes struct{ System []map[string]any }
	if _, err := p.cloud.ask(ctx, "GET", base+"/auth/system", string(v.token.ID), &scopes); err != nil {
		return fmt.Errorf("%w Keystone: %w", ErrUnproven, err)
	}
	if len(scopes.System) > 0 {
		return fmt.Errorf("%w: it has a role on the system", ErrAdministrator)
	}
	status, err := p.cloud.ask(ctx, "GET", base+"/services", string(v.token.ID), nil)
	if err != nil {
		return fmt.Errorf("%w Keystone: %w", ErrUnproven, err)
	}
	if status == http.StatusOK && !slices.Contains(p.cloud.c.Accept.Services, "identity") {
		return fmt.Errorf("%w: Keystone lets it read what is for administrators, at %s/services. Use one with the role member. If anybody may read that "+
			"in this cloud, say accept: {services: [identity]}", ErrAdministrator, base)
	}
	return nil
}
