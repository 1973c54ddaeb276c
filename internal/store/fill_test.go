package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

func TestWhatFillStoresReadsLikeAnythingElse(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		fill(t, st)
		rights := []iam.Permissions{{Allow: []iam.Action{"a"}}, {Allow: []iam.Action{"b"}, Deny: []iam.Action{"c"}}}
		update(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.Fill(ctx, store.Fill{Partition: urn.EU, Secret: "s", Policies: rights}, store.FillPerAccount, 3*store.FillPerAccount)
		})
		const i = 2*store.FillPerAccount + 7
		err := st.View(t.Context(), func(tx *store.Tx) error {
			sa, err := tx.ServiceAccount(t.Context(), store.FillClient(urn.EU, i))
			if err != nil {
				return err
			}
			secrets, err := tx.Secrets(t.Context(), sa.ID)
			if err != nil || len(secrets) != 1 || !slices.Equal(secrets[0].MAC, []byte{0, 255, 1}) {
				t.Errorf("secrets %v (%v), want one with the value of s", secrets, err)
			}
			p, err := tx.Project(t.Context(), store.FillProject(i))
			if err != nil || p.Owner != sa.Owner {
				t.Errorf("project of %v (%v), want of %v", p.Owner, err, sa.Owner)
			}
			u := urn.Project(urn.EU, string(p.ID))
			if r, err := tx.Resource(t.Context(), u); err != nil || r.Owner != sa.Owner {
				t.Errorf("resource of %v (%v), want of %v", r.Owner, err, sa.Owner)
			}
			policies, err := tx.PoliciesOf(t.Context(), sa.Owner, sa.Identity())
			if err != nil || len(policies) != len(rights) {
				t.Fatalf("%d policies (%v), want %d", len(policies), err, len(rights))
			}
			for n, p := range policies {
				if !slices.Equal(p.Resources, []urn.URN{u}) || !slices.Equal(p.Identities, []urn.URN{sa.Identity()}) || p.Permissions.Allow[0] != rights[n].Allow[0] {
					t.Errorf("policy %d is %+v", n, p)
				}
			}
			n, err := tx.CountServiceAccounts(t.Context(), sa.Owner)
			if n != store.FillPerAccount {
				t.Errorf("%d service accounts in the account, want %d", n, store.FillPerAccount)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
