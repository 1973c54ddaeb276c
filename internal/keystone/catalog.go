package keystone

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
)

const projectPlaceholder = "$(project_id)s"

// A Catalog is the JSON array of services, cut where a project's id goes, so that expanding it is copying.
type Catalog struct {
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

// NewCatalog makes a Catalog, for Config.CatalogOf.
func NewCatalog(services []Service) (*Catalog, error) {
	c := &Catalog{}
	wire, seen := []wireService{}, map[[3]string]bool{}
	for _, s := range services {
		ws := wireService{ID: stableID("service", s.Type, s.Name), Type: s.Type, Name: s.Name, Endpoints: []wireEndpoint{}}
		if len(s.Endpoints) == 0 {
			return nil, fmt.Errorf("catalog entry %q has no endpoints", s.Type)
		}
		for _, e := range s.Endpoints {
			address, err := e.check(s.Type)
			if key := [3]string{s.Type, e.Region, e.Interface}; err == nil && seen[key] {
				err = fmt.Errorf("there is a second %s endpoint", e.Interface)
			} else {
				seen[key] = true
			}
			if err != nil {
				return nil, fmt.Errorf("catalog entry %q in %q: %w", s.Type, e.Region, err)
			}
			ws.Endpoints = append(ws.Endpoints, wireEndpoint{
				ID: stableID("endpoint", s.Type, s.Name, e.Region, e.Interface), Interface: e.Interface, RegionID: e.Region, URL: address, Region: e.Region,
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

// check wants what a client can use, and gives the address with its templates in one spelling.
func (e *Endpoint) check(typ string) (string, error) {
	if typ == "" || e.Region == "" || !slices.Contains([]string{"public", "internal", "admin"}, e.Interface) {
		return "", errors.New("an endpoint needs a service type, a region, and public, internal or admin")
	}
	template, err := checkTemplate(e.URL)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(strings.ReplaceAll(template, projectPlaceholder, "0"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not an address such as https://swift.example/v1/AUTH_$(project_id)s", e.URL)
	}
	return template, nil
}

// checkTemplate allows the project's id, in the four spellings that catalogs have, and no other template: what is templated is
// shown to every tenant.
func checkTemplate(address string) (string, error) {
	for _, spelling := range []string{"$(tenant_id)s", "%(project_id)s", "%(tenant_id)s"} {
		address = strings.ReplaceAll(address, spelling, projectPlaceholder)
	}
	rest := strings.ReplaceAll(address, projectPlaceholder, "")
	if strings.Contains(rest, "$(") || strings.Contains(rest, "%(") {
		return "", fmt.Errorf("the URL %q has a template other than $(project_id)s", address)
	}
	return address, nil
}

// appendFor appends the catalog of a project. Project ids are hexadecimal and need no escaping.
func (c *Catalog) appendFor(b []byte, project iam.ProjectID) []byte {
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
