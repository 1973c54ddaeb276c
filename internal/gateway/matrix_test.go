package gateway

import (
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

// TestTheGuidesTable asks, for each of the sixteen roles, calls that only this role (and what stands above it) opens, with the
// roles that each of the eleven rights gives: 11 × 16 answers as in the guide's table.
func TestTheGuidesTable(t *testing.T) {
	table, err := rbac.NewTable()
	if err != nil {
		t.Fatal(err)
	}
	const P = projectA
	calls := []struct {
		role               rbac.Role
		service            rbac.Service
		method, path, body string
		also               rbac.Roles // roles that open the call as well
	}{
		{rbac.ComputeManage, rbac.Compute, "POST", "/v2.1/servers", `{"server":{}}`, 0},
		{rbac.ComputeSnapshotManage, rbac.Compute, "POST", "/v2.1/servers/1/action", `{"createImage":{}}`, rbac.RolesOf(rbac.ComputeManage)},
		{rbac.ComputeRead, rbac.Compute, "GET", "/v2.1/servers/1/metadata", "", rbac.RolesOf(rbac.ComputeManage)},
		{rbac.ObjectstoreAll, rbac.ObjectStore, "PUT", "/v1/AUTH_" + P + "/c/o", "", 0},
		{rbac.ImageManage, rbac.Image, "DELETE", "/v2/images/1", "", 0},
		{rbac.ImageRead, rbac.Image, "GET", "/v2/images", "", rbac.RolesOf(rbac.ImageManage)},
		{rbac.ImageImport, rbac.Image, "PUT", "/v2/images/1/file", "", rbac.RolesOf(rbac.ImageManage)},
		{rbac.VolumeManage, rbac.Volume, "POST", "/v3/" + P + "/volumes", `{"volume":{}}`, 0},
		{rbac.VolumeSnapshotManage, rbac.Volume, "POST", "/v3/" + P + "/snapshots", `{"snapshot":{}}`, rbac.RolesOf(rbac.VolumeManage)},
		{rbac.VolumeRead, rbac.Volume, "GET", "/v3/" + P + "/volumes/detail", "", rbac.RolesOf(rbac.VolumeManage)},
		{rbac.NetworkManage, rbac.Network, "POST", "/v2.0/networks", `{"network":{}}`, 0},
		{rbac.NetworkRead, rbac.Network, "GET", "/v2.0/networks", "", rbac.RolesOf(rbac.NetworkManage)},
		{rbac.NetworkSecgroupManage, rbac.Network, "POST", "/v2.0/security-groups", `{"security_group":{}}`, 0},
		{rbac.NetworkSecgroupRead, rbac.Network, "GET", "/v2.0/security-groups", "", rbac.RolesOf(rbac.NetworkSecgroupManage)},
		{rbac.AITrainingAll, rbac.AITraining, "POST", "/v1/job", "", 0},
		{rbac.AITrainingRead, rbac.AITraining, "GET", "/v1/job", "", rbac.RolesOf(rbac.AITrainingAll)},
	}
	rights := iam.Rights()
	if len(rights) != 11 || len(calls) != 16 {
		t.Fatalf("%d rights, %d roles", len(rights), len(calls))
	}
	for _, right := range rights {
		for _, c := range calls {
			target, reason := rbac.ParseTarget(c.service, c.path)
			if reason != "" {
				t.Fatal(reason)
			}
			d := table.Classify(rbac.Request{Target: target, Method: c.method, Project: P, Body: []byte(c.body), HasBody: c.body != ""})
			want := right.Roles.Has(c.role) || right.Roles.Intersects(c.also)
			if got := d.Allows(right.Roles); got != want {
				t.Errorf("%s, %s %s (%s): %v, want %v", right.Action, c.method, c.path, c.role, got, want)
			}
		}
	}
}
