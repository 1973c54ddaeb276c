package registry_test

import (
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

func benchWorld(b *testing.B) (*world, iam.ServiceAccount, string) {
	w := newWorld(b)
	sa, secret := w.serviceAccount("sa")
	w.allow(sa, "p", supervisor)
	return w, sa, secret
}

// BenchmarkRolesWarm is one decision from memory.
func BenchmarkRolesWarm(b *testing.B) {
	w, sa, _ := benchWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Roles(b.Context(), sa.ID, projectID, here); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRolesWarmParallel is the same from many goroutines.
func BenchmarkRolesWarmParallel(b *testing.B) {
	w, sa, _ := benchWorld(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Roles(b.Context(), sa.ID, projectID, here); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRolesCompiled has the policies compiled, but the answer depends on the address and is never kept.
func BenchmarkRolesCompiled(b *testing.B) {
	w := newWorld(b)
	sa, _ := w.serviceAccount("sa")
	if _, err := w.CreatePolicy(b.Context(), root, iam.Policy{Owner: acme, Name: "p", Identities: []urn.URN{sa.Identity()}, Resources: []urn.URN{project},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}, Condition: someConditions[3]}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Roles(b.Context(), sa.ID, projectID, here); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRolesCold reads everything from the database.
func BenchmarkRolesCold(b *testing.B) {
	w, sa, _ := benchWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		registry.Forget(w.Registry)
		if _, err := w.Roles(b.Context(), sa.ID, projectID, here); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck is a token that stands, from memory.
func BenchmarkCheck(b *testing.B) {
	w, sa, secret := benchWorld(b)
	token := w.token(w.login(sa, secret))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Check(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAuthenticate is a login from memory: one MAC.
func BenchmarkAuthenticate(b *testing.B) {
	w, sa, secret := benchWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), sa.ID, secret, registry.Use{Address: here, Agent: "bench"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is one change with its audit record, durable.
func BenchmarkWrite(b *testing.B) {
	w, sa, _ := benchWorld(b)
	for b.Loop() {
		if err := w.SetServiceAccountDisabled(b.Context(), root, sa.ID, false); err != nil {
			b.Fatal(err)
		}
	}
}
