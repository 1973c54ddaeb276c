package registry_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
)

// TestRefusedLoginsAreAlike: every way to fail gives the same error and computes one MAC.
func TestRefusedLoginsAreAlike(t *testing.T) { both(t, refusedLoginsAreAlike) }

func refusedLoginsAreAlike(t *testing.T, w *world) {
	sa, secret := w.serviceAccount("sa")
	disabled, disabledSecret := w.serviceAccount("disabled")
	expired, _ := w.serviceAccount("expired")
	_, expiredSecret, err1 := w.AddSecret(t.Context(), root, expired.ID, "", w.clock.now().Add(time.Minute))
	err2 := w.SetServiceAccountDisabled(t.Context(), root, disabled.ID, true)
	_, _, err3 := w.AddSecret(t.Context(), root, sa.ID, "a second", time.Time{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Minute)
	tests := map[string]struct {
		id     iam.ClientID
		secret string
	}{
		"an unknown client":          {"EU.ffffffffffffffff", secret},
		"an empty client":            {"", ""},
		"a client id with a NUL":     {"EU.\x00", secret},
		"a wrong secret":             {sa.ID, iam.NewSecretValue()},
		"no secret":                  {sa.ID, ""},
		"a secret of a megabyte":     {sa.ID, strings.Repeat("x", 1<<20)},
		"the secret and more":        {sa.ID, secret + strings.Repeat("x", 256)},
		"another client's secret":    {sa.ID, disabledSecret},
		"an expired secret":          {expired.ID, expiredSecret},
		"a disabled service account": {disabled.ID, disabledSecret},
		"the id in another case":     {iam.ClientID("eu" + string(sa.ID[2:])), secret},
	}
	macs := registry.CountMACs(w.Registry)
	var text string
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			*macs = 0
			_, err := w.Authenticate(t.Context(), tt.id, tt.secret, registry.Use{})
			wantKind(t, err, iam.Unauthenticated)
			if text == "" {
				text = err.Error()
			}
			if err.Error() != text || *macs != 1 {
				t.Errorf("%q with %d MACs, want %q with 1", err, *macs, text)
			}
		})
	}
	*macs = 0
	if w.login(sa, secret); *macs != 1 {
		t.Errorf("a login that succeeds: %d MACs", *macs)
	}
}

