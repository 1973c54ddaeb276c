package policyfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/rbac"
)

const (
	own   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	other = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
)

// A swiftRequest is one question to keystoneauth, and what we expect.
type swiftRequest struct {
	Roles   []string `json:"roles"` // none: no token
	Project string   `json:"project"`
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	ACL     string   `json:"acl"`
	status  int
}

// TestKeystoneauthAgreesWithTheTable configures Swift's own middleware with the fragment and asks for every call of the table and
// every role; and for what the fragment says besides.
func TestKeystoneauthAgreesWithTheTable(t *testing.T) {
	table := newTable(t)
	file := filepath.Join(t.TempDir(), "proxy-server.conf")
	if err := os.WriteFile(file, []byte(Swift(table)), 0o600); err != nil {
		t.Fatal(err)
	}
	requests := append(tableRequests(table), furtherRequests...)
	stdin, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	var statuses []int
	if err := json.Unmarshal([]byte(run(t, python, string(stdin), "swiftauth.py", file)), &statuses); err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		if statuses[i] != r.status {
			t.Errorf("%s %s by %v of %s with list %q: %d, want %d", r.Method, r.Path, r.Roles, r.Project, r.ACL, statuses[i], r.status)
		}
	}
}

// tableRequests asks for every line of the table that roles decide, in the own account and in another.
func tableRequests(table *rbac.Table) (list []swiftRequest) {
	fill := strings.NewReplacer("{project}", own, "{container}", "c", "{object...}", "o")
	for _, op := range table.Operations() {
		if op.Service != rbac.ObjectStore || op.Access != rbac.ByRole {
			continue
		}
		path := strings.TrimSuffix(fill.Replace(op.Prefixes[0]+op.Path), "/")
		if op.Method == "DELETE" && op.Path == "/" { // bulk-delete, which asks again for every object as if it were deleted alone
			path += "/c/o"
		}
		for role := range rbac.AllRoles.All() {
			status := 403
			if op.Roles.Has(role) {
				status = 200
			}
			roles := []string{role.String()}
			list = append(list, swiftRequest{roles, own, op.Method, path, "", status}, swiftRequest{roles, other, op.Method, path, "", 403})
		}
	}
	return list
}

var furtherRequests = []swiftRequest{
	{[]string{"objectstore_all"}, own, "DELETE", "/v1/AUTH_" + own, "", 403},                // not even its own account
	{[]string{"admin"}, own, "PUT", "/v1/AUTH_" + own + "/c", "", 200},                      // an administrator in his own account
	{[]string{"admin"}, other, "PUT", "/v1/AUTH_" + own + "/c", "", 403},                    // and not in others
	{[]string{"ResellerAdmin"}, other, "DELETE", "/v1/AUTH_" + own, "", 200},                // the reseller's
	{nil, "", "GET", "/v1/AUTH_" + own + "/c/o", "", 401},                                   // nobody, a private container
	{nil, "", "GET", "/v1/AUTH_" + own + "/c/o", ".r:*", 200},                               // nobody, a public one
	{nil, "", "PUT", "/v1/AUTH_" + own + "/c/o", "", 401},                                   // nobody, to write
	{[]string{"compute_read"}, own, "GET", "/v1/AUTH_" + own + "/c/o", "", 403},             // what the comments say about access lists:
	{[]string{"compute_read"}, own, "GET", "/v1/AUTH_" + own + "/c/o", "compute_read", 200}, // a role in the project,
	{[]string{"compute_read"}, other, "GET", "/v1/AUTH_" + own + "/c/o", other + ":*", 200}, // another project by its id,
	{[]string{"compute_read"}, other, "GET", "/v1/AUTH_" + own + "/c/o", "a:b", 403},        // and never by a name
}
