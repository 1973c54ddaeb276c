package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	project = string(servertest.Project)
	vm      = "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0"
)

// columns has, for each role of the guide's table, a call that the role is for, and the roles that may make it.
var columns = []struct {
	role               rbac.Role
	may                rbac.Roles
	method, path, body string
}{
	{rbac.ComputeManage, rbac.RolesOf(rbac.ComputeManage), "POST", "/GRA1/compute/v2.1/servers", `{"server":{"name":"x"}}`},
	{rbac.ComputeSnapshotManage, rbac.RolesOf(rbac.ComputeManage, rbac.ComputeSnapshotManage), "POST", "/GRA1/compute/v2.1/servers/" + vm + "/action", `{"createImage":{"name":"x"}}`},
	{rbac.ComputeRead, rbac.RolesOf(rbac.ComputeManage, rbac.ComputeRead), "GET", "/GRA1/compute/v2.1/servers/" + vm + "/os-instance-actions", ""},
	{rbac.ObjectstoreAll, rbac.RolesOf(rbac.ObjectstoreAll), "GET", "/GRA1/object-store/v1/AUTH_" + project + "?format=json", ""},
	{rbac.ImageManage, rbac.RolesOf(rbac.ImageManage), "DELETE", "/GRA1/image/v2/images/" + vm, ""},
	{rbac.ImageRead, rbac.RolesOf(rbac.ImageManage, rbac.ImageRead), "GET", "/GRA1/image/v2/images", ""},
	{rbac.ImageImport, rbac.RolesOf(rbac.ImageManage, rbac.ImageImport), "PUT", "/GRA1/image/v2/images/" + vm + "/file", "x"},
	{rbac.VolumeManage, rbac.RolesOf(rbac.VolumeManage), "DELETE", "/GRA1/volume/v3/" + project + "/volumes/" + vm, ""},
	{rbac.VolumeSnapshotManage, rbac.RolesOf(rbac.VolumeManage, rbac.VolumeSnapshotManage), "DELETE", "/GRA1/volume/v3/" + project + "/snapshots/" + vm, ""},
	{rbac.VolumeRead, rbac.RolesOf(rbac.VolumeManage, rbac.VolumeRead), "GET", "/GRA1/volume/v3/" + project + "/volumes", ""},
	{rbac.NetworkManage, rbac.RolesOf(rbac.NetworkManage), "POST", "/GRA1/network/v2.0/networks", `{"network":{"name":"x"}}`},
	{rbac.NetworkRead, rbac.RolesOf(rbac.NetworkManage, rbac.NetworkRead), "GET", "/GRA1/network/v2.0/networks", ""},
	{rbac.NetworkSecgroupManage, rbac.RolesOf(rbac.NetworkSecgroupManage), "POST", "/GRA1/network/v2.0/security-groups", `{"security_group":{"name":"x"}}`},
	{rbac.NetworkSecgroupRead, rbac.RolesOf(rbac.NetworkSecgroupManage, rbac.NetworkSecgroupRead), "GET", "/GRA1/network/v2.0/security-groups", ""},
	{rbac.AITrainingAll, rbac.RolesOf(rbac.AITrainingAll), "POST", "/GRA1/ai-training/v1/job", `{"image":"x"}`},
	{rbac.AITrainingRead, rbac.RolesOf(rbac.AITrainingAll, rbac.AITrainingRead), "GET", "/GRA1/ai-training/v1/job", ""},
}

// TestTheGuidesTableThroughHTTP makes, with each of the eleven rights, each of the sixteen calls.
func TestTheGuidesTableThroughHTTP(t *testing.T) {
	s := servertest.Start(t)
	if len(columns) != 16 || len(iam.Rights()) != 11 {
		t.Fatal("the table is 11 × 16")
	}
	for _, right := range iam.Rights() {
		token := s.Scoped(s.ServiceAccount(strings.ReplaceAll(string(right.Action), ":", "-"), right.Action))
		for _, c := range columns {
			a := s.Do(c.method, c.path, c.body, "X-Auth-Token: "+token, "Content-Type: "+contentType(c.path))
			want := right.Roles.Intersects(c.may)
			if c.may.Has(c.role) && right.Roles.Has(c.role) && !want {
				t.Fatal("the test is wrong")
			}
			missing := a.Header.Get("X-Stackgate-Missing-Role")
			if got := a.Status != http.StatusForbidden && missing == ""; got != want || a.Status == http.StatusUnauthorized || a.Status >= 500 {
				t.Errorf("%s: %s %s: %d %q, let through must be %v\n%s", right.Action, c.method, c.path, a.Status, missing, want, a.Body)
			}
			if !want && !strings.Contains(missing, c.role.String()) {
				t.Errorf("%s: %s %s: X-Stackgate-Missing-Role is %q, want %s", right.Action, c.method, c.path, missing, c.role)
			}
		}
	}
}

