package volume

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

const maxPage = 1000

// An item is a volume, snapshot or backup on its way into a list.
type item struct {
	id       string
	created  time.Time
	fields   map[string]string // what it can be filtered and sorted by
	metadata map[string]string
	view     map[string]any
}

// writeList filters, sorts, pages and writes a list under the name of its collection. Lists without /detail are brief.
func (s *Service) writeList(w http.ResponseWriter, r *rest.Request, name string, items []item) error {
	q := r.URL.Query()
	items, err := narrowed(items, q)
	if err != nil {
		return err
	}
	order, err := sorting(q)
	if err != nil {
		return err
	}
	slices.SortFunc(items, order)
	count := len(items)
	if q.Get("limit") == "0" {
		items = nil
	}
	page, err := rest.Paginate(items, q, maxPage, func(i item) string { return i.id })
	if err != nil {
		return err
	}
	views := []any{}
	for _, i := range page.Items {
		if !strings.HasSuffix(r.URL.Path, "/detail") {
			i.view = map[string]any{"id": i.view["id"], "name": i.view["name"], "links": i.view["links"]}
		}
		views = append(views, i.view)
	}
	body := map[string]any{name: views}
	if page.More {
		next := rest.NextURL(rest.ExternalURL(s.root(r.Request), r.URL.Path), q, page.Items[len(page.Items)-1].id)
		body[name+"_links"] = []any{map[string]string{"rel": "next", "href": next}}
	}
	if q.Get("with_count") == "True" || q.Get("with_count") == "true" {
		body["count"] = count
	}
	return rest.WriteJSON(w, r, http.StatusOK, body)
}

// narrowed keeps what the query asks for. all_tenants and project_id are the administrator's and dropped, as Cinder drops them;
// so is what is not known.
func narrowed(items []item, q url.Values) ([]item, error) {
	var metadata map[string]string
	if text := q.Get("metadata"); text != "" {
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "'", `"`)), &metadata); err != nil {
			return nil, invalid("Invalid filter metadata: %s is not a dictionary.", text)
		}
	}
	return slices.DeleteFunc(items, func(i item) bool {
		for name, values := range q {
			like := strings.HasSuffix(name, "~")
			has, known := i.fields[strings.TrimSuffix(name, "~")]
			if known && !like && !strings.EqualFold(has, values[0]) || known && like && !strings.Contains(has, values[0]) {
				return true
			}
		}
		for name, value := range metadata {
			if has, ok := i.metadata[name]; !ok || has != value {
				return true
			}
		}
		return false
	}), nil
}

func sorting(q url.Values) (func(a, b item) int, error) {
	spec := q.Get("sort")
	if spec == "" {
		spec = cmp.Or(q.Get("sort_key"), "created_at") + ":" + cmp.Or(q.Get("sort_dir"), "desc")
	}
	type key struct {
		name string
		sign int
	}
	var keys []key
	for part := range strings.SplitSeq(spec, ",") {
		name, dir, _ := strings.Cut(strings.TrimSpace(part), ":")
		sign := map[string]int{"": -1, "desc": -1, "asc": 1}[dir]
		if sign == 0 {
			return nil, invalid("Invalid input received: Unknown sort direction, must be 'desc' or 'asc'.")
		}
		if !slices.Contains([]string{"id", "name", "status", "size", "created_at", "updated_at", "bootable", "availability_zone", "volume_id"}, name) {
			return nil, invalid("Invalid input received: Sort key supplied is invalid: %s", name)
		}
		keys = append(keys, key{name, sign})
	}
	return func(a, b item) int {
		for _, k := range keys {
			c := cmp.Compare(a.fields[k.name], b.fields[k.name])
			if k.name == "created_at" {
				c = a.created.Compare(b.created)
			}
			if k.name == "size" {
				c = cmp.Or(cmp.Compare(len(a.fields["size"]), len(b.fields["size"])), c)
			}
			if c != 0 {
				return k.sign * c
			}
		}
		return cmp.Compare(a.id, b.id)
	}, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