func TestSecretsOutliveANewPepper(t *testing.T) {
	w := newWorld(t)
	sa, secret := w.serviceAccount("sa")
	if _, err := w.ring.Rotate(t.Context(), keys.Pepper, false); err != nil {
		t.Fatal(err)
	}
	w.clock.add(48 * time.Hour)
	w.login(sa, secret)
	_, added, err := w.AddSecret(t.Context(), root, sa.ID, "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.login(sa, added)
	w.login(sa, secret)
}

func TestRotationOverlaps(t *testing.T) {
	w := newWorld(t)
	sa, old := w.serviceAccount("sa")
	_, fresh, err := w.RotateSecrets(t.Context(), root, sa.ID, "rotated", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.login(sa, old)
	w.clock.add(time.Hour)
	w.login(sa, fresh)
	_, err = w.Authenticate(t.Context(), sa.ID, old, registry.Use{})
	wantKind(t, err, iam.Unauthenticated)
	// A second rotation never lengthens what already ends.
	if _, _, err := w.RotateSecrets(t.Context(), root, sa.ID, "", 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	_, err = w.Authenticate(t.Context(), sa.ID, old, registry.Use{})
	wantKind(t, err, iam.Unauthenticated)
}

func TestSecretsAreBoundedAndExpiredOnesMakeRoom(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("sa")
	for range iam.MaxSecrets - 1 {
		if _, _, err := w.AddSecret(t.Context(), root, sa.ID, "", w.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := w.AddSecret(t.Context(), root, sa.ID, "", time.Time{})
	wantKind(t, err, iam.TooLarge)
	w.clock.add(time.Hour)
	if _, _, err := w.AddSecret(t.Context(), root, sa.ID, "", time.Time{}); err != nil {
		t.Error(err)
	}
	_, _, err = w.AddSecret(t.Context(), root, sa.ID, "", w.clock.now().Add(-time.Second))
	wantKind(t, err, iam.Invalid)
}

func TestLastUseIsWrittenInBatches(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, secret := w.serviceAccount("sa")
		unused := func(since time.Time) int {
			list, _, err := w.ServiceAccounts(t.Context(), iam.Caller{Operator: "root", Account: acme}, registry.ServiceAccountFilter{UnusedSince: since}, registry.Page{})
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if unused(w.clock.now()) != 1 {
			t.Error("a service account that was never used is not unused")
		}
		before := w.revision()
		for range 100 {
			w.login(sa, secret)
		}
		if w.revision() != before {
			t.Error("a login writes")
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := w.Secrets(t.Context(), root, sa.ID)
		if err != nil || len(list) != 1 || !list[0].LastUsedAt.Equal(w.clock.now()) || list[0].LastUsedFrom != here || list[0].LastUsedAgent != "test" {
			t.Errorf("%+v %v", list, err)
		}
		if unused(w.clock.now()) != 0 || unused(w.clock.now().Add(time.Second)) != 1 {
			t.Error("the filter for unused service accounts is wrong")
		}
	})
}

// TestReplicasSeeEachOther: what one replica changes, another sees when it has polled.
func TestReplicasSeeEachOther(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, secret := w.serviceAccount("sa")
		p := w.allow(sa, "p", supervisor)
		second := openWorld(t, w.url, w.clock)
		login := second.login(sa, secret)
		token := second.token(login)
		if second.roles(sa) == 0 {
			t.Fatal("no roles")
		}
		w.clock.add(time.Second)
		if err := errors.Join(w.DeletePolicy(t.Context(), root, p.ID), w.RevokeToken(t.Context(), callerOf(sa), token)); err != nil {
			t.Fatal(err)
		}
		w.clock.add(time.Second)
		_, err := second.Check(t.Context(), token)
		wantKind(t, err, iam.Unauthenticated)
		if second.roles(sa) != 0 {
			t.Error("a deleted policy still grants in another replica")
		}
		// One that starts later knows the revoked token, too.
		_, err = openWorld(t, w.url, w.clock).Check(t.Context(), token)
		wantKind(t, err, iam.Unauthenticated)
		// One that has missed more than the change table holds drops everything.
		if err := w.SetServiceAccountDisabled(t.Context(), root, sa.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PruneChanges(t.Context(), w.clock.now().Add(time.Hour))
		}); err != nil {
			t.Fatal(err)
		}
		w.clock.add(time.Second)
		_, err = second.Authenticate(t.Context(), sa.ID, secret, registry.Use{})
		wantKind(t, err, iam.Unauthenticated)
	})
}

// TestWithoutDatabase: memory answers for as long as it may be stale, then nothing does.
func TestWithoutDatabase(t *testing.T) { both(t, withoutDatabase) }

func withoutDatabase(t *testing.T, w *world) {
	sa, secret := w.serviceAccount("sa")
	w.allow(sa, "p", supervisor)
	token := w.token(w.login(sa, secret))
	strict, err := registry.New(t.Context(), registry.Config{Store: w.store, Ring: w.ring, Now: w.clock.now, MaxStaleness: -1})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *registry.Registry) error {
		_, err1 := r.Check(t.Context(), token)
		_, err2 := r.Roles(t.Context(), sa.ID, projectID, here)
		return errors.Join(err1, err2)
	}
	if err := errors.Join(ask(w.Registry), ask(strict)); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.clock.add(4 * time.Minute)
	if err := ask(w.Registry); err != nil {
		t.Errorf("4 minutes after the database went: %v", err)
	}
	wantKind(t, ask(strict), iam.Unavailable)
	_, err = w.Authenticate(t.Context(), "EU.ffffffffffffffff", secret, registry.Use{})
	wantKind(t, err, iam.Unavailable)
	w.clock.add(2 * time.Minute)
	wantKind(t, ask(w.Registry), iam.Unavailable)
	wantKind(t, errOf(w.Account(t.Context(), root, acme)), iam.Unavailable)
}

// TestRunSeesWhatOthersChange has no moving clock: only Run's own polls can see it.
func TestRunSeesWhatOthersChange(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, _ := w.serviceAccount("sa")
		second, err := registry.New(t.Context(), registry.Config{Store: w.store, Ring: w.ring, Now: w.clock.now, PollInterval: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- second.Run(ctx) }()
		for _, want := range []bool{true, false} {
			if want {
				w.allow(sa, "p", supervisor)
			} else if err := w.SetServiceAccountDisabled(t.Context(), root, sa.ID, true); err != nil {
				t.Fatal(err)
			}
			for got := !want; got != want; {
				roles, err := second.Roles(t.Context(), sa.ID, projectID, here)
				if err != nil {
					t.Fatal(err)
				}
				got = roles != 0
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWhoMayRevokeAToken(t *testing.T) {
	w := newWorld(t)
	sa, secret := w.serviceAccount("sa")
	colleague, _ := w.serviceAccount("colleague")
	admin, _, _, err1 := w.RecoverAdministrator(t.Context(), root, acme, "admin")
	stranger, _, _, err2 := w.RecoverAdministrator(t.Context(), root, other, "admin")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	token := w.token(w.login(sa, secret))
	wantKind(t, w.RevokeToken(t.Context(), callerOf(colleague), token), iam.Denied)
	wantKind(t, w.RevokeToken(t.Context(), callerOf(stranger), token), iam.NotFound)
	wantKind(t, w.RevokeToken(t.Context(), iam.Caller{}, token), iam.Unauthenticated)
	if _, err := w.Check(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for _, c := range []iam.Caller{callerOf(sa), callerOf(admin), root} {
		if err := w.RevokeToken(t.Context(), c, token); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	_, err := w.Check(t.Context(), token)
	wantKind(t, err, iam.Unauthenticated)
}

func TestRunFlushesAtItsEnd(t *testing.T) {
	w := newWorld(t)
	sa, secret := w.serviceAccount("sa")
	w.login(sa, secret)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	list, err := w.Secrets(t.Context(), root, sa.ID)
	if err != nil || list[0].LastUsedAt.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	if report, err := w.VerifyAudit(t.Context(), root); err != nil || report.Checkpoints != 1 || report.Signed != report.End.Seq {
		t.Errorf("%+v %v", report, err)
	}
}

func TestExpiredTokensPassOnlyWithinTheWindow(t *testing.T) {
	w := newWorld(t)
	sa, secret := w.serviceAccount("sa")
	token := w.token(w.login(sa, secret))
	w.clock.add(2 * time.Hour)
	_, err := w.Check(t.Context(), token)
	wantKind(t, err, iam.Unauthenticated)
	if _, err := w.CheckExpired(t.Context(), token, 2*time.Hour); err != nil {
		t.Error(err)
	}
	_, err = w.CheckExpired(t.Context(), token, time.Hour)
	wantKind(t, err, iam.Unauthenticated)
}

// TestManyLastUsesAreBoundedAndWrittenEarly uses more secrets than are kept: without Run they are written on the way, with it by Run and not
// by whoever logs in, and either way they never pile up.
func TestManyLastUsesAreBoundedAndWrittenEarly(t *testing.T) {
	w := newWorld(t)
	if most := registry.UseMany(t.Context(), w.Registry, registry.UsesKept+10); most > registry.UsesKept || registry.Pending(w.Registry) != 10 {
		t.Errorf("without Run: %d pending at most, %d in the end", most, registry.Pending(w.Registry))
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for !registry.Running(w.Registry) {
		runtime.Gosched()
	}
	if most := registry.UseMany(t.Context(), w.Registry, 3*registry.UsesKept); most > 2*registry.UsesKept {
		t.Errorf("with Run: %d pending at most", most)
	}
	for registry.Pending(w.Registry) >= registry.UsesKept { // Run has been told; go test's own limit ends this if it never comes
		runtime.Gosched()
	}
	stop()
	if err := <-ended; err != nil || registry.Pending(w.Registry) != 0 {
		t.Errorf("after the end of Run %d are pending, %v", registry.Pending(w.Registry), err)
	}
}
