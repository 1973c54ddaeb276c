package network

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

func (s *Service) resourceRoutes(rt *rest.Router) {
	s.networks().routes(rt)
	s.subnets().routes(rt)
	s.ports().routes(rt)
	s.routers().routes(rt)
	s.floatingIPs().routes(rt)
	s.groups().routes(rt)
	s.rules().routes(rt)
	s.trunks().routes(rt)
	s.subnetPools().routes(rt)
	s.addressScopes().routes(rt)
	s.addressGroups().routes(rt)
	s.shares().routes(rt)
}

func (s *Service) infoRoutes(rt *rest.Router) {
	rt.Handle("GET /v2.0/extensions", s.extensions)
	rt.Handle("GET /v2.0/extensions/{alias}", s.extension)
	rt.Handle("GET /v2.0/quotas/{project}", s.showQuota)
	rt.Handle("GET /v2.0/quotas/{project}/default", s.showQuota)
	rt.Handle("GET /v2.0/quotas/{project}/details.json", s.quotaDetails)
	rt.Handle("GET /v2.0/quotas/{project}/details", s.quotaDetails)
	rt.Handle("GET /v2.0/availability_zones", s.zones)
	for _, none := range []string{"agents", "segments", "service-providers", "flavors"} {
		rt.Handle("GET /v2.0/"+none, empty(none))
	}
	rt.Handle("GET /v2.0/qos/policies", empty("policies"))
}

// empty answers a list of things that the sandbox has none of.
func empty(many string) rest.Handler {
	name := []byte(many)
	for i, c := range name {
		if c == '-' {
			name[i] = '_'
		}
	}
	return func(w http.ResponseWriter, r *rest.Request) error {
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{string(name): []any{}})
	}
}

