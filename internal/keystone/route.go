package keystone

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/web"
)

// params are what the route says of a request: its variable segments in order, and the name of its rule.
type params struct {
	segments [3]string
	rule     string // identity:get_user
}

// An endpoint serves one method of one path or returns an error and has then written nothing.
type endpoint func(s *Server, w http.ResponseWriter, r *http.Request, p params) error

// A node is one segment of the tree of paths. A node with an action ends a path.
type node struct {
	fixed   map[string]*node
	any     *node // a variable segment
	methods map[string]action
	allow   string
}

// An action is an endpoint and the name of its rule in Keystone's policy, for events and refusals.
type action struct {
	rule  string
	serve endpoint
}

// newRoutes makes the tree: what we serve, then what only an administrator of a real Keystone could, which we refuse.
func newRoutes() *node {
	root := &node{}
	root.add("GET", "", "get_versions", versions)
	root.add("GET", "v3", "get_version", version)
	for _, base := range []string{"v3/OS-FEDERATION", "OS-FEDERATION"} { // old clients leave v3 out
		auth := base + "/identity_providers/{idp}/protocols/{protocol}/auth"
		root.add("GET", auth, "federated_login", federatedLogin)
		root.add("POST", auth, "federated_login", federatedLogin)
		root.add("GET", base+"/projects", "get_auth_projects", ownProjects)
		root.add("GET", base+"/domains", "get_auth_domains", ownDomains)
	}
	root.add("POST", "v3/auth/tokens", "authenticate", createToken)
	root.add("HEAD", "v3/auth/tokens", "check_token", validateToken)
	root.add("GET", "v3/auth/tokens", "validate_token", validateToken)
	root.add("DELETE", "v3/auth/tokens", "revoke_token", revokeToken)
	root.add("GET", "v3/auth/catalog", "get_auth_catalog", tokenCatalog)
	root.add("GET", "v3/auth/projects", "get_auth_projects", ownProjects)
	root.add("GET", "v3/auth/domains", "get_auth_domains", ownDomains)
	root.add("GET", "v3/auth/system", "get_auth_system", ownSystem)
	root.add("GET", "v3/projects/{id}", "get_project", showProject)
	root.add("GET", "v3/users/{id}", "get_user", showUser)
	root.add("GET", "v3/users/{id}/projects", "list_user_projects", userProjects)
	root.add("GET", "v3/users/{id}/groups", "list_groups_for_user", userGroups)
	root.add("GET", "v3/users/{id}/application_credentials", "list_application_credentials", listCredentials)
	root.add("POST", "v3/users/{id}/application_credentials", "create_application_credential", refuseCredential)
	root.add("GET", "v3/users/{id}/application_credentials/{credential}", "get_application_credential", showCredential)
	root.add("DELETE", "v3/users/{id}/application_credentials/{credential}", "delete_application_credential", refuseCredential)
	root.add("GET", "v3/users/{id}/access_rules", "list_access_rules", listAccessRules)
	root.add("GET", "v3/users/{id}/access_rules/{rule}", "get_access_rule", showAccessRule)
	root.add("DELETE", "v3/users/{id}/access_rules/{rule}", "delete_access_rule", showAccessRule)
	root.add("GET", "v3/users/{id}/credentials/OS-EC2", "ec2_list_credentials", listEC2)
	root.add("POST", "v3/users/{id}/credentials/OS-EC2", "ec2_create_credential", refuseEC2)
	root.add("GET", "v3/regions", "list_regions", listRegions)
	root.add("GET", "v3/regions/{id}", "get_region", showRegion)
	for _, a := range administration() {
		root.add(a.method, a.path, a.rule, refuse)
	}
	return root
}

// add adds a path; GET implies HEAD. The first action of a path and method stays.
func (n *node) add(method, path, rule string, e endpoint) {
	if path != "" {
		for _, segment := range strings.Split(path, "/") {
			n = n.child(segment)
		}
	}
	if n.methods == nil {
		n.methods = map[string]action{}
	}
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, m := range methods {
		if _, taken := n.methods[m]; !taken {
			n.methods[m] = action{"identity:" + rule, e}
		}
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

// find walks the tree along an escaped path. Slashes at its start and end are overlooked, as Keystone does; empty segments between
// are not, nor is anything else.
func (n *node) find(path string) (*node, params) {
	var p params
	found := 0
	for rest := strings.Trim(path, "/"); rest != ""; {
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
		if n.any == nil || segment == "" || found == len(p.segments) {
			return nil, p
		}
		n, p.segments[found] = n.any, segment
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
	a, ok := n.methods[r.Method]
	switch {
	case ok:
		p.rule = a.rule
		web.EventOf(r.Context()).Operation = a.rule
		return a.serve(s, w, r, p)
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
func refuse(s *Server, _ http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	return policyRefusal(p)
}
