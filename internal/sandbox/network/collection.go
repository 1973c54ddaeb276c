package network

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

// A resource is a stored object.
type resource interface{ head() *header }

// A collection is one kind of resource: its names, who sees what, and what a create, an update and a delete do.
// A nil create, update or remove means 405.
type collection[T any, P interface {
	*T
	resource
}] struct {
	s        *Service
	one      string // member in bodies: "security_group"
	many     string // "security_groups"
	path     string // "security-groups"
	kind     string // Neutron's name in exceptions: "SecurityGroup"
	notFound string // format of the 404's sentence, with one %s
	param    string // the path's parameter that is the object's id; "": id
	items    func() map[string]P
	// post and put are the members a client may send. Others that the resource has are read-only; the rest is unknown.
	post, put []string
	visible   func(project string, v P) bool // beside the owner
	create    func(project string, v P) error
	update    func(project string, old, changed P) error
	remove    func(v P) error
	defaults  func() T
	view      func(v P, m map[string]any) // adds computed members; may be nil
}

func (c *collection[T, P]) routes(rt *rest.Router) {
	rt.Handle("GET /v2.0/"+c.path, c.list)
	rt.Handle("GET /v2.0/"+c.path+"/{id}", c.show)
	if c.create != nil {
		rt.Handle("POST /v2.0/"+c.path, c.post1)
	}
	if c.update != nil {
		rt.Handle("PUT /v2.0/"+c.path+"/{id}", c.put1)
	}
	if c.remove != nil {
		rt.Handle("DELETE /v2.0/"+c.path+"/{id}", c.delete)
	}
	rt.Handle("GET /v2.0/"+c.path+"/{id}/tags", c.tags)
	rt.Handle("PUT /v2.0/"+c.path+"/{id}/tags", c.setTags)
	rt.Handle("DELETE /v2.0/"+c.path+"/{id}/tags", c.clearTags)
	rt.Handle("GET /v2.0/"+c.path+"/{id}/tags/{tag}", c.hasTag)
	rt.Handle("PUT /v2.0/"+c.path+"/{id}/tags/{tag}", c.addTag)
	rt.Handle("DELETE /v2.0/"+c.path+"/{id}/tags/{tag}", c.dropTag)
}

func (c *collection[T, P]) id(r *rest.Request) string { return r.Param(cmp.Or(c.param, "id")) }

func (c *collection[T, P]) sees(project string, v P) bool {
	return v.head().ProjectID == project || c.visible != nil && c.visible(project, v)
}

func (c *collection[T, P]) missing(id string) error {
	return rest.TypedErrorf(http.StatusNotFound, c.kind+"NotFound", c.notFound, id)
}

// find gives an object that the project sees.
func (c *collection[T, P]) find(project, id string) (P, error) {
	v, ok := c.items()[id]
	if !ok || !c.sees(project, v) {
		return nil, c.missing(id)
	}
	return v, nil
}

// findOwn gives an object that the project may change; what it only sees is 403, as Neutron's policy engine answers.
func (c *collection[T, P]) findOwn(project, id, verb string) (P, error) {
	v, err := c.find(project, id)
	if err == nil && v.head().ProjectID != project {
		return nil, disallowed(verb + "_" + c.one)
	}
	return v, err
}

func disallowed(rule string) error {
	return rest.TypedErrorf(http.StatusForbidden, "PolicyNotAuthorized", "rule:%s is disallowed by policy", rule)
}

// members gives v as the client sees it.
func (c *collection[T, P]) members(v P) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.one, err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", c.one, err)
	}
	for k := range m {
		if strings.HasPrefix(k, "x-") {
			delete(m, k)
		}
	}
	if c.view != nil {
		c.view(v, m)
	}
	return m, nil
}

func (c *collection[T, P]) list(w http.ResponseWriter, r *rest.Request) error {
	var all []P
	for _, v := range c.items() {
		if c.sees(r.ProjectID, v) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b P) int { return cmp.Compare(a.head().Seq, b.head().Seq) })
	views := make([]map[string]any, 0, len(all))
	for _, v := range all {
		m, err := c.members(v)
		if err != nil {
			return err
		}
		views = append(views, m)
	}
	q := r.URL.Query()
	views = filter(views, q)
	if err := sortBy(views, q["sort_key"], q["sort_dir"]); err != nil {
		return err
	}
	page, err := rest.Paginate(views, q, 0, func(m map[string]any) string { return m["id"].(string) })
	if err != nil {
		return err
	}
	answer := map[string]any{}
	if page.More {
		last := page.Items[len(page.Items)-1]["id"].(string)
		base := rest.ExternalURL(c.s.c.PublicURL, "/v2.0/"+c.path)
		answer[c.many+"_links"] = []map[string]string{{"rel": "next", "href": rest.NextURL(base, q, last)}}
	}
	answer[c.many] = pick(page.Items, q["fields"])
	return rest.WriteJSON(w, r, http.StatusOK, answer)
}

func (c *collection[T, P]) show(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.find(r.ProjectID, c.id(r))
	if err != nil {
		return err
	}
	return c.write(w, r, http.StatusOK, v)
}

func (c *collection[T, P]) write(w http.ResponseWriter, r *rest.Request, status int, v P) error {
	m, err := c.members(v)
	if err != nil {
		return err
	}
	m = pick([]map[string]any{m}, r.URL.Query()["fields"])[0]
	return rest.WriteJSON(w, r, status, map[string]any{c.one: m})
}

