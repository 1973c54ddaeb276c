package cli

import "github.com/stackgate/stackgate/internal/server"

// A CatalogEntry is a service of one's own cloud that validates tokens here, as clients find it. The addresses may contain
// $(project_id)s, the project of the token, and no other template.
type CatalogEntry struct {
	Type      string          `yaml:"type"` // image, object-store, …; identity stands in place of the entry that is made of public_url
	Name      string          `yaml:"name"` // glance, swift, …
	Endpoints []EndpointEntry `yaml:"endpoints"`
}

// An EndpointEntry is where a service is in a region.
type EndpointEntry struct {
	Region      string `yaml:"region"`
	URL         string `yaml:"url"`
	InternalURL string `yaml:"internal_url"` // for other services; url
	AdminURL    string `yaml:"admin_url"`    // url
}

func (c *Config) catalog() []server.CatalogService {
	var list []server.CatalogService
	for _, e := range c.Catalog {
		s := server.CatalogService{Type: e.Type, Name: e.Name}
		for _, p := range e.Endpoints {
			s.Endpoints = append(s.Endpoints, server.CatalogEndpoint(p))
		}
		list = append(list, s)
	}
	return list
}
