package keystone

import (
	"errors"
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/web"
)

// tokenCatalog is GET /v3/auth/catalog: that of the token's project. An unscoped token has none.
func tokenCatalog(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	in, err := s.authenticate(r)
	if err != nil {
		return err
	}
	if in.token.Project == "" {
		return forbidden("an unscoped token has no catalog")
	}
	_, err = s.scopeOf(r.Context(), in, web.ClientAddr(r))
	if iam.KindOf(err) == iam.NotFound {
		return unauthorized("no role on the project any more")
	}
	if err != nil {
		return err
	}
	b := s.c.CatalogOf(in.token.Project).appendFor([]byte(`{"catalog":`), in.token.Project)
	b = appendString(append(b, `,"links":{"self":`...), s.c.PublicURL+"/v3/auth/catalog")
	send(w, http.StatusOK, append(b, "}}\n"...))
	return nil
}

// ownProjects lists the projects on which the caller has a role now, and no other.
func ownProjects(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	in, err := s.authenticate(r)
	if err != nil {
		return err
	}
	return s.sendProjects(w, r, in)
}

func (s *Server) sendProjects(w http.ResponseWriter, r *http.Request, in *session) error {
	list, err := s.reachable(r, in)
	if err != nil {
		return err
	}
	b := []byte(`{"projects":[`)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendProject(b, &list[i].Project)
	}
	send(w, http.StatusOK, s.appendLinks(append(b, ']'), r))
	return nil
}

// reachable lists the projects that the caller's token could lead to: those with a role now. A token of an application credential leads
// to its own project only, and sees no other (threat K10).
func (s *Server) reachable(r *http.Request, in *session) ([]registry.ProjectRights, error) {
	list, err := s.c.Registry.ProjectRights(r.Context(), in.account.ID, web.ClientAddr(r))
	if in.delegated() {
		list = slices.DeleteFunc(list, func(p registry.ProjectRights) bool { return p.Project.ID != in.token.Project })
	}
	return list, err
}

func (s *Server) appendProject(b []byte, p *iam.Project) []byte {
	b = appendString(append(b, `{"id":`...), string(p.ID))
	b = appendString(append(b, `,"name":`...), p.Name)
	b = appendString(append(b, `,"domain_id":"`+projectDomainID+`","description":`...), p.Description)
	b = append(b, `,"enabled":true,"parent_id":"`+projectDomainID+`","is_domain":false,"tags":[],"options":{},"links":{"self":`...)
	return append(appendString(b, s.c.PublicURL+"/v3/projects/"+string(p.ID)), "}}"...)
}

// appendLinks ends a list: it is whole, and this is its address.
func (s *Server) appendLinks(b []byte, r *http.Request) []byte {
	b = appendString(append(b, `,"links":{"next":null,"self":`...), s.c.PublicURL+r.URL.EscapedPath())
	return append(b, `,"previous":null}}`+"\n"...)
}

// sendEmpty answers a list that is always empty here.
func (s *Server) sendEmpty(w http.ResponseWriter, r *http.Request, name string) error {
	send(w, http.StatusOK, s.appendLinks([]byte(`{"`+name+`":[]`), r))
	return nil
}

// ownDomains lists the domains on which the caller has a role: none, ever.
func ownDomains(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	return s.sendEmpty(w, r, "domains")
}

// ownSystem says that nobody has a role on the system.
func ownSystem(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	return s.sendEmpty(w, r, "system")
}

// showProject shows a project on which the caller has a role. Any other, there or not, is refused alike.
func showProject(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.authenticate(r)
	if err != nil {
		return err
	}
	project, err := s.c.Registry.ProjectByID(r.Context(), in.account.ID, iam.ProjectID(p.segments[0]), web.ClientAddr(r))
	if errors.Is(err, iam.NotFound) || err == nil && in.delegated() && project.ID != in.token.Project {
		return policyRefusal(p)
	}
	if err != nil {
		return err
	}
	send(w, http.StatusOK, append(s.appendProject([]byte(`{"project":`), &project), "}\n"...))
	return nil
}

// self authenticates a call about the user of the path, who must be the caller.
func (s *Server) self(r *http.Request, p params) (*session, error) {
	in, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if p.segments[0] != UserID(in.account) {
		return nil, policyRefusal(p)
	}
	return in, nil
}

// showUser shows the caller.
func showUser(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.self(r, p)
	if err != nil {
		return err
	}
	b := append([]byte(`{"user":{"id":"`), p.segments[0]...)
	b = appendString(append(b, `","name":`...), string(in.account.ID))
	b = appendString(append(b, `,"domain_id":`...), in.provider.domainID)
	b = append(b, `,"enabled":true,"password_expires_at":null,"options":{},"federated":[{"idp_id":`...)
	b = appendString(b, in.provider.Name)
	b = appendString(append(b, `,"protocols":[{"protocol_id":"`+protocolID+`","unique_id":`...), string(in.account.ID))
	b = appendString(append(b, `}]}],"links":{"self":`...), s.c.PublicURL+"/v3/users/"+p.segments[0])
	send(w, http.StatusOK, append(b, "}}}\n"...))
	return nil
}

// userProjects lists the caller's projects.
func userProjects(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.self(r, p)
	if err != nil {
		return err
	}
	return s.sendProjects(w, r, in)
}

// userGroups lists the caller's groups: there are none in our Identity API.
func userGroups(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.self(r, p); err != nil {
		return err
	}
	return s.sendEmpty(w, r, "groups")
}

// listRegions lists the regions of the catalog, for anybody with a token as in Keystone.
func listRegions(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	b := []byte(`{"regions":[`)
	for i, id := range s.c.CatalogOf("").regions {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendRegion(b, id)
	}
	send(w, http.StatusOK, s.appendLinks(append(b, ']'), r))
	return nil
}

// showRegion shows one of them.
func showRegion(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	if !slices.Contains(s.c.CatalogOf("").regions, p.segments[0]) {
		return notFound("Could not find region: %s.", p.segments[0])
	}
	send(w, http.StatusOK, append(s.appendRegion([]byte(`{"region":`), p.segments[0]), "}\n"...))
	return nil
}

func (s *Server) appendRegion(b []byte, id string) []byte {
	b = appendString(append(b, `{"id":`...), id)
	b = append(b, `,"description":"","parent_region_id":null,"links":{"self":`...)
	return append(appendString(b, s.c.PublicURL+"/v3/regions/"+id), "}}"...)
}
