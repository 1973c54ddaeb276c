package stackgate

import (
	"slices"
	"strings"
)

// testThroughExec logs in at the real Keystone by what the client side offers.
func testThroughExec(s *trusting, guide, _ string) {
	const runtime = `export XDG_RUNTIME_DIR="$PWD/run"; mkdir -p run; chmod 700 run; set -e; `
	out, _ := s.sh("supervisor", runtime+"stackgate doctor") // its region is not in this catalog
	for _, want := range []string{`1\. discovery: GET https://`, `2\. token: POST https://`, `3\. federation: POST ` + s.keystone.URL, `came back: 201`, `project guide ` + guide} {
		if !matches(want, out) {
			s.t.Errorf("doctor does not say %s:\n%s", want, out)
		}
	}
	for _, mode := range []string{"application-credential", "password", "token"} {
		exec := runtime + "stackgate exec --as " + mode + " -- "
		if out := s.ok("supervisor", exec+"openstack token issue -f value -c project_id"); strings.TrimSpace(out) != guide {
			s.t.Errorf("%s: %s", mode, out)
		}
		if out := s.ok("supervisor", exec+"openstack federation project list -f value -c ID"); !slices.Contains(strings.Fields(out), guide) {
			s.t.Errorf("%s: what is read from the cloud's own Keystone: %s", mode, out)
		}
	}
	token := strings.TrimSpace(s.ok("supervisor", runtime+"stackgate token"))
	if got := s.rolesIn(token); !slices.Equal(got, supervisorRoles) {
		s.t.Errorf("the roles are %v", got)
	}
	if again := strings.TrimSpace(s.ok("supervisor", runtime+"stackgate exec -- openstack token issue -f value -c id")); again != token {
		s.t.Error("exec has another token than the cache")
	}
}
