package keystone

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/web"
)

// params are the variable segments of a path, in order.
type params [3]string

// An endpoint serves one method of one path or returns an error and has then written nothing.
type endpoint func(s *Server, w http.ResponseWriter, r *http.Request, p params) error

// A node is one segment of the tree of paths. A node with an action ends a path.
type node struct {
	fixed   map[string]*node
	any     *node // a variable segment
	methods map[string]endpoint
	allow   string
}

// newRoutes makes the tree: what we serve, then what only an administrator of a real Keystone could, which we refuse.
func newRoutes() *node {
	root := &node{}
	root.add("GET", "", versions)
	root.add("GET", "v3", version)
	for _, base := range []string{"v3/OS-FEDERATION", "OS-FEDERATION"} { // old clients leave v3 out
		auth := base + "/identity_providers/{idp}/protocols/{protocol}/auth"
		root.add("GET", auth, federatedLogin)
		root.add("POST", auth, federatedLogin)
		root.add("GET", base+"/projects", ownProjects)
		root.add("GET", base+"/domains", ownDomains)
	}
	root.add("POST", "v3/auth/tokens", createToken)
	root.add("GET", "v3/auth/tokens", validateToken)
	root.add("DELETE", "v3/auth/tokens", revokeToken)
	root.add("GET", "v3/auth/catalog", tokenCatalog)
	root.add("GET", "v3/auth/projects", ownProjects)
	root.add("GET", "v3/auth/domains", ownDomains)
	root.add("GET", "v3/auth/system", ownSystem)
	root.add("GET", "v3/projects/{id}", showProject)
	root.add("GET", "v3/users/{id}", showUser)
	root.add("GET", "v3/users/{id}/projects", userProjects)
	root.add("GET", "v3/users/{id}/groups", userGroups)
	root.add("GET", "v3/regions", listRegions)
	root.add("GET", "v3/regions/{id}", showRegion)
	for _, a := range administration() {
		root.add(a.method, a.path, refuse(a.rule))
	}
	return root
}

// add adds a path. The first endpoint of a path and method stays.
func (n *node) add(method, path string, e endpoint) {
	if path != "" {
		for _, segment := range strings.Split(path, "/") {
			n = n.child(segment)
		}
	}
	if n.methods == nil {
		n.methods = map[string]endpoint{}
	}
	if n.methods[method] != nil {
		return
	}
	n.methods[method] = e
	if method == http.MethodGet {
		n.methods[http.MethodHead] = e
	}
	n.allow = strings.Join(append(slices.Sorted(maps.Keys(n.methods)), http.MethodOptions), ", ")
}

func (n *node) child(segment string) *node {
	if strings.HasPrefix(segment, "{") {
		if n.any == nil {
			n.any = &node{}
		}
		return n.any
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	if n.fixed[segment] == nil {
		n.fixed[segment] = &node{}
	}
	return n.fixed[segment]
}

// find walks the tree along an escaped path. Several slashes at its start and one at its end are overlooked, as Keystone does.
func (n *node) find(path string) (*node, params) {
	var p params
	found := 0
	path = strings.TrimSuffix(strings.TrimLeft(path, "/"), "/")
	for rest := path; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if strings.Contains(segment, "%") {
			decoded, err := url.PathUnescape(segment)
			if err != nil {
				return nil, p
			}
			segment = decoded
		}
		if next := n.fixed[segment]; next != nil {
			n = next
			continue
		}
		if n.any == nil || segment == "" || found == len(p) {
			return nil, p
		}
		n, p[found] = n.any, segment
		found++
	}
	return n, p
}

func (s *Server) route(w http.ResponseWriter, r *http.Request) error {
	n, p := s.routes.find(r.URL.EscapedPath())
	if n == nil || n.methods == nil {
		writeNoRoute(w)
		return nil
	}
	e := n.methods[r.Method]
	switch {
	case e != nil:
		return e(s, w, r, p)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", n.allow)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	writeWrongMethod(w, n.allow)
	return nil
}

// refuse answers what an ordinary token may not do: 401 without one, else 403 with the name of the rule. Nothing that the request
// says beside the token is looked at.
func refuse(rule string) endpoint {
	return func(s *Server, _ http.ResponseWriter, r *http.Request, _ params) error {
		web.EventOf(r.Context()).Operation = "identity:" + rule
		if _, err := s.authenticate(r); err != nil {
			return err
		}
		return policyRefusal(rule)
	}
}
