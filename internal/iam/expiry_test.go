package iam_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

func TestAPolicyEndsAtATimeThatCanBeShown(t *testing.T) {
	account := urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	for expiry, ok := range map[time.Time]bool{
		{}: true,
		time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC):                        true,
		time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC):                     false,
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*3600)): false,
		time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC):                         false,
	} {
		err := iam.ValidatePolicy(iam.Policy{
			Owner: account, Name: "x", Identities: []urn.URN{urn.AccountIdentity(account)}, Resources: []urn.URN{urn.AccountResource(account)},
			Permissions: iam.Permissions{Allow: []iam.Action{"*"}}, ExpiredAt: expiry,
		})
		if (err == nil) != ok || err != nil && !errors.Is(err, iam.Invalid) {
			t.Errorf("%v: %v", expiry, err)
		}
	}
}
