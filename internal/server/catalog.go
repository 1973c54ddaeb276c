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

// catalog is what tokens list: identity in every region, what is behind the gateway, and the operator's own services. serves says
// which clouds are listed.
func (s *Server) catalog(n *scene, serves func(*realCloud) bool) []keystone.Service {
	regions := slices.DeleteFunc(slices.Clone(n.regions), func(region string) bool { return n.of[region] != nil && !serves(n.of[region]) })
	list := []keystone.Service{s.identityEntry(s.catalogRegions(regions))}
	list = append(list, s.behindTheGateway(n, regions)...)
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
func (s *Server) catalogRegions(behind []string) []string {
	regions := slices.Clone(behind)
	for _, c := range s.c.Catalog {
		for _, e := range c.Endpoints {
			if c.Type != "identity" {
				regions = append(regions, e.Region)
			}
		}
	}
	if len(regions) == 0 {
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

func (s *Server) behindTheGateway(n *scene, regions []string) (list []keystone.Service) {
	for _, v := range services {
		entry := keystone.Service{Type: v.typ, Name: v.name}
		for _, region := range regions {
			if n.behind[region][v.service] == nil {
				continue
			}
			path, _ := gateway.ServicePath(region, v.typ)
			entry.Endpoints = append(entry.Endpoints, keystone.Endpoint{Region: region, Interface: "public", URL: s.c.PublicURL + path})
		}
		if len(entry.Endpoints) > 0 {
			list = append(list, entry)
		}
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
