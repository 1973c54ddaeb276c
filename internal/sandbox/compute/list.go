package compute

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// maxPage is the most items of one page, Nova's default max_limit.
const maxPage = 1000

func (s *Service) listServers(detail bool) handler {
	return func(w http.ResponseWriter, c *call) error {
		found, err := s.filterServers(c)
		if err != nil {
			return err
		}
		page, err := rest.Paginate(found, c.URL.Query(), maxPage, func(v *server) string { return v.ID })
		if err != nil {
			return err
		}
		views := make([]map[string]any, 0, len(page.Items))
		for _, v := range page.Items {
			if detail {
				views = append(views, s.view(c, v))
			} else {
				views = append(views, map[string]any{"id": v.ID, "name": v.Name, "links": s.links(c, "/servers/"+v.ID)})
			}
		}
		answer := map[string]any{"servers": views}
		if page.More {
			path := "/servers"
			if detail {
				path += "/detail"
			}
			next := rest.NextURL(s.link(c, path), c.URL.Query(), page.Items[len(page.Items)-1].ID)
			answer["servers_links"] = []map[string]string{{"rel": "next", "href": next}}
		}
		return rest.WriteJSON(w, c.Request, http.StatusOK, answer)
	}
}

// filterServers gives the project's servers that the query wants, in its order.
func (s *Service) filterServers(c *call) ([]*server, error) {
	q := c.URL.Query()
	if v := q.Get("all_tenants"); v != "" {
		all, err := rest.ParseBool(v)
		if err != nil {
			return nil, rest.Errorf(http.StatusBadRequest, "Invalid input for query parameters all_tenants. Value: %s. '%s' is not a boolean", v, v)
		}
		if all {
			return nil, rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
		}
	}
	if slices.Contains(q["status"], "deleted") || slices.Contains(q["status"], "DELETED") {
		return nil, rest.Errorf(http.StatusForbidden, "Only administrators may list deleted instances")
	}
	found := s.serversOf(c.ProjectID)
	for name := range q {
		keep, err := s.filter(c, name, q)
		if err != nil {
			return nil, err
		}
		if keep != nil {
			found = slices.DeleteFunc(found, func(v *server) bool { return !keep(v) })
		}
	}
	return found, sortServers(found, q)
}

// filter gives what one query parameter wants; nil for those that filter nothing, such as an administrator's.
func (s *Service) filter(c *call, name string, q url.Values) (func(*server) bool, error) {
	want := q.Get(name)
	equals := func(get func(*server) string) func(*server) bool {
		return func(v *server) bool { return slices.Contains(q[name], get(v)) }
	}
	switch name {
	case "name":
		return s.matching(want, func(v *server) []string { return []string{v.Name} }), nil
	case "ip":
		return s.matching(want, func(v *server) []string { return s.addressesOf(v, 4) }), nil
	case "ip6":
		return s.matching(want, func(v *server) []string { return s.addressesOf(v, 6) }), nil
	case "status":
		return func(v *server) bool {
			return slices.ContainsFunc(q[name], func(w string) bool { return strings.EqualFold(w, v.status()) })
		}, nil
	case "image":
		return equals(func(v *server) string { return v.ImageID }), nil
	case "flavor":
		return equals(func(v *server) string { return v.Flavor.ID }), nil
	case "uuid":
		return equals(func(v *server) string { return v.ID }), nil
	case "user_id":
		return equals(func(v *server) string { return v.UserID }), nil
	case "key_name":
		return equals(func(v *server) string { return v.KeyName }), nil
	case "availability_zone":
		return equals(func(v *server) string { return v.Zone }), nil
	case "reservation_id":
		return equals(func(v *server) string { return v.Reservation }), nil
	case "vm_state":
		return equals(func(v *server) string { return string(v.State) }), nil
	case "locked":
		locked, err := rest.ParseBool(want)
		return func(v *server) bool { return v.Locked == locked }, err
	case "changes-since", "changes-before":
		return changed(name, want)
	}
	return tagFilter(c, name, want), nil
}