func contentType(path string) string {
	if strings.HasSuffix(path, "/file") {
		return "application/octet-stream"
	}
	return "application/json"
}

// TestRevocation takes away what a live token stands on, one thing at a time: the very next call is refused.
func TestRevocation(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	reg := s.Registry()
	type target struct {
		servertest.Credential
		policy iam.Policy
		token  string
	}
	for name, v := range map[string]struct {
		take           func(x target) error
		gateway, scope int
		give           func(x target) error // nil: gone for good
	}{
		"the policy is deleted": {func(x target) error { return reg.DeletePolicy(ctx, s.Operator, x.policy.ID) }, 403, 401, nil},
		"the service account is disabled": {func(x target) error { return reg.SetServiceAccountDisabled(ctx, s.Operator, x.ID, true) }, 401, 404,
			func(x target) error { return reg.SetServiceAccountDisabled(ctx, s.Operator, x.ID, false) }},
		"the service account is deleted": {func(x target) error { return reg.DeleteServiceAccount(ctx, s.Operator, x.ID) }, 401, 404, nil},
		"the secret is revoked": {func(x target) error {
			list, err := reg.Secrets(ctx, s.Operator, x.ID)
			if err != nil {
				return err
			}
			return reg.DeleteSecret(ctx, s.Operator, x.ID, list[0].ID)
		}, 401, 404, nil},
		"the account is disabled": {func(target) error { return reg.SetAccountDisabled(ctx, s.Operator, servertest.Account, true) }, 401, 404,
			func(target) error { return reg.SetAccountDisabled(ctx, s.Operator, servertest.Account, false) }},
		"the project is disabled": {func(target) error { return reg.SetProjectDisabled(ctx, s.Operator, servertest.Project, true) }, 403, 401,
			func(target) error { return reg.SetProjectDisabled(ctx, s.Operator, servertest.Project, false) }},
		"the token is revoked": {func(x target) error {
			if a := s.Do("DELETE", "/v3/auth/tokens", "", "X-Auth-Token: "+x.token, "X-Subject-Token: "+x.token); a.Status != 204 {
				t.Errorf("DELETE /v3/auth/tokens: %d %s", a.Status, a.Body)
			}
			return nil
		}, 401, 404, nil},
	} {
		for door, login := range doors(s) {
			t.Run(name+", "+door, func(t *testing.T) {
				x := target{Credential: s.ServiceAccount("x")}
				x.policy = s.Policy(iam.Policy{
					Name: name + door, Identities: []urn.URN{x.Identity()}, Resources: []urn.URN{urn.Project("eu", project)},
					Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:infrastructureSupervisor"}},
				})
				x.token = login(x.Credential)
				list := func() int {
					return s.Do("GET", "/GRA1/compute/v2.1/servers/detail", "", "X-Auth-Token: "+x.token).Status
				}
				if got := list(); got != 200 {
					t.Fatalf("before: %d", got)
				}
				if err := v.take(x); err != nil {
					t.Fatal(err)
				}
				if got := list(); got != v.gateway {
					t.Errorf("the gateway answers %d, want %d", got, v.gateway)
				}
				scope := v.scope
				if door == "application credential" && scope == 401 {
					scope = 403 // it is not scoped anew at all
				}
				if got := s.Scope(x.token).Status; got != scope {
					t.Errorf("scoping answers %d, want %d", got, scope)
				}
				if v.give == nil {
					return
				}
				if err := v.give(x); err != nil {
					t.Fatal(err)
				}
				if got := list(); got != 200 {
					t.Errorf("given back: %d", got)
				}
			})
		}
	}
}

// doors are the ways to a token for the project.
func doors(s *servertest.Server) map[string]func(servertest.Credential) string {
	token := func(login func(servertest.Credential) servertest.Answer) func(servertest.Credential) string {
		return func(c servertest.Credential) string { return login(c).Header.Get("X-Subject-Token") }
	}
	return map[string]func(servertest.Credential) string{
		"federation": s.Scoped, "password": token(s.Password), "application credential": token(s.ApplicationCredential),
	}
}

