package compute

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A flavor is a size of server. Sizes are MiB of memory and GiB of disk.
type flavor struct {
	ID    string
	Name  string
	VCPUs int
	RAM   int
	Disk  int
	Extra map[string]string
}

// flavorsOf gives the sizes of a region. The ids differ between regions and stay the same over restarts.
func flavorsOf(region string) []flavor {
	var out []flavor
	for _, f := range []flavor{
		{Name: "d2-2", VCPUs: 1, RAM: 2000, Disk: 25}, {Name: "d2-4", VCPUs: 2, RAM: 4000, Disk: 50}, {Name: "d2-8", VCPUs: 4, RAM: 8000, Disk: 50},
		{Name: "b2-7", VCPUs: 2, RAM: 7000, Disk: 50}, {Name: "b2-15", VCPUs: 4, RAM: 15000, Disk: 100}, {Name: "b2-30", VCPUs: 8, RAM: 30000, Disk: 200},
		{Name: "b3-8", VCPUs: 2, RAM: 8000, Disk: 50}, {Name: "b3-16", VCPUs: 4, RAM: 16000, Disk: 100}, {Name: "b3-32", VCPUs: 8, RAM: 32000, Disk: 200},
		{Name: "c3-4", VCPUs: 2, RAM: 4000, Disk: 50}, {Name: "c3-8", VCPUs: 4, RAM: 8000, Disk: 100}, {Name: "c3-16", VCPUs: 8, RAM: 16000, Disk: 200},
		{Name: "r3-16", VCPUs: 2, RAM: 16000, Disk: 50}, {Name: "r3-32", VCPUs: 4, RAM: 32000, Disk: 100},
	} {
		f.ID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("flavor:"+region+":"+f.Name)).String()
		f.Extra = map[string]string{"quota:disk_total_iops_sec": "2000", "quota:vif_outbound_average": strconv.Itoa(12500 * f.VCPUs)}
		out = append(out, f)
	}
	return out
}

// flavor finds a flavor by id.
func (s *Service) flavor(id string) (flavor, bool) {
	at := slices.IndexFunc(s.flavors, func(f flavor) bool { return f.ID == id })
	if at < 0 {
		return flavor{}, false
	}
	return s.flavors[at], true
}

func (s *Service) flavorView(c *call, f flavor) map[string]any {
	m := map[string]any{
		"id": f.ID, "name": f.Name, "ram": f.RAM, "vcpus": f.VCPUs, "disk": f.Disk, "swap": "", "rxtx_factor": 1.0,
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
		"links": s.links(c, "/flavors/"+f.ID),
	}
	if c.version >= 55 {
		m["description"] = nil
	}
	if c.version >= 61 {
		m["extra_specs"] = f.Extra
	}
	if c.version >= 75 {
		m["swap"] = 0
	}
	return m
}

func (s *Service) listFlavors(detail bool) handler {
	return func(w http.ResponseWriter, c *call) error {
		all, err := s.filterFlavors(c)
		if err != nil {
			return err
		}
		page, err := rest.Paginate(all, c.URL.Query(), maxPage, func(f flavor) string { return f.ID })
		if err != nil {
			return err
		}
		views := make([]map[string]any, 0, len(page.Items))
		for _, f := range page.Items {
			v := s.flavorView(c, f)
			if !detail {
				brief := map[string]any{"id": f.ID, "name": f.Name, "links": v["links"]}
				if c.version >= 55 {
					brief["description"] = nil
				}
				v = brief
			}
			views = append(views, v)
		}
		answer := map[string]any{"flavors": views}
		if page.More {
			path := "/flavors"
			if detail {
				path += "/detail"
			}
			next := rest.NextURL(s.link(c, path), c.URL.Query(), page.Items[len(page.Items)-1].ID)
			answer["flavors_links"] = []map[string]string{{"rel": "next", "href": next}}
		}
		return rest.WriteJSON(w, c.Request, http.StatusOK, answer)
	}
}

// filterFlavors applies minRam, minDisk and the order; all flavors are public.
func (s *Service) filterFlavors(c *call) ([]flavor, error) {
	q := c.URL.Query()
	all := slices.Clone(s.flavors)
	for name, size := range map[string]func(flavor) int{"minRam": func(f flavor) int { return f.RAM }, "minDisk": func(f flavor) int { return f.Disk }} {
		if q.Get(name) == "" {
			continue
		}
		least, err := strconv.Atoi(q.Get(name))
		if err != nil {
			return nil, rest.Errorf(http.StatusBadRequest, "Invalid %s filter [%s]", name, q.Get(name))
		}
		all = slices.DeleteFunc(all, func(f flavor) bool { return size(f) < least })
	}
	switch q.Get("sort_key") {
	case "", "flavorid", "id":
	case "name":
		slices.SortStableFunc(all, func(a, b flavor) int { return cmp.Compare(a.Name, b.Name) })
	case "memory_mb":
		slices.SortStableFunc(all, func(a, b flavor) int { return cmp.Compare(a.RAM, b.RAM) })
	case "vcpus":
		slices.SortStableFunc(all, func(a, b flavor) int { return cmp.Compare(a.VCPUs, b.VCPUs) })
	}
	if q.Get("sort_dir") == "desc" {
		slices.Reverse(all)
	}
	return all, nil
}

func (s *Service) findFlavor(c *call) (flavor, error) {
	f, ok := s.flavor(c.Param("id"))
	if !ok {
		return flavor{}, rest.Errorf(http.StatusNotFound, "Flavor %s could not be found.", c.Param("id"))
	}
	return f, nil
}

func (s *Service) showFlavor(w http.ResponseWriter, c *call) error {
	f, err := s.findFlavor(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"flavor": s.flavorView(c, f)})
}

func (s *Service) extraSpecs(w http.ResponseWriter, c *call) error {
	f, err := s.findFlavor(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"extra_specs": f.Extra})
}

func (s *Service) extraSpec(w http.ResponseWriter, c *call) error {
	f, err := s.findFlavor(c)
	if err != nil {
		return err
	}
	v, ok := f.Extra[c.Param("key")]
	if !ok {
		return rest.Errorf(http.StatusNotFound, "Flavor %s has no extra specs with key %s.", f.ID, c.Param("key"))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{c.Param("key"): v})
}
