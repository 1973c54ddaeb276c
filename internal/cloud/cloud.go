// Package cloud is a real OpenStack as we see it: its logins, catalog, regions; what the gateway forwards to.
//
// A Cloud is given a credential, or one for each project. It logs in once for each project and renews the token ahead of its end; the
// catalog in the token says where the services are. Before the first call of a project goes to a service, the Cloud makes sure that
// the credential cannot administer: no role says so, and the service refuses a read that is for administrators alone.
//
//	c, err := cloud.New(cloud.Config{Name: "ovh", Login: login, Public: public})
//	err = c.Open(ctx)
//	way, err := c.Way(ctx, project, "GRA1", "compute", true)
package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stackgate/stackgate/serviceaccount"
)

// Config is one cloud.
type Config struct {
	Name  string
	Login serviceaccount.Config // of every project that has none of its own
	// Projects are those that are served, each with its own login or with Login (nil). If there are none, all that Login sees are.
	Projects map[string]*serviceaccount.Config
	Regions  []string          // those that are served, as the cloud names them; nil: all of its catalog
	Rename   map[string]string // what regions are called here, where that differs
	Accept   Accept

	Public    func(region, service string) string // the root of a service as clients know it
	Identity  string                              // our Identity API as clients know it: https://stackgate.example/v3
	Plain     bool                                // services may be reached by plain HTTP beyond loopback
	Transport http.RoundTripper                   // to services and Keystone
	Logger    *slog.Logger                        // nil: slog.Default
	Changed   func()                              // optional: told when Regions or what is in them has changed
}

// Accept says what of a credential that looks like an administrator's is accepted all the same.
type Accept struct {
	Administrator bool     // everything
	Roles         []string // names of roles that are harmless, though they sound otherwise
	Services      []string // services that let anybody make the read that elsewhere is for administrators
}

// The kinds of errors of a Way.
var (
	ErrNotServed     = errors.New("it is not served")
	ErrAdministrator = errors.New("the credential can administer the cloud")
	ErrUnproven      = errors.New("it is not known whether the credential can administer")
)

// A Cloud is one OpenStack. It can be used by any number of goroutines.
type Cloud struct {
	c    Config
	http *http.Client // for what we ask ourselves
	wake chan struct{}

	mu       sync.Mutex
	projects map[string]*project
	places   map[place]bool // what is served anywhere in it, as far as it is known
}

// A place is a service in a region, both as they are called here.
type place struct{ region, service string }

// New checks the configuration. It makes no request.
func New(c Config) (*Cloud, error) {
	if c.Name == "" || c.Public == nil || c.Transport == nil {
		return nil, errors.New("cloud: Name, Public and Transport are required")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cloud := &Cloud{c: c, http: &http.Client{Transport: c.Transport, CheckRedirect: stay}, projects: map[string]*project{}, places: map[place]bool{},
		wake: make(chan struct{})}
	for id, login := range c.Projects {
		if err := cloud.add(id, login); err != nil {
			return nil, fmt.Errorf("cloud %s: project %s: %w", c.Name, id, err)
		}
	}
	if len(c.Projects) == 0 {
		if err := cloud.add("", nil); err != nil { // checks Login, and finds out which there are
			return nil, fmt.Errorf("cloud %s: %w", c.Name, err)
		}
	}
	return cloud, nil
}

// add begins to serve a project with a login of its own, or with that of the cloud.
func (c *Cloud) add(id string, own *serviceaccount.Config) error {
	login := c.c.Login
	if own != nil {
		login = *own
	}
	if id != "" && login.AuthType != serviceaccount.ApplicationCredential {
		login.ProjectID, login.ProjectName, login.DomainID, login.DomainName, login.TrustID, login.SystemScope = id, "", "", "", "", ""
	}
	login.Transport = c.c.Transport
	login.UserAgent = "stackgate"
	l, err := serviceaccount.NewLogin(login)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.projects[id] = &project{cloud: c, id: id, login: l}
	return nil
}

// Name is the cloud's name in the configuration.
func (c *Cloud) Name() string { return c.c.Name }

// Open logs in for every project, and has Keystone and every service refuse what is for administrators. An error will not be mended by trying
// again; away is what may be: it is tried again when it is needed.
func (c *Cloud) Open(ctx context.Context) (away, err error) {
	if err := c.discover(ctx); err != nil {
		return c.sort([]error{err})
	}
	var wg sync.WaitGroup
	list := c.list()
	errs := make([]error, len(list))
	turn := make(chan struct{}, atOnce)
	for i, p := range list {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := p.open(ctx); err != nil {
				errs[i] = fmt.Errorf("project %s: %w", p.id, err)
			}
		})
	}
	wg.Wait()
	away, err = c.sort(errs)
	if away == nil && err == nil {
		err = c.missing()
	}
	return away, err
}

// missing refuses a configuration by which nothing is served, or less than it says: a slip would look like a cloud that is away.
func (c *Cloud) missing() error {
	places := c.Places()
	if len(places) == 0 {
		return fmt.Errorf("cloud %s: no service of its catalog is served: 'stackgate doctor --config' shows why", c.c.Name)
	}
	for _, region := range c.c.Regions {
		if places[c.called(region)] == nil {
			return fmt.Errorf("cloud %s: regions: the catalog has no service in %q that is served", c.c.Name, region)
		}
	}
	return nil
}

