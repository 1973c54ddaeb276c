package keystone

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
)

const projectPlaceholder = "$(project_id)s"

// A catalog is the JSON array of services, cut where a project's id goes, so that expanding it is copying.
type catalog struct {
	parts   [][]byte
	regions []string // every region of an endpoint, sorted
}

// Wire forms of the catalog, with members in the order of the original.
type (
	wireEndpoint struct {
		ID        string `json:"id"`
		Interface string `json:"interface"`
		RegionID  string `json:"region_id"`
		URL       string `json:"url"`
		Region    string `json:"region"`
	}
	wireService struct {
		Endpoints []wireEndpoint `json:"endpoints"`
		ID        string         `json:"id"`
		Type      string         `json:"type"`
		Name      string         `json:"name"`
	}
)

func newCatalog(services []Service) (*catalog, error) {
	c := &catalog{}
	wire := []wireService{}
	for _, s := range services {
		ws := wireService{ID: stableID("service", s.Type, s.Name), Type: s.Type, Name: s.Name, Endpoints: []wireEndpoint{}}
		for _, e := range s.Endpoints {
			url, err := checkTemplate(e.URL)
			if err != nil {
				return nil, fmt.Errorf("keystone: catalog entry %s in %s: %w", s.Type, e.Region, err)
			}
			ws.Endpoints = append(ws.Endpoints, wireEndpoint{
				ID: stableID("endpoint", s.Type, s.Name, e.Region, e.Interface), Interface: e.Interface, RegionID: e.Region, URL: url, Region: e.Region,
			})
			c.regions = append(c.regions, e.Region)
		}
		wire = append(wire, ws)
	}
	slices.Sort(c.regions)
	c.regions = slices.Compact(c.regions)
	b, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("keystone: encode the catalog: %w", err)
	}
	c.parts = bytes.Split(b, []byte(projectPlaceholder))
	return c, nil
}

// checkTemplate allows the project's id, in the four spellings that catalogs have, and no other template: what is templated is
// shown to every tenant.
func checkTemplate(url string) (string, error) {
	for _, spelling := range []string{"$(tenant_id)s", "%(project_id)s", "%(tenant_id)s"} {
		url = strings.ReplaceAll(url, spelling, projectPlaceholder)
	}
	rest := strings.ReplaceAll(url, projectPlaceholder, "")
	if strings.Contains(rest, "$(") || strings.Contains(rest, "%(") {
		return "", fmt.Errorf("the URL %q has a template other than $(project_id)s", url)
	}
	return url, nil
}

// appendFor appends the catalog of a project. Project ids are hexadecimal and need no escaping.
func (c *catalog) appendFor(b []byte, project iam.ProjectID) []byte {
	for i, part := range c.parts {
		if i > 0 {
			b = append(b, project...)
		}
		b = append(b, part...)
	}
	return b
}

// stableID derives 32 hexadecimal digits from names, so that every replica and every start gives the same ids.
func stableID(names ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:16])
}
