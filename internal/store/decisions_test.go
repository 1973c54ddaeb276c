package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

func decision(n int, account urn.Account) audit.Decision {
	return audit.Decision{
		ID: fmt.Sprintf("req-%04d", n), OtherID: fmt.Sprintf("tx%04d", n), Time: noon().Add(time.Duration(n) * time.Second), Account: account,
		Identity: urn.ServiceAccount(account, fmt.Sprint("EU.", n%2)), Verdict: audit.MissingRole, Address: netip.MustParseAddr("192.0.2.1"),
		Method: "GET", Path: "/v2.1/servérs", Service: "compute", Region: "GRA1", Project: "0f", Operation: "os:x", Field: "f", Message: "m",
		Needed: []string{"a", "b"}, Held: []string{"c"}, Rights: []string{"d"},
	}
}

var emca = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}

func refusals(t *testing.T, st *store.Store, owner urn.Account, identity urn.URN, before audit.Decision, limit int) (ids []string) {
	t.Helper()
	err := st.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Refusals(t.Context(), owner, identity, before.Time, before.ID, limit)
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestDecisionsAreFoundByEitherID(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		want := decision(7, acme)
		update(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.InsertDecisions(ctx, []audit.Decision{want, want, decision(8, acme), decision(9, emca)})
		})
		for _, c := range []struct {
			owner urn.Account
			id    string
			found bool
		}{{acme, "req-0007", true}, {acme, "tx0007", true}, {emca, "req-0007", false}, {emca, "tx0007", false}, {acme, "", false}, {acme, "req-0009", false}} {
			err := st.View(t.Context(), func(tx *store.Tx) error {
				got, err := tx.Decision(t.Context(), c.owner, c.id)
				if err == nil && !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v\nwant %+v", got, want)
				}
				return err
			})
			if (err == nil) != c.found {
				t.Errorf("%s %q: %v", c.owner.Name, c.id, err)
			}
		}
	})
}

func TestRefusalsAreListedTheLatestFirst(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		list := []audit.Decision{decision(1, acme), decision(2, acme), decision(3, acme), decision(4, acme), decision(5, emca)}
		list[2].Verdict = audit.Granted
		update(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.InsertDecisions(ctx, list) })
		if got := refusals(t, st, acme, "", audit.Decision{}, 2); !slices.Equal(got, []string{"req-0004", "req-0002"}) {
			t.Errorf("the first page: %v", got)
		}
		if got := refusals(t, st, acme, "", list[1], 2); !slices.Equal(got, []string{"req-0001"}) {
			t.Errorf("the second page: %v", got)
		}
		if got := refusals(t, st, acme, list[0].Identity, audit.Decision{}, 9); !slices.Equal(got, []string{"req-0001"}) {
			t.Errorf("of one identity: %v", got)
		}
	})
}

func TestDecisionsAreBoundedInAgeAndNumber(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		var list []audit.Decision
		for n := range 350 {
			list = append(list, decision(n, acme))
		}
		other := decision(400, emca)
		update(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.InsertDecisions(ctx, append(list, other)); err != nil {
				return err
			}
			return tx.PruneDecisions(ctx, noon().Add(10*time.Second), 300)
		})
		if got := refusals(t, st, acme, "", audit.Decision{}, 1000); len(got) != 300 || got[0] != "req-0349" || got[299] != "req-0050" {
			t.Errorf("%d are left", len(got))
		}
		update(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.PruneDecisions(ctx, noon().Add(340*time.Second), 300)
		})
		if got := refusals(t, st, acme, "", audit.Decision{}, 1000); len(got) != 10 {
			t.Errorf("%d are left by age", len(got))
		}
		if got := refusals(t, st, emca, "", audit.Decision{}, 1000); len(got) != 1 {
			t.Errorf("the other account's: %v", got)
		}
	})
}
