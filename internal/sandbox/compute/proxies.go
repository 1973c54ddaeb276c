package compute

import (
	"net/http"

	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// proxyLimit is the last microversion that has Nova's proxies to Neutron.
const proxyLimit = 35

// proxyRoutes are the reads of Neutron's security groups through Nova: python-openstackclient 6.0 finds a group that way before it
// puts it on a server.
func (s *Service) proxyRoutes(on adder) {
	on("GET /os-security-groups", s.listSecurityGroups)
	on("GET /os-security-groups/{group}", s.showSecurityGroup)
}

func securityGroupView(project string, g network.Group) map[string]any {
	return map[string]any{"id": g.ID, "name": g.Name, "description": g.Description, "tenant_id": project, "rules": []any{}}
}

func (s *Service) listSecurityGroups(w http.ResponseWriter, c *call) error {
	if c.version > proxyLimit {
		return rest.Errorf(http.StatusNotFound, "The resource could not be found.")
	}
	views := []map[string]any{}
	for _, g := range s.c.Network.ProjectGroups(c.ProjectID) {
		views = append(views, securityGroupView(c.ProjectID, g))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"security_groups": views})
}

func (s *Service) showSecurityGroup(w http.ResponseWriter, c *call) error {
	for _, g := range s.c.Network.ProjectGroups(c.ProjectID) {
		if g.ID == c.Param("group") && c.version <= proxyLimit {
			return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"security_group": securityGroupView(c.ProjectID, g)})
		}
	}
	return rest.Errorf(http.StatusNotFound, "Security group %s not found.", c.Param("group"))
}
