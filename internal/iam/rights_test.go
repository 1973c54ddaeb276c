package iam_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

func TestRightsTableIsTheGuides(t *testing.T) {
	want, err := os.ReadFile("testdata/rights-table.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := iam.RightsTable(); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRights reads the guide's table once more, by its marks, and holds every cell against Rights.
func TestRights(t *testing.T) {
	text, err := os.ReadFile("testdata/rights-table.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	rows := iam.Rights()
	if len(rows) != 11 || len(lines) != 13 {
		t.Fatalf("%d rights, %d lines", len(rows), len(lines))
	}
	head := strings.Split(lines[0], "|")[2:18]
	for i, row := range rows {
		cells := strings.Split(lines[i+2], "|")
		if string(row.Action) != strings.TrimSpace(cells[1]) {
			t.Errorf("row %d is %s, want %s", i, row.Action, cells[1])
		}
		for j, title := range head {
			_, name, _ := strings.Cut(strings.TrimSpace(title), ": ")
			role, ok := rbac.ParseRole(name)
			if !ok || role != rbac.Role(j) {
				t.Fatalf("column %d is %q", j, name)
			}
			if want := strings.TrimSpace(cells[j+2]) == "x"; row.Roles.Has(role) != want {
				t.Errorf("%s, %s: %v, want %v", row.Action, role, !want, want)
			}
		}
	}
}

func TestRightsCannotBeChangedFromOutside(t *testing.T) {
	iam.Rights()[0].Roles = 0
	if iam.Rights()[0].Roles == 0 {
		t.Error("the table changed")
	}
}

func TestCheapestRights(t *testing.T) {
	tests := []struct {
		role rbac.Role
		want []string
	}{
		{rbac.ComputeRead, []string{"openstack:infrastructureSupervisor", "openstack:backupOperator", "openstack:computeOperator", "openstack:administrator"}},
		{rbac.ComputeManage, []string{"openstack:computeOperator", "openstack:administrator"}},
		{rbac.ObjectstoreAll, []string{"openstack:objectstoreOperator", "openstack:administrator"}},
		{rbac.NetworkSecgroupRead, []string{"openstack:infrastructureSupervisor", "openstack:networkSecurityOperator", "openstack:networkOperator",
			"openstack:computeOperator", "openstack:administrator"}},
		{rbac.AITrainingRead, []string{"ai:aiTrainingRead", "ai:aiTrainingOperator"}},
		{rbac.Role(63), nil},
	}
	for _, tt := range tests {
		var got []string
		for _, a := range iam.CheapestRights(tt.role) {
			got = append(got, strings.TrimPrefix(string(a), "publicCloudProject:"))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.role, got, tt.want)
		}
	}
}
