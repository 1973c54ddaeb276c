package server

import (
	"slices"

	"github.com/stackgate/stackgate/internal/gateway"
	"github.com/stackgate/stackgate/internal/keystone"
)

// A CatalogService is a service of the operator's own that tokens list, which validates them with us. One of type identity stands in
// place of the entry that we make for ourselves.
type CatalogService struct {
	Type, Name string // image, glance
	Endpoints  []CatalogEndpoint
}

// A CatalogEndpoint is where a service is in a region. The addresses may contain $(project_id)s.
type CatalogEndpoint struct {
	Region                string
	URL                   string // for everybody
	InternalURL, AdminURL string // for other services and for administrators; "": URL
}

// catalog is what tokens list: identity in every region, what is behind the gateway, and the operator's own services.
func (s *Server) catalog() []keystone.Service {
	if s.cloud != nil {
		s.regions = s.sortedRegions()
	}
	regions := s.catalogRegions()
	list := []keystone.Service{s.identityEntry(regions)}
	if s.cloud != nil {
		list = append(list, s.behindTheGateway()...)
	}
	for _, c := range s.c.Catalog {
		if c.Type == "identity" {
			list[0] = c.entry()
			continue
		}
		list = append(list, c.entry())
	}
	return list
}

// catalogRegions are those in which anything is; without a cloud there is still an identity service.
func (s *Server) catalogRegions() []string {
	regions := slices.Clone(s.regions)
	for _, c := range s.c.Catalog {
		for _, e := range c.Endpoints {
			if c.Type != "identity" {
				regions = append(regions, e.Region)
			}
		}
	}
	if regions == nil {
		return []string{"RegionOne"}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// identityEntry is ourselves, with an internal endpoint: keystonemiddleware asks for that one.
func (s *Server) identityEntry(regions []string) keystone.Service {
	c := CatalogService{Type: "identity", Name: "keystone"}
	for _, region := range regions {
		c.Endpoints = append(c.Endpoints, CatalogEndpoint{Region: region, URL: s.c.PublicURL + "/v3"})
	}
	return c.entry()
}

func (s *Server) behindTheGateway() (list []keystone.Service) {
	for _, v := range services {
		entry := keystone.Service{Type: v.typ, Name: v.name}
		for _, region := range s.regions {
			path, _ := gateway.ServicePath(region, v.typ)
			entry.Endpoints = append(entry.Endpoints, keystone.Endpoint{Region: region, Interface: "public", URL: s.c.PublicURL + path})
		}
		list = append(list, entry)
	}
	return list
}

// entry has the three addresses of each endpoint.
func (c *CatalogService) entry() keystone.Service {
	out := keystone.Service{Type: c.Type, Name: c.Name}
	for _, e := range c.Endpoints {
		for _, face := range []struct{ name, url string }{{"public", e.URL}, {"internal", e.InternalURL}, {"admin", e.AdminURL}} {
			if face.url == "" {
				face.url = e.URL
			}
			out.Endpoints = append(out.Endpoints, keystone.Endpoint{Region: e.Region, Interface: face.name, URL: face.url})
		}
	}
	return out
}
