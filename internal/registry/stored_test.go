package registry_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// benchMillion is the environment variable that adds the million to BenchmarkRolesStored: filling it takes a minute or two and 2 GB of disk.
const benchMillion = "STACKGATE_BENCH_MILLION"

// BenchmarkRolesStored is one decision with so many service accounts stored, with two policies each: warm for one and for up to 9000
// others in turn, compiled where the answer depends on the address, and cold.
func BenchmarkRolesStored(b *testing.B) {
	sizes := []int{1000}
	if os.Getenv(benchMillion) != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchStored(b, n) })
	}
}

func benchStored(b *testing.B, n int) {
	w := newWorld(b)
	sa, secret := w.serviceAccount("conditional")
	policy := iam.Policy{Owner: acme, Name: "p", Identities: []urn.URN{sa.Identity()}, Resources: []urn.URN{project},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}, Condition: someConditions[3]}
	if _, err := w.CreatePolicy(b.Context(), root, policy); err != nil {
		b.Fatal(err)
	}
	f := store.Fill{Partition: urn.EU, Secret: w.login(sa, secret).SecretID, Policies: []iam.Permissions{
		{Allow: []iam.Action{supervisor}}, {Allow: []iam.Action{"publicCloudProject:openstack:imageOperator"}},
	}}
	const batch = 20 * store.FillPerAccount
	for from := 0; from < n; from += batch {
		if _, err := w.store.Update(b.Context(), func(tx *store.Tx) error { return tx.Fill(b.Context(), f, from, min(from+batch, n)) }); err != nil {
			b.Fatal(err)
		}
	}
	active := min(n, 9000)
	ask := func(b *testing.B, i int) {
		roles, err := w.Roles(b.Context(), store.FillClient(urn.EU, i), store.FillProject(i), here)
		if err != nil || !roles.Has(rbac.ComputeRead) {
			b.Fatalf("service account %d has roles %v (%v)", i, roles, err)
		}
	}
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i = (i + 7919) % n {
			registry.Forget(w.Registry)
			ask(b, i)
		}
	})
	b.Run("compiled", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Roles(b.Context(), sa.ID, projectID, here); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm", func(b *testing.B) {
		client, project := store.FillClient(urn.EU, n/2), store.FillProject(n/2)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Roles(b.Context(), client, project, here); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("warm%d", active), func(b *testing.B) {
		clients, projects := make([]iam.ClientID, active), make([]iam.ProjectID, active)
		for k := range active {
			i := k * (n / active)
			clients[k], projects[k] = store.FillClient(urn.EU, i), store.FillProject(i)
			ask(b, i)
		}
		b.ReportAllocs()
		for k := 0; b.Loop(); k = (k + 1) % active {
			if _, err := w.Roles(b.Context(), clients[k], projects[k], here); err != nil {
				b.Fatal(err)
			}
		}
	})
}
