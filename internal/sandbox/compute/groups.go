package compute

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A serverGroup says which servers to keep together or apart.
type serverGroup struct {
	ID, Name, ProjectID, UserID, Policy string
	MaxPerHost                          int // servers on one host; 0: no rule
	Seq                                 int
	Members                             []string
}

func (g *serverGroup) drop(id string) {
	g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == id })
}

func groupView(c *call, g *serverGroup) map[string]any {
	m := map[string]any{"id": g.ID, "name": g.Name, "members": append([]string{}, g.Members...)}
	if c.version >= 64 {
		rules := map[string]any{}
		if g.MaxPerHost > 0 {
			rules["max_server_per_host"] = g.MaxPerHost
		}
		m["policy"], m["rules"] = g.Policy, rules
	} else {
		m["policies"], m["metadata"] = []string{g.Policy}, map[string]any{}
	}
	if c.version >= 13 {
		m["project_id"], m["user_id"] = g.ProjectID, g.UserID
	}
	return m
}

func (s *Service) listGroups(w http.ResponseWriter, c *call) error {
	var all []*serverGroup
	for _, g := range s.state.Groups {
		if g.ProjectID == c.ProjectID {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *serverGroup) int { return cmp.Compare(a.Seq, b.Seq) })
	views := []map[string]any{}
	for _, g := range all {
		views = append(views, groupView(c, g))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"server_groups": views})
}

func (s *Service) findGroup(c *call, id string) (*serverGroup, error) {
	g := s.state.Groups[id]
	if g == nil || g.ProjectID != c.ProjectID {
		return nil, rest.Errorf(http.StatusNotFound, "Instance group %s could not be found.", id)
	}
	return g, nil
}

func (s *Service) showGroup(w http.ResponseWriter, c *call) error {
	g, err := s.findGroup(c, c.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"server_group": groupView(c, g)})
}

func (s *Service) deleteGroup(w http.ResponseWriter, c *call) error {
	g, err := s.findGroup(c, c.Param("id"))
	if err != nil {
		return err
	}
	delete(s.state.Groups, g.ID)
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}

func (s *Service) createGroup(w http.ResponseWriter, c *call) error {
	var body struct {
		Group *struct {
			Name     string   `json:"name"`
			Policy   string   `json:"policy"`
			Policies []string `json:"policies"`
			Rules    struct {
				MaxPerHost rest.Int `json:"max_server_per_host"`
			} `json:"rules"`
		} `json:"server_group"`
	}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return err
	}
	in := body.Group
	if in == nil || in.Name == "" {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute server_group. 'name' is a required property")
	}
	policy := in.Policy
	if c.version < 64 && len(in.Policies) == 1 {
		policy = in.Policies[0]
	}
	if !slices.Contains([]string{"anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"}, policy) {
		return invalidField("policy", policy, "'"+policy+"' is not one of ['anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity']")
	}
	perHost := int(in.Rules.MaxPerHost)
	if perHost < 0 || perHost > 0 && (c.version < 64 || policy != "anti-affinity") {
		return rest.Errorf(http.StatusBadRequest, "Only anti-affinity policy supports rules.")
	}
	if err := s.roomFor(c.ProjectID, map[string]int{"server_groups": 1}); err != nil {
		return rest.Errorf(http.StatusForbidden, "Quota exceeded, too many server groups.")
	}
	g := &serverGroup{ID: rest.NewID(), Name: in.Name, ProjectID: c.ProjectID, UserID: c.UserID, Policy: policy, MaxPerHost: perHost, Seq: s.nextSeq()}
	s.state.Groups[g.ID] = g
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"server_group": groupView(c, g)})
}

// checkHints finds the server group that os:scheduler_hints names.
func (s *Service) checkHints(c *call, in *createRequest) error {
	id, _ := in.Hints["group"].(string)
	if id == "" {
		return nil
	}
	g, err := s.findGroup(c, id)
	if err != nil {
		return rest.Errorf(http.StatusBadRequest, "Instance group %s could not be found.", id)
	}
	if len(g.Members)+max(int(in.MinCount), 1) > s.quotas()["server_group_members"] {
		return rest.Errorf(http.StatusForbidden, "Quota exceeded, too many servers in group")
	}
	in.group = g
	return nil
}
