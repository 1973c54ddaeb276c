// Package doctor walks a login at a cloud and says what to change where it fails.
//
// Examine makes the requests that every client makes, and reports for each what was sent (never a secret), what came back and how long it
// took; then what the token is good for, and which tools can use the configuration as it is.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/stackgate/stackgate/serviceaccount"
)

// A Finding is something that is wrong, or will be for somebody.
type Finding struct {
	Fatal  bool   `json:"fatal"` // the login fails for it
	What   string `json:"what"`
	Change string `json:"change,omitempty"` // what to do about it
}

// A Step is one request.
type Step struct {
	Name   serviceaccount.Step `json:"name"`
	Method string              `json:"method"`
	URL    string              `json:"url"`
	Sent   string              `json:"sent"`
	Status int                 `json:"status"` // 0: no answer
	TookMS int64               `json:"took_ms"`
	Error  string              `json:"error,omitempty"`
}

// A Report is what there is to say about a configuration.
type Report struct {
	Cloud    string    `json:"cloud"`
	AuthType string    `json:"auth_type"`
	AuthURL  string    `json:"auth_url"`
	Files    []string  `json:"files,omitempty"`
	Steps    []Step    `json:"steps"`
	Token    *Token    `json:"token,omitempty"`
	Findings []Finding `json:"findings"`
	Tools    []Tool    `json:"tools"`
}

// A Token is what the login gave.
type Token struct {
	Project string   `json:"project"`
	Roles   []string `json:"roles"`
	LifeS   int64    `json:"life_s"`
	Regions []string `json:"regions"`
}

// Failed says whether there is a finding that is fatal.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Fatal })
}

func (r *Report) add(fatal bool, what, change string) {
	r.Findings = append(r.Findings, Finding{fatal, what, change})
}

// Examine logs in with c; bad is why c cannot be used, if so, and environ the variables that tools see beside it.
func Examine(ctx context.Context, c serviceaccount.Config, bad error, environ []string) *Report {
	r := &Report{Cloud: c.Name, AuthType: string(c.AuthType), AuthURL: c.AuthURL, Files: c.Files, Steps: []Step{}, Findings: []Finding{}, Tools: tools(c.AuthType)}
	for _, w := range c.Warnings {
		what, change, _ := strings.Cut(w, ". ")
		r.add(false, what, change)
	}
	r.environment(c, environ)
	if bad != nil {
		r.add(true, bad.Error(), "")
		r.Tools = []Tool{} // none can use it, or we do not know it
		return r
	}
	if c.Insecure {
		r.add(false, "the server's certificate is not verified (verify: false, insecure): anybody on the way can read the secret", "name its authority with cacert (OS_CACERT) instead")
	}
	var skew time.Duration
	c.Shared = nil
	c.Trace = func(x serviceaccount.Exchange) { // by the goroutine of the one login, before Token returns
		r.Steps = append(r.Steps, step(x))
		if !x.Date.IsZero() {
			skew = x.Date.Sub(x.Start.Add(x.Took / 2))
		}
	}
	l, err := serviceaccount.NewLogin(c)
	if err != nil {
		r.add(true, err.Error(), "")
		return r
	}
	t, err := l.Token(ctx)
	if skew.Abs() > time.Minute {
		r.add(false, fmt.Sprintf("this machine's clock and the cloud's are %v apart", skew.Abs().Round(time.Second)), "set the clock (chrony, timedatectl): tokens seem expired, or not valid yet")
	}
	if err != nil {
		r.add(true, short(err), change(c, err))
		return r
	}
	r.token(c, t)
	return r
}

// environment looks for variables that openstack lays over an entry of clouds.yaml.
func (r *Report) environment(c serviceaccount.Config, environ []string) {
	if !strings.HasPrefix(string(c.AuthType), "v3oidc") {
		return
	}
	if c.UserDomainID+c.UserDomainName != "" {
		r.noPython("user_domain_id and user_domain_name")
	}
	if len(c.Files) == 0 {
		return // the configuration is these variables, and warns itself
	}
	var set []string
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OS_USER_DOMAIN_") && value != "" {
			set = append(set, name)
		}
	}
	if len(set) > 0 {
		r.add(false, "openstack takes variables before an entry of clouds.yaml, and fails with "+strings.Join(set, " and ")+": \"unexpected keyword argument\"", "unset "+strings.Join(set, " "))
		r.noPython(strings.Join(set, " and "))
	}
}

// noPython says that openstack fails as long as these are there.
func (r *Report) noPython(names string) {
	r.Tools[0].Can, r.Tools[0].Use = false, "without "+names+" it can, or by stackgate exec"
}

