package image

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

const maxPage = 1000

func (s *Service) list(w http.ResponseWriter, r *rest.Request) error {
	q := r.URL.Query()
	keep, err := filters(q, r.ProjectID)
	if err != nil {
		return err
	}
	order, err := sorting(q)
	if err != nil {
		return err
	}
	all := s.visible(r.ProjectID, keep)
	slices.SortFunc(all, order)
	if q.Get("limit") == "0" {
		all = nil
	}
	page, err := rest.Paginate(all, pageQuery(q), maxPage, func(i *Image) string { return i.ID })
	if err != nil {
		return err
	}
	views := []any{}
	for _, img := range page.Items {
		views = append(views, img.view())
	}
	body := map[string]any{"images": views, "schema": "/v2/schemas/images", "first": link(q, "")}
	if page.More {
		body["next"] = link(q, page.Items[len(page.Items)-1].ID)
	}
	return rest.WriteJSON(w, r, http.StatusOK, body)
}

// pageQuery is the query with Glance's default page size.
func pageQuery(q url.Values) url.Values {
	if q.Get("limit") != "" {
		return q
	}
	p := url.Values{"limit": {"25"}}
	if m := q.Get("marker"); m != "" {
		p.Set("marker", m)
	}
	return p
}

// link is a page's address as Glance gives it: relative to the endpoint's root.
func link(q url.Values, marker string) string {
	next := url.Values{}
	for k, v := range q {
		if k != "marker" {
			next[k] = v
		}
	}
	if marker != "" {
		next.Set("marker", marker)
	}
	if len(next) == 0 {
		return "/v2/images"
	}
	return "/v2/images?" + next.Encode()
}

func (s *Service) visible(project string, keep []filter) []*Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Image
	for id := range s.images {
		img, ok := s.visibleLocked(project, id)
		if ok && !slices.ContainsFunc(keep, func(f filter) bool { return !f(img) }) {
			all = append(all, img)
		}
	}
	return all
}

type filter func(*Image) bool

// filters reads what a list is narrowed by. What is none of the list's own parameters is compared with the image's members and
// properties.
func filters(q url.Values, project string) ([]filter, error) {
	keep, err := sharing(q, project)
	if err != nil {
		return nil, err
	}
	hidden := strings.EqualFold(q.Get("os_hidden"), "true")
	keep = append(keep, func(i *Image) bool { return i.Hidden == hidden })
	for name, values := range q {
		for _, value := range values {
			f, err := filterBy(name, value)
			if err != nil {
				return nil, err
			}
			keep = append(keep, f)
		}
	}
	return keep, nil
}

func everything(*Image) bool { return true }

func filterBy(name, value string) (filter, error) {
	switch name {
	case "limit", "marker", "sort", "sort_key", "sort_dir", "visibility", "member_status", "os_hidden":
		return everything, nil
	case "tag":
		return func(i *Image) bool { return slices.Contains(i.Tags, value) }, nil
	case "size_min", "size_max":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return nil, invalid("Invalid value '%s' for parameter '%s'. Size value must be a non-negative integer.", value, name)
		}
		return func(i *Image) bool { return (i.Size >= n) == (name == "size_min") || i.Size == n }, nil
	case "created_at", "updated_at":
		return timeFilter(name, value)
	case "protected":
		if value != "true" && value != "false" {
			return nil, invalid("Invalid value '%s' for 'protected' filter. Valid values are 'true' or 'false'.", value)
		}
	}
	wanted := []string{value}
	if list, in := strings.CutPrefix(value, "in:"); in && slices.Contains([]string{"id", "name", "status", "container_format", "disk_format"}, name) {
		wanted = splitQuoted(list)
	}
	return func(i *Image) bool {
		has, ok := i.member(name)
		return ok && slices.Contains(wanted, has)
	}, nil
}

// splitQuoted splits at commas outside of quotes.
func splitQuoted(s string) []string {
	quoted := false
	parts := strings.FieldsFunc(s, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ',' && !quoted
	})
	for i, p := range parts {
		parts[i] = strings.Trim(p, `"`)
	}
	return parts
}

func timeFilter(name, value string) (filter, error) {
	op, when, ok := strings.Cut(value, ":")
	compare, known := map[string]func(int) bool{
		"gt": func(c int) bool { return c > 0 }, "gte": func(c int) bool { return c >= 0 }, "eq": func(c int) bool { return c == 0 },
		"neq": func(c int) bool { return c != 0 }, "lt": func(c int) bool { return c < 0 }, "lte": func(c int) bool { return c <= 0 },
	}[op]
	t, err := time.Parse(time.RFC3339, when)
	if !ok || !known || err != nil {
		return nil, invalid("Unable to filter by time: '%s' is not an operator and a time, such as gt:2024-06-03T09:00:00Z.", value)
	}
	return func(i *Image) bool {
		if name == "created_at" {
			return compare(i.CreatedAt.Compare(t))
		}
		return compare(i.UpdatedAt.Compare(t))
	}, nil
}