type extension struct {
	Alias       string `json:"alias"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Updated     string `json:"updated"`
	Links       []any  `json:"links"`
}

// extensionList names what of Neutron's extensions is here; clients ask before they use one.
func extensionList() []extension {
	var out []extension
	for _, e := range [][3]string{
		{"address-group", "Address group", "Lists of ranges that rules of security groups name"},
		{"address-scope", "Address scope", "Pools whose addresses do not overlap"},
		{"allowed-address-pairs", "Allowed Address Pairs", "Lets a port send from further addresses"},
		{"availability_zone", "Availability Zone", "Where a resource lives"},
		{"dns-integration", "DNS Integration", "Names for ports and floating IPs"},
		{"expose-port-forwarding-in-fip", "Expose Port Forwarding In Fip", "A floating IP shows its port forwardings"},
		{"external-net", "Neutron external network", "Networks that lead outside"},
		{"extra_dhcp_opt", "Neutron Extra DHCP options", "DHCP options of a port"},
		{"extraroute", "Neutron Extra Route", "Static routes of a router"},
		{"extraroute-atomic", "Atomically add/remove extra routes", "Adds and removes single static routes"},
		{"fip-port-details", "Floating IP Port Details Extension", "The port behind a floating IP"},
		{"floating-ip-port-forwarding", "Floating IP Port Forwarding", "Single port numbers of a floating IP"},
		{"net-mtu", "Network MTU", "The MTU of a network"},
		{"net-mtu-writable", "Network MTU (writable)", "The MTU of a network can be chosen"},
		{"pagination", "Pagination support", "Lists in pages"},
		{"port-security", "Port Security", "Switches anti-spoofing of a port"},
		{"project-id", "project_id field enabled", "project_id beside tenant_id"},
		{"quota_details", "Quota details management support", "Quota with what is used"},
		{"quotas", "Quota management support", "How much a project may have"},
		{"rbac-address-group", "Add address group to RBAC", "Address groups for other projects"},
		{"rbac-policies", "RBAC Policies", "Objects for other projects"},
		{"rbac-security-groups", "Add security group type to network RBAC", "Security groups for other projects"},
		{"revisions", "Resource revision numbers", "Counts changes of a resource"},
		{"router", "Neutron L3 Router", "Routers and floating IPs"},
		{"security-group", "security-group", "Filters on ports"},
		{"security-groups-remote-address-group", "Remote address group id field for security group rules", "Rules that name an address group"},
		{"sorting", "Sorting support", "Lists in an order"},
		{"standard-attr-description", "standard-attr-description", "Descriptions of resources"},
		{"standard-attr-tag", "Tag support for resources with standard attribute", "Tags on resources"},
		{"standard-attr-timestamp", "Resource timestamps", "created_at and updated_at"},
		{"stateful-security-group", "Stateful security group", "Groups that do not track connections"},
		{"subnet_allocation", "Subnet Allocation", "Which addresses a subnet hands out, and pools that it is cut from"},
		{"trunk", "Trunk Extension", "Several networks over one port"},
	} {
		out = append(out, extension{e[0], e[1], e[2], "2024-01-01T00:00:00-00:00", []any{}})
	}
	return out
}

func (s *Service) extensions(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extensions": extensionList()})
}

func (s *Service) extension(w http.ResponseWriter, r *rest.Request) error {
	for _, e := range extensionList() {
		if e.Alias == r.Param("alias") {
			return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extension": e})
		}
	}
	return rest.TypedErrorf(http.StatusNotFound, "HTTPNotFound", "Extension with alias %s does not exist", r.Param("alias"))
}

func (s *Service) zones(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"availability_zones": []map[string]string{
		{"name": "nova", "resource": "network", "state": "available"}, {"name": "nova", "resource": "router", "state": "available"}}})
}

// limits is how much a project may have of each resource.
func limits() map[string]int {
	return map[string]int{"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "security_group": 10, "security_group_rule": 100,
		"rbac_policy": 10, "subnetpool": -1, "trunk": -1}
}

func (s *Service) used(project, kind string) int {
	switch kind {
	case "network":
		return count(s.state.Networks, project)
	case "subnet":
		return count(s.state.Subnets, project)
	case "port":
		return count(s.state.Ports, project)
	case "router":
		return count(s.state.Routers, project)
	case "floatingip":
		return count(s.state.FloatingIPs, project)
	case "security_group":
		return count(s.state.Groups, project)
	case "security_group_rule":
		return count(s.state.Rules, project)
	case "subnetpool":
		return count(s.state.Pools, project)
	case "trunk":
		return count(s.state.Trunks, project)
	case "rbac_policy":
		return count(s.state.Shares, project)
	}
	return 0
}

func count[T any, P interface {
	*T
	resource
}](m map[string]P, project string) int {
	n := 0
	for _, v := range m {
		if v.head().ProjectID == project {
			n++
		}
	}
	return n
}

// quota refuses one more of a kind when the project has its fill.
func (s *Service) quota(project, kind string) error {
	if s.used(project, kind) >= limits()[kind] {
		return rest.TypedErrorf(http.StatusConflict, "OverQuota", "Quota exceeded for resources: ['%s'].", kind)
	}
	return nil
}

func ownQuota(r *rest.Request) error {
	if r.Param("project") != r.ProjectID {
		return disallowed("get_quota")
	}
	return nil
}

func (s *Service) showQuota(w http.ResponseWriter, r *rest.Request) error {
	if err := ownQuota(r); err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"quota": limits()})
}

func (s *Service) quotaDetails(w http.ResponseWriter, r *rest.Request) error {
	if err := ownQuota(r); err != nil {
		return err
	}
	out := map[string]any{}
	for kind, limit := range limits() {
		out[kind] = map[string]int{"limit": limit, "used": s.used(r.ProjectID, kind), "reserved": 0}
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"quota": out})
}

// Tags: one list on every resource.

func (c *collection[T, P]) tags(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.find(r.ProjectID, c.id(r))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"tags": v.head().Tags})
}

func (c *collection[T, P]) setTags(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.findOwn(r.ProjectID, c.id(r), "update")
	if err != nil {
		return err
	}
	outer := map[string]jsontext.Value{}
	if err := rest.Read(w, r, &outer); err != nil {
		return err
	}
	var tags []string
	if err := web.Decode(outer["tags"], &tags, web.IgnoreUnknown); err != nil {
		return err
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	for _, t := range tags {
		if len(t) > 60 {
			return rest.Errorf(http.StatusBadRequest, "Invalid input for operation: '%s' exceeds maximum length of 60.", t)
		}
	}
	v.head().Tags = slices.Concat([]string{}, tags)
	c.s.touch(v.head())
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"tags": v.head().Tags})
}

func (c *collection[T, P]) clearTags(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.findOwn(r.ProjectID, c.id(r), "update")
	if err != nil {
		return err
	}
	v.head().Tags = []string{}
	c.s.touch(v.head())
	return rest.NoContent(w, r, http.StatusNoContent)
}

func (c *collection[T, P]) hasTag(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.find(r.ProjectID, c.id(r))
	if err == nil && !slices.Contains(v.head().Tags, r.Param("tag")) {
		err = tagNotFound(r.Param("tag"))
	}
	if err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

func tagNotFound(tag string) error {
	return rest.TypedErrorf(http.StatusNotFound, "TagNotFound", "Tag %s could not be found.", tag)
}

func (c *collection[T, P]) addTag(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.findOwn(r.ProjectID, c.id(r), "update")
	if err != nil {
		return err
	}
	if h := v.head(); !slices.Contains(h.Tags, r.Param("tag")) {
		h.Tags = append(slices.Clone(h.Tags), r.Param("tag"))
		c.s.touch(h)
	}
	return rest.NoContent(w, r, http.StatusCreated)
}

func (c *collection[T, P]) dropTag(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.findOwn(r.ProjectID, c.id(r), "update")
	if err != nil {
		return err
	}
	h := v.head()
	if !slices.Contains(h.Tags, r.Param("tag")) {
		return tagNotFound(r.Param("tag"))
	}
	h.Tags = slices.DeleteFunc(slices.Clone(h.Tags), func(t string) bool { return t == r.Param("tag") })
	c.s.touch(h)
	return rest.NoContent(w, r, http.StatusNoContent)
}