// TestNobodyLearnsWhichCredentialIsWrong compares the answers to an unknown client, a wrong secret and a disabled service account.
func TestNobodyLearnsWhichCredentialIsWrong(t *testing.T) {
	s := servertest.Start(t)
	good := s.ServiceAccount("good", "publicCloudProject:openstack:infrastructureSupervisor")
	disabled := s.ServiceAccount("disabled")
	if err := s.Registry().SetServiceAccountDisabled(context.Background(), s.Operator, disabled.ID, true); err != nil {
		t.Fatal(err)
	}
	unknown, wrong := good, good
	unknown.ID, wrong.Secret = "EU.ffffffffffffffff", good.Secret[:len(good.Secret)-1]+"x"
	want := s.Tokens(unknown)
	if want.Status != http.StatusUnauthorized || want.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("unknown: %d %s", want.Status, want.Body)
	}
	for door, login := range map[string]func(servertest.Credential) servertest.Answer{
		"tokens": s.Tokens, "password": s.Password, "application credential": s.ApplicationCredential,
	} {
		want := login(unknown)
		for name, c := range map[string]servertest.Credential{"a wrong secret": wrong, "a disabled service account": disabled} {
			if got := login(c); got.Status != http.StatusUnauthorized || got.Body != want.Body {
				t.Errorf("%s, %s: %d %s, but an unknown one: %d %s", door, name, got.Status, got.Body, want.Status, want.Body)
			}
		}
	}
}

// TestNoAPITakesAnothersToken presents each kind of token where another belongs.
func TestNoAPITakesAnothersToken(t *testing.T) {
	s := servertest.Start(t)
	c := s.ServiceAccount("x", "publicCloudProject:openstack:infrastructureSupervisor")
	id, access := member(t, s.Tokens(c).Body, "id_token"), member(t, s.Tokens(c).Body, "access_token")
	identity := s.Scoped(c)
	a := s.Do("POST", "/auth/oauth2/token", "grant_type=client_credentials&scope=all&client_id="+string(c.ID)+"&client_secret="+c.Secret,
		"Content-Type: application/x-www-form-urlencoded")
	management := member(t, a.Body, "access_token")
	for name, token := range map[string]string{"id_token": id, "access token": access, "identity token": identity, "management token": management} {
		federation := s.Do("POST", "/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth", "", "Authorization: Bearer "+token).Status
		if ok := name == "id_token" || name == "access token"; ok != (federation == 201) || !ok && federation != 401 {
			t.Errorf("federation with the %s: %d", name, federation)
		}
		gateway := s.Do("GET", "/GRA1/compute/v2.1/servers/detail", "", "X-Auth-Token: "+token).Status
		if ok := name == "identity token"; ok != (gateway == 200) || !ok && gateway != 401 {
			t.Errorf("gateway with the %s: %d", name, gateway)
		}
		api := s.Do("GET", "/v1/auth/details", "", "Authorization: Bearer "+token).Status
		if ok := name == "management token"; ok != (api == 200) || !ok && api != 401 {
			t.Errorf("management API with the %s: %d", name, api)
		}
		validate := s.Do("GET", "/v3/auth/tokens", "", "X-Auth-Token: "+identity, "X-Subject-Token: "+token).Status
		if ok := name == "identity token"; ok != (validate == 200) || !ok && validate != 404 {
			t.Errorf("validation of the %s: %d", name, validate)
		}
	}
}

// TestAnIDTokenForAnOperatorsKeystoneIsNotForUs: the audience is one of the two, so neither Identity API can log in at the other.
func TestAnIDTokenForAnOperatorsKeystoneIsNotForUs(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) {
		c.Providers = server.DefaultProviders()
		c.Providers[0].Keystone = "https://keystone.example:5000/v3"
	})
	c := s.ServiceAccount("x", "publicCloudProject:openstack:infrastructureSupervisor")
	tokens := s.Tokens(c).Body
	login := func(bearer string) servertest.Answer {
		return s.Do("POST", "/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth", "", "Authorization: Bearer "+bearer)
	}
	if a := login(member(t, tokens, "id_token")); a.Status != 401 || !strings.Contains(a.Body, "aud does not contain") {
		t.Errorf("the id_token for the operator's Keystone: %d %s", a.Status, a.Body)
	}
	if a := login(member(t, tokens, "access_token")); a.Status != 201 {
		t.Errorf("the access token, which is for us alone: %d %s", a.Status, a.Body)
	}
}

func member(t *testing.T, body, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(body, `"`+name+`":"`)
	value, _, _ := strings.Cut(after, `"`)
	if !ok || value == "" {
		t.Fatalf("no %s in %s", name, body)
	}
	return value
}