func step(x serviceaccount.Exchange) Step {
	s := Step{Name: x.Step, Method: x.Method, URL: x.URL, Sent: x.Sent, Status: x.Status, TookMS: x.Took.Milliseconds()}
	if x.Err != nil {
		s.Error = short(x.Err)
	}
	return s
}

// noExplanation is the message of an error whose server said nothing.
const noExplanation = "no explanation"

// short is an error without the request, which stands above it.
func short(err error) string {
	e, ok := errors.AsType[*serviceaccount.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if text == noExplanation {
		text = fmt.Sprintf("%d %s, and %s", e.Status, http.StatusText(e.Status), noExplanation)
	}
	if e.Cause != nil {
		text = e.Cause.Error()
	}
	if e.RequestID != "" {
		text += " (request id " + e.RequestID + ")"
	}
	return text
}

// token looks at what the login gave.
func (r *Report) token(c serviceaccount.Config, t *serviceaccount.Token) {
	var v struct {
		Token struct {
			Project struct{ ID, Name string }
			Roles   []struct{ Name string }
		}
	}
	if err := json.Unmarshal(t.Body, &v); err != nil {
		r.add(true, "the token cannot be read: "+err.Error(), "")
		return
	}
	r.Token = &Token{Project: strings.TrimSpace(v.Token.Project.Name + " " + v.Token.Project.ID), Roles: []string{}, LifeS: int64(t.Left().Seconds()), Regions: regions(t.Catalog())}
	for _, role := range v.Token.Roles {
		r.Token.Roles = append(r.Token.Roles, role.Name)
	}
	if v.Token.Project.ID == "" {
		r.add(true, "the token is for no project, so that every service is out of reach", "set project_id (OS_PROJECT_ID)")
		return
	}
	if t.Left() < 10*time.Minute {
		r.add(false, fmt.Sprintf("tokens live for %v only: Python clients take one with less than two minutes left for expired, and log in again and again", t.Left().Round(time.Second)),
			"ask the operator for a longer life, or use stackgate exec, which renews in time")
	}
	r.region(c, t.Catalog())
}

// region says whether the catalog has what was asked for.
func (r *Report) region(c serviceaccount.Config, catalog *tokens.ServiceCatalog) {
	known := strings.Join(r.Token.Regions, ", ")
	switch {
	case len(r.Token.Regions) == 0:
		r.add(true, "the catalog is empty", "ask the operator: the project has no services")
	case c.Region == "" && len(r.Token.Regions) > 1:
		r.add(false, "no region is chosen, and tools take the first that comes", "set region_name (OS_REGION_NAME) to one of "+known)
	case c.Region != "" && !slices.Contains(r.Token.Regions, c.Region):
		r.add(true, fmt.Sprintf("the catalog has no region %q", c.Region), "set region_name (OS_REGION_NAME) to one of "+known+"; capitals count")
	case c.Region != "":
		r.endpoints(c, catalog)
	}
}

// endpoints says whether the region's services are there under the interface that was asked for.
func (r *Report) endpoints(c serviceaccount.Config, catalog *tokens.ServiceCatalog) {
	availability := string(c.EndpointOpts().Availability)
	here, missing := split(catalog, c.Region, availability)
	switch {
	case len(here) == 0:
		r.add(true, fmt.Sprintf("region %s has no %s endpoint of any service", c.Region, availability), "set interface (OS_INTERFACE) to public, or leave it out")
	case len(missing) > 0:
		r.add(false, fmt.Sprintf("region %s has no %s endpoint of %s, which the catalog has elsewhere", c.Region, availability, strings.Join(missing, ", ")),
			"nothing, unless you need them: then choose another region, or interface")
	}
}

func regions(catalog *tokens.ServiceCatalog) []string {
	list := []string{}
	for _, s := range catalog.Entries {
		for _, e := range s.Endpoints {
			for _, name := range []string{e.Region, e.RegionID} {
				if name != "" && !slices.Contains(list, name) {
					list = append(list, name)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// split tells the services that the catalog has here from the others.
func split(catalog *tokens.ServiceCatalog, region, availability string) (here, missing []string) {
	for _, s := range catalog.Entries {
		found := slices.ContainsFunc(s.Endpoints, func(e tokens.Endpoint) bool {
			return (e.Region == region || e.RegionID == region) && e.Interface == availability
		})
		switch {
		case s.Type == "identity":
		case found:
			here = append(here, s.Type)
		default:
			missing = append(missing, s.Type)
		}
	}
	return here, missing
}