// sharing reads visibility and member_status. Without them a list has what is public, the project's own, and what it accepted.
func sharing(q url.Values, project string) ([]filter, error) {
	status := cmp.Or(q.Get("member_status"), "accepted")
	if !slices.Contains([]string{"pending", "accepted", "rejected", "all"}, status) {
		return nil, invalid("Invalid status: %s", status)
	}
	mine := func(i *Image) bool {
		m, member := i.Members[project]
		return i.Owner == project || i.Visibility != Shared || member && (status == "all" || m.Status == status)
	}
	switch v := Visibility(q.Get("visibility")); v {
	case "":
		return []filter{mine, func(i *Image) bool { return i.Visibility != Community || i.Owner == project }}, nil
	case "all":
		return []filter{mine}, nil
	case Public, Private, Shared, Community:
		return []filter{mine, func(i *Image) bool { return i.Visibility == v }}, nil
	default:
		return nil, invalid("Invalid visibility value: %s", v)
	}
}

// sorting reads either form of sort: sort=key:dir,… or sort_key and sort_dir, repeated. Ids break ties.
func sorting(q url.Values) (func(a, b *Image) int, error) {
	keys, dirs := q["sort_key"], q["sort_dir"]
	if both := q.Get("sort"); both != "" {
		if len(keys)+len(dirs) > 0 {
			return nil, invalid("Old and new sorting syntax cannot be combined")
		}
		keys, dirs = nil, nil
		for part := range strings.SplitSeq(both, ",") {
			key, dir, _ := strings.Cut(part, ":")
			keys, dirs = append(keys, strings.TrimSpace(key)), append(dirs, cmp.Or(strings.TrimSpace(dir), "desc"))
		}
	}
	if len(keys) == 0 {
		keys = []string{"created_at"}
	}
	var order []func(a, b *Image) int
	for n, key := range keys {
		dir := "desc"
		if len(dirs) > 0 {
			dir = dirs[min(n, len(dirs)-1)]
		}
		by, err := compareBy(key, dir)
		if err != nil {
			return nil, err
		}
		order = append(order, by)
	}
	return func(a, b *Image) int {
		for _, by := range order {
			if c := by(a, b); c != 0 {
				return c
			}
		}
		return cmp.Compare(b.ID, a.ID)
	}, nil
}

func compareBy(key, dir string) (func(a, b *Image) int, error) {
	sign := map[string]int{"asc": 1, "desc": -1}[dir]
	if sign == 0 {
		return nil, invalid("Invalid sort direction: %s", dir)
	}
	switch key {
	case "created_at":
		return func(a, b *Image) int { return sign * a.CreatedAt.Compare(b.CreatedAt) }, nil
	case "updated_at":
		return func(a, b *Image) int { return sign * a.UpdatedAt.Compare(b.UpdatedAt) }, nil
	case "size":
		return func(a, b *Image) int { return sign * cmp.Compare(a.Size, b.Size) }, nil
	case "name", "status", "container_format", "disk_format", "id":
		return func(a, b *Image) int {
			x, _ := a.member(key)
			y, _ := b.member(key)
			return sign * cmp.Compare(x, y)
		}, nil
	}
	return nil, invalid("Invalid sort key: %s. It must be one of the following: name, status, container_format, disk_format, size, id, "+
		"created_at, updated_at.", key)
}

// member gives one of the image's members, or properties, as text.
func (i *Image) member(name string) (string, bool) {
	switch name {
	case "id":
		return i.ID, true
	case "name":
		return i.Name, true
	case "status":
		return string(i.Status), true
	case "owner":
		return i.Owner, true
	case "container_format":
		return i.ContainerFormat, true
	case "disk_format":
		return i.DiskFormat, true
	case "checksum":
		return i.Checksum, true
	case "os_hash_value":
		return i.Hash, true
	case "os_hash_algo":
		return "sha512", i.hasData()
	case "min_disk":
		return strconv.Itoa(i.MinDisk), true
	case "min_ram":
		return strconv.Itoa(i.MinRAM), true
	case "protected":
		return strconv.FormatBool(i.Protected), true
	}
	v, ok := i.Properties[name]
	return v, ok
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// view is the image as the API shows it: its properties stand beside its own members.
func (i *Image) view() map[string]any {
	v := map[string]any{}
	for name, value := range i.Properties {
		v[name] = value
	}
	v["id"], v["name"], v["status"], v["visibility"] = i.ID, orNull(i.Name), i.Status, i.Visibility
	v["owner"], v["protected"], v["os_hidden"] = orNull(i.Owner), i.Protected, i.Hidden
	v["container_format"], v["disk_format"] = orNull(i.ContainerFormat), orNull(i.DiskFormat)
	v["min_disk"], v["min_ram"] = i.MinDisk, i.MinRAM
	v["size"], v["virtual_size"], v["checksum"], v["os_hash_algo"], v["os_hash_value"] = nil, nil, nil, nil, nil
	if i.hasData() {
		v["size"], v["checksum"], v["os_hash_algo"], v["os_hash_value"] = i.Size, i.Checksum, "sha512", i.Hash
		v["stores"] = storeName
	}
	v["tags"] = append([]string{}, i.Tags...)
	v["created_at"], v["updated_at"] = rest.Time(i.CreatedAt), rest.Time(i.UpdatedAt)
	v["self"], v["file"], v["schema"] = "/v2/images/"+i.ID, "/v2/images/"+i.ID+"/file", "/v2/schemas/image"
	return v
}
