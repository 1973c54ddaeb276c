package cloud

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// A Report is what a cloud is found to be. There is no secret in it.
type Report struct {
	Cloud    string          `json:"cloud"`
	Error    string          `json:"error,omitempty"` // why it cannot be used at all
	Projects []ProjectReport `json:"projects"`
}

// A ProjectReport is one of its projects.
type ProjectReport struct {
	ID       string          `json:"id"`
	Error    string          `json:"error,omitempty"` // why it cannot be used
	Roles    []string        `json:"roles"`
	Services []ServiceReport `json:"services"`
	Skipped  []string        `json:"skipped,omitempty"` // what the catalog has and is not served, and why
}

// A ServiceReport is a service in a region.
type ServiceReport struct {
	Region   string   `json:"region"`
	Service  string   `json:"service"`
	URL      string   `json:"url"`
	Versions []string `json:"versions,omitempty"`
	Error    string   `json:"error,omitempty"` // why it cannot be used
}

// Failed reports whether anything in it cannot be used.
func (r *Report) Failed() bool {
	return r.Error != "" || slices.ContainsFunc(r.Projects, func(p ProjectReport) bool {
		return p.Error != "" || slices.ContainsFunc(p.Services, func(s ServiceReport) bool { return s.Error != "" })
	})
}

// Inspect does what Open does, and tells all that it finds.
func (c *Cloud) Inspect(ctx context.Context) *Report {
	r := &Report{Cloud: c.c.Name}
	if err := c.discover(ctx); err != nil {
		r.Error = err.Error()
		return r
	}
	for _, p := range c.list() {
		r.Projects = append(r.Projects, p.inspect(ctx))
	}
	return r
}

func (p *project) inspect(ctx context.Context) ProjectReport {
	r := ProjectReport{ID: p.id}
	v, err := p.view(ctx)
	if v != nil {
		r.Roles, r.Skipped = v.roles, v.skipped
	}
	if err == nil {
		err = p.proveKeystone(ctx, v)
	}
	if err != nil {
		r.Error = err.Error()
		return r
	}
	for at, e := range v.endpoints {
		s := ServiceReport{Region: at.region, Service: at.service, URL: e.Root(), Versions: p.cloud.versions(ctx, at.service, e.Endpoint)}
		if err := p.proveBoth(ctx, v, at, e); err != nil {
			s.Error = err.Error()
		}
		r.Services = append(r.Services, s)
	}
	slices.SortFunc(r.Services, func(a, b ServiceReport) int { return strings.Compare(a.Region+" "+a.Service, b.Region+" "+b.Service) })
	return r
}

// versions asks a service, without a credential, which it has. Not all say so.
func (c *Cloud) versions(ctx context.Context, service string, e *Endpoint) (list []string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if service == "object-store" {
		var info struct{ Swift struct{ Version string } }
		if _, err := c.ask(ctx, "GET", e.Root()+"/info", "", &info); err == nil && info.Swift.Version != "" {
			list = append(list, info.Swift.Version)
		}
		return list
	}
	var document struct{ Versions json.RawMessage }
	if _, err := c.ask(ctx, "GET", e.Root()+"/", "", &document); err != nil {
		return nil
	}
	var versions []struct{ ID, Status, Version string }
	_ = json.Unmarshal(document.Versions, &versions) // what is not a list is not understood, and is not needed either
	for _, v := range versions {
		switch {
		case v.Version != "":
			list = append(list, v.ID+" up to "+v.Version)
		case v.Status == "CURRENT":
			list = append(list, v.ID)
		}
	}
	return list
}