// sort tells errors that may pass from those that will not.
func (c *Cloud) sort(errs []error) (away, err error) {
	for _, e := range errs {
		if e == nil {
			continue
		}
		e = fmt.Errorf("cloud %s: %w", c.c.Name, e)
		if mayPass(e) {
			away = errors.Join(away, e)
		} else {
			err = errors.Join(err, e)
		}
	}
	return away, err
}

func mayPass(err error) bool {
	if errors.Is(err, ErrAdministrator) {
		return false
	}
	for _, kind := range []error{serviceaccount.ErrUnavailable, serviceaccount.ErrRateLimited, ErrUnproven, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// atOnce is how many projects are looked at at the same time.
const atOnce = 8

// Run keeps looking for projects that have come, and for a cloud that could not be reached, until ctx ends.
func (c *Cloud) Run(ctx context.Context) {
	const often, seldom = 15 * time.Second, 10 * time.Minute
	wait := seldom
	if len(c.Places()) == 0 {
		wait = often
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.wake:
			wait = c.lookAgain(ctx, often, seldom)
		case <-time.After(wait):
			wait = c.lookAgain(ctx, often, seldom)
		}
	}
}

// lookAgain looks and says when to do so next.
func (c *Cloud) lookAgain(ctx context.Context, often, seldom time.Duration) time.Duration {
	err := c.look(ctx)
	if err == nil || ctx.Err() != nil {
		return seldom
	}
	c.c.Logger.Error("the cloud cannot be used", "cloud", c.c.Name, "error", err.Error())
	return often
}

// Wake has Run look now, because somebody has asked for what is not known yet. Failed logins are not repeated faster for that.
func (c *Cloud) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// look finds projects, and has a token of each.
func (c *Cloud) look(ctx context.Context) error {
	if err := c.discover(ctx); err != nil {
		return err
	}
	var errs []error
	for _, p := range c.list() {
		if err := p.open(ctx); err != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", p.id, err))
		}
	}
	return errors.Join(errs...)
}

// list gives the projects, sorted.
func (c *Cloud) list() []*project {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*project
	for _, id := range slices.Sorted(maps.Keys(c.projects)) {
		if id != "" {
			list = append(list, c.projects[id])
		}
	}
	return list
}

func (c *Cloud) project(id string) *project {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.projects[id]
}

// Projects are the ids of those that are served.
func (c *Cloud) Projects() []string {
	var ids []string
	for _, p := range c.list() {
		ids = append(ids, p.id)
	}
	return ids
}

// Serves reports whether a project is served.
func (c *Cloud) Serves(project string) bool { return project != "" && c.project(project) != nil }

// Places gives the services in each region, as far as they are known; both as they are called here.
func (c *Cloud) Places() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]string{}
	for p := range c.places {
		out[p.region] = append(out[p.region], p.service)
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// found notes what a catalog has.
func (c *Cloud) found(endpoints map[place]*served) {
	c.mu.Lock()
	changed := false
	for p := range endpoints {
		changed = changed || !c.places[p]
		c.places[p] = true
	}
	c.mu.Unlock()
	if changed {
		c.c.Changed()
	}
}

// A Way is where a call goes on, and as whom.
type Way struct {
	*Endpoint
	Token string                       // "": with no credential
	Renew func(context.Context) string // gives another token where this one was refused, or ""
}

// Way gives the way of a call about a project ("": about none) to a service, with the project's credential or with none.
func (c *Cloud) Way(ctx context.Context, id, region, service string, credential bool) (Way, error) {
	at := place{region, service}
	if !credential {
		return c.open(ctx, id, at)
	}
	p := c.project(id)
	if p == nil || id == "" {
		return Way{}, fmt.Errorf("project %s: %w in region %s", id, ErrNotServed, region)
	}
	v, err := p.view(ctx)
	if err != nil {
		return Way{}, err
	}
	e := v.endpoints[at]
	if e == nil {
		return Way{}, fmt.Errorf("service %s: %w in region %s", service, ErrNotServed, region)
	}
	if err := p.proveBoth(ctx, v, at, e); err != nil {
		return Way{}, err
	}
	return Way{e.Endpoint, string(v.token.ID), v.renew}, nil
}

// open is the way of a call that needs no credential. Any project's catalog has it, if the call is about none.
func (c *Cloud) open(ctx context.Context, id string, at place) (Way, error) {
	list := c.list()
	if id != "" {
		list = nil
		if p := c.project(id); p != nil {
			list = []*project{p}
		}
	}
	err := fmt.Errorf("service %s: %w in region %s", at.service, ErrNotServed, at.region)
	for _, p := range list {
		v := p.current.Load() // good enough: it tells an address, and is no credential
		if v == nil {
			var problem error
			if v, problem = p.view(ctx); problem != nil {
				err = problem
				continue
			}
		}
		if e := v.endpoints[at]; e != nil {
			return Way{Endpoint: e.Endpoint}, nil
		}
	}
	return Way{}, err
}