// matching filters by a regular expression, as Nova's database does; what is none is taken literally.
func (s *Service) matching(want string, get func(*server) []string) func(*server) bool {
	re, err := regexp.Compile(want)
	if err != nil {
		re = regexp.MustCompile(regexp.QuoteMeta(want))
	}
	return func(v *server) bool { return slices.ContainsFunc(get(v), re.MatchString) }
}

func (s *Service) addressesOf(v *server, version int) []string {
	var out []string
	for _, i := range s.c.Network.Interfaces(v.ID) {
		for _, a := range i.Addresses {
			if a.Version == version {
				out = append(out, a.Addr)
			}
		}
	}
	return out
}

func changed(name, want string) (func(*server) bool, error) {
	t, err := parseTime(want)
	if err != nil {
		return nil, rest.Errorf(http.StatusBadRequest, "Invalid input for query parameters %s. Value: %s. '%s' is not a 'date-time'", name, want, want)
	}
	if name == "changes-since" {
		return func(v *server) bool { return !v.Updated.Before(t) }, nil
	}
	return func(v *server) bool { return !v.Updated.After(t) }, nil
}

func parseTime(text string) (time.Time, error) {
	text = strings.ReplaceAll(text, " ", "+") // an unescaped + of the zone
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", text)
	}
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	return t, err
}

func tagFilter(c *call, name, want string) func(*server) bool {
	if c.version < 26 {
		return nil
	}
	tags := strings.Split(want, ",")
	has := func(v *server) func(string) bool { return func(t string) bool { return slices.Contains(v.Tags, t) } }
	all := func(v *server) bool {
		return !slices.ContainsFunc(tags, func(t string) bool { return !slices.Contains(v.Tags, t) })
	}
	switch name {
	case "tags":
		return all
	case "tags-any":
		return func(v *server) bool { return slices.ContainsFunc(tags, has(v)) }
	case "not-tags":
		return func(v *server) bool { return !all(v) }
	case "not-tags-any":
		return func(v *server) bool { return !slices.ContainsFunc(tags, has(v)) }
	}
	return nil
}

// sortServers orders by the query's sort_key, several of them from the last to the first.
func sortServers(found []*server, q url.Values) error {
	dirs := q["sort_dir"]
	for i, key := range slices.Backward(q["sort_key"]) {
		get, ok := map[string]func(*server) string{
			"display_name": func(v *server) string { return v.Name }, "name": func(v *server) string { return v.Name },
			"uuid": func(v *server) string { return v.ID }, "vm_state": func(v *server) string { return string(v.State) },
			"created_at": func(v *server) string { return v.Created.Format(time.RFC3339Nano) },
			"updated_at": func(v *server) string { return v.Updated.Format(time.RFC3339Nano) },
			"key_name":   func(v *server) string { return v.KeyName }, "image_ref": func(v *server) string { return v.ImageID },
			"launched_at": func(v *server) string { return v.Launched.Format(time.RFC3339Nano) },
		}[key]
		if !ok {
			continue // an attribute that all servers here share
		}
		desc := i >= len(dirs) || dirs[i] != "asc" // newest first unless told otherwise
		slices.SortStableFunc(found, func(a, b *server) int {
			if desc {
				a, b = b, a
			}
			return cmp.Compare(get(a), get(b))
		})
	}
	for _, d := range dirs {
		if d != "asc" && d != "desc" {
			return rest.Errorf(http.StatusBadRequest, "Unknown sort direction, must be 'desc' or 'asc'")
		}
	}
	return nil
}

func (s *Service) showServer(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	m := s.view(c, v)
	if c.version >= 71 {
		groups := []string{}
		if v.GroupID != "" {
			groups = append(groups, v.GroupID)
		}
		m["server_groups"] = groups
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"server": m})
}