// body reads {"<one>": {…}} or, on a create, {"<many>": […]}; bulk says which it was.
func (c *collection[T, P]) body(w http.ResponseWriter, r *rest.Request) (objects []jsontext.Value, bulk bool, err error) {
	outer := map[string]jsontext.Value{}
	if err := rest.Read(w, r, &outer); err != nil {
		return nil, false, err
	}
	if one, ok := outer[c.one]; ok && len(outer) == 1 {
		return []jsontext.Value{one}, false, nil
	}
	if many, ok := outer[c.many]; ok && len(outer) == 1 {
		err := web.Decode(many, &objects, web.IgnoreUnknown)
		if err == nil && len(objects) == 0 {
			err = rest.Errorf(http.StatusBadRequest, "Resources required")
		}
		return objects, true, err
	}
	return nil, false, rest.Errorf(http.StatusBadRequest, "Unable to find '%s' in request body", c.one)
}

// decode reads one object's members over v, if all of them are among the allowed ones.
func (c *collection[T, P]) decode(r *rest.Request, raw jsontext.Value, v P, allowed []string, verb string) error {
	names := map[string]jsontext.Value{}
	if err := web.Decode(raw, &names, web.IgnoreUnknown); err != nil {
		return err
	}
	for _, name := range slices.Sorted(keys(names)) {
		if err := c.mayset(r, name, names[name], allowed, verb); err != nil {
			return err
		}
		if name == "tenant_id" || name == "project_id" {
			delete(names, name)
		}
	}
	b, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("encode members: %w", err)
	}
	return inputError(web.Decode(b, v, web.IgnoreUnknown))
}

// mayset judges one member of a create or update.
func (c *collection[T, P]) mayset(r *rest.Request, name string, value jsontext.Value, allowed []string, verb string) error {
	if name == "tenant_id" || name == "project_id" {
		if string(value) == `"`+r.ProjectID+`"` && verb == "create" {
			return nil
		}
		return disallowed(verb + "_" + c.one + ":" + name)
	}
	if slices.Contains(allowed, name) {
		return nil
	}
	if isAdminOnly(name) {
		return disallowed(verb + "_" + c.one + ":" + name)
	}
	m, err := c.members(new(T))
	if err != nil {
		return err
	}
	if _, known := m[name]; !known {
		return rest.Errorf(http.StatusBadRequest, "Unrecognized attribute(s) '%s'", name)
	}
	if verb == "create" {
		return rest.Errorf(http.StatusBadRequest, "Attribute '%s' not allowed in POST", name)
	}
	return rest.Errorf(http.StatusBadRequest, "Cannot update read-only attribute %s", name)
}

// isAdminOnly says which members only the cloud's administrator may send.
func isAdminOnly(name string) bool {
	switch name {
	case "shared", "router:external", "is_default", "segments", "binding:host_id", "binding:profile", "binding:vnic_type", "distributed", "ha",
		"segment_id", "service_types":
		return true
	}
	return strings.HasPrefix(name, "provider:")
}

func (c *collection[T, P]) post1(w http.ResponseWriter, r *rest.Request) error {
	objects, bulk, err := c.body(w, r)
	if err != nil {
		return err
	}
	var made []P
	for _, raw := range objects {
		v, err := c.make1(r, raw)
		if err != nil {
			for _, m := range made { // a bulk create is whole or not at all
				_ = c.remove(m) // nothing can use it yet
				delete(c.items(), m.head().ID)
			}
			return err
		}
		made = append(made, v)
	}
	if !bulk {
		return c.write(w, r, http.StatusCreated, made[0])
	}
	views := make([]map[string]any, 0, len(made))
	for _, v := range made {
		m, err := c.members(v)
		if err != nil {
			return err
		}
		views = append(views, m)
	}
	return rest.WriteJSON(w, r, http.StatusCreated, map[string]any{c.many: views})
}

func (c *collection[T, P]) make1(r *rest.Request, raw jsontext.Value) (P, error) {
	var v P = new(T)
	if c.defaults != nil {
		*v = c.defaults()
	}
	*v.head() = c.s.newHeader(r.ProjectID)
	if err := c.decode(r, raw, v, c.post, "create"); err != nil {
		return nil, err
	}
	if err := c.create(r.ProjectID, v); err != nil {
		return nil, err
	}
	c.items()[v.head().ID] = v
	return v, nil
}

func (c *collection[T, P]) put1(w http.ResponseWriter, r *rest.Request) error {
	old, err := c.findOwn(r.ProjectID, c.id(r), "update")
	if err != nil {
		return err
	}
	objects, bulk, err := c.body(w, r)
	if err != nil {
		return err
	}
	if bulk {
		return rest.Errorf(http.StatusBadRequest, "Unable to find '%s' in request body", c.one)
	}
	changed, err := c.clone(old)
	if err != nil {
		return err
	}
	if err := c.decode(r, objects[0], changed, c.put, "update"); err != nil {
		return err
	}
	if err := c.update(r.ProjectID, old, changed); err != nil {
		return err
	}
	*old = *changed
	c.s.touch(old.head())
	return c.write(w, r, http.StatusOK, old)
}

// clone copies v with everything it holds, so that a refused update leaves the original alone.
func (c *collection[T, P]) clone(v P) (P, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.one, err)
	}
	var n P = new(T)
	return n, json.Unmarshal(b, n)
}

func (c *collection[T, P]) delete(w http.ResponseWriter, r *rest.Request) error {
	v, err := c.findOwn(r.ProjectID, c.id(r), "delete")
	if err != nil {
		return err
	}
	if err := c.remove(v); err != nil {
		return err
	}
	delete(c.items(), v.head().ID)
	return rest.NoContent(w, r, http.StatusNoContent)
}
