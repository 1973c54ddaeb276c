package cloud

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// An Endpoint is a service in a region, as a project's catalog has it. It is not changed once made.
type Endpoint struct {
	Scheme, Host string
	Prefix       string                     // escaped path of the service's root, without version, project and final slash
	Answer       func(*http.Response) error // has the links of an answer lead to us
	Verbatim     bool                       // bodies are the tenant's own, and nothing in them is changed
}

// Root is the address of the service.
func (e *Endpoint) Root() string { return e.Scheme + "://" + e.Host + e.Prefix }

// types are the names of services in catalogs, by their names in our paths. The first that a catalog has is taken.
var types = map[string][]string{
	"compute":      {"compute"},
	"volume":       {"volumev3", "block-storage", "block-store", "volume"},
	"image":        {"image"},
	"network":      {"network"},
	"object-store": {"object-store"},
	"ai-training":  {"ai-training"},
}

// endpoints reads a catalog, for a project.
func (c *Cloud) endpoints(project, authURL string, catalog *tokens.ServiceCatalog) (found map[place]*Endpoint, skipped []string) {
	found = map[place]*Endpoint{}
	roots := map[string]*links{} // by region
	for service, names := range types {
		for _, name := range names {
			for _, e := range publicEndpoints(catalog, name, c.face()) {
				region, served := c.region(e)
				at := place{region, service}
				if !served || found[at] != nil {
					continue
				}
				endpoint, err := c.endpoint(service, project, e.URL)
				if err != nil {
					skipped = append(skipped, fmt.Sprintf("%s in %s: %v", name, region, err))
					continue
				}
				found[at] = endpoint
				if roots[region] == nil {
					roots[region] = newLinks(c.c.Identity, authURL)
				}
				roots[region].add(endpoint.Host, endpoint.Prefix, c.c.Public(region, service))
			}
		}
	}
	for at, e := range found {
		e.Verbatim = at.service == "object-store"
		e.Answer = roots[at.region].answer(e, c.c.Public(at.region, at.service))
	}
	slices.Sort(skipped)
	return found, skipped
}

// face is which of the catalog's addresses we use.
func (c *Cloud) face() string {
	if face := strings.TrimSuffix(c.c.Login.Interface, "URL"); face != "" {
		return face
	}
	return "public"
}

func publicEndpoints(catalog *tokens.ServiceCatalog, name, face string) (list []tokens.Endpoint) {
	for _, entry := range catalog.Entries {
		if entry.Type != name {
			continue
		}
		for _, e := range entry.Endpoints {
			if e.Interface == face {
				list = append(list, e)
			}
		}
	}
	return list
}

// region is what an endpoint's is called here.
func (c *Cloud) region(e tokens.Endpoint) (name string, served bool) {
	theirs := e.RegionID
	if theirs == "" {
		theirs = e.Region
	}
	if c.c.Regions != nil && !slices.Contains(c.c.Regions, theirs) {
		return "", false
	}
	return c.called(theirs), theirs != ""
}

// called is what a region of the cloud's is called here.
func (c *Cloud) called(theirs string) string {
	if ours := c.c.Rename[theirs]; ours != "" {
		return ours
	}
	return theirs
}

// version is the version at the end of an address: /v2.1, /v3.
var version = regexp.MustCompile(`^v\d+(\.\d+)?$`)

// endpoint finds the root of a service, which our paths are put behind: they have version and project in them.
func (c *Cloud) endpoint(service, project, address string) (*Endpoint, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("its address in the catalog is not http(s)://host/path, without a user and a query")
	}
	if u.Scheme == "http" && !c.c.Plain && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%s is plain HTTP, and the token would be readable on its way (allow_plain_http)", address)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if service == "object-store" {
		root, ok := strings.CutSuffix(path, "/v1/AUTH_"+project)
		if !ok {
			return nil, fmt.Errorf("%s does not end in /v1/AUTH_<project>, as our addresses do", address)
		}
		return &Endpoint{Scheme: u.Scheme, Host: u.Host, Prefix: root}, nil
	}
	path = strings.TrimSuffix(path, "/"+project)
	if i := strings.LastIndexByte(path, '/'); i >= 0 && version.MatchString(path[i+1:]) {
		path = path[:i]
	}
	return &Endpoint{Scheme: u.Scheme, Host: u.Host, Prefix: path}, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
