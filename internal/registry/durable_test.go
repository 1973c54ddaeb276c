package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/store/storetest"
	"github.com/stackgate/stackgate/internal/urn"
)

// childDatabase, in the environment, makes the test binary a writer on that database.
const childDatabase = "STACKGATE_TEST_CHILD_DATABASE"

// writeUntilKilled makes service accounts for ever and prints the id of each when it is acknowledged.
func writeUntilKilled(path string) {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{URL: path})
	exitOn(err)
	c := newClock()
	ring, err := keys.New(ctx, keys.Config{Master: make([]byte, 32), Load: st.LoadKeys, Insert: st.InsertKey, Save: st.SaveKeys, Now: c.now})
	exitOn(err)
	reg, err := registry.New(ctx, registry.Config{Store: st, Ring: ring})
	exitOn(err)
	for i := 0; ; i++ {
		sa, _, err := reg.CreateServiceAccount(ctx, root, iam.ServiceAccount{Owner: acme, Name: fmt.Sprint("sa", i)})
		exitOn(err)
		fmt.Println(sa.ID)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestWhatIsAcknowledgedSurvivesKill kills a writer with SIGKILL in the middle of its work, a few times.
func TestWhatIsAcknowledgedSurvivesKill(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "db")
	w := newWorldAt(t, url)
	acknowledged := map[iam.ClientID]bool{}
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDatabase+"="+url)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged[iam.ClientID(lines.Text())] = true
			if n == 10 {
				if err := cmd.Process.Kill(); err != nil { // what is in the pipe by then was acknowledged, too
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatal(stderr.String())
		}
	}
	if len(acknowledged) < 30 {
		t.Fatalf("only %d writes", len(acknowledged))
	}
	for id := range acknowledged {
		sa, err := w.ServiceAccount(t.Context(), root, id)
		if err != nil {
			t.Fatalf("acknowledged and lost: %v", err)
		}
		if secrets, err := w.Secrets(t.Context(), root, id); err != nil || len(secrets) != 1 || sa.Owner != acme {
			t.Errorf("half a service account: %v %v", secrets, err)
		}
	}
	if _, err := w.VerifyAudit(t.Context(), root); err != nil {
		t.Error(err)
	}
	created := 0
	for _, r := range w.records() {
		if r.Action == string(iam.ActionClientCreate) {
			created++
		}
	}
	n := 0
	err := w.store.View(t.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.CountServiceAccounts(t.Context(), acme)
		return err
	})
	if err != nil || created != n {
		t.Errorf("%d records for %d service accounts (%v)", created, n, err)
	}
}

// TestTamperingWithTheDatabaseIsFound edits the tables behind the registry's back.
func TestTamperingWithTheDatabaseIsFound(t *testing.T) {
	tests := map[string]struct {
		statement string
		found     bool
	}{
		"nothing":                        {`SELECT 1`, false},
		"a record edited":                {`UPDATE audit_record SET actor = 'operator:eve' WHERE seq = 2`, true},
		"a record deleted":               {`DELETE FROM audit_record WHERE seq = 2`, true},
		"records swapped":                {`UPDATE audit_record SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3); UPDATE audit_record SET seq = -seq WHERE seq < 0`, true},
		"the end cut off":                {`DELETE FROM audit_record WHERE seq > 3`, true},
		"the end cut off, with its head": {`DELETE FROM audit_record WHERE seq > 3; UPDATE revision SET audit_seq = 3, audit_hash = (SELECT hash FROM audit_record WHERE seq = 3)`, true},
		"a checkpoint edited":            {`UPDATE audit_checkpoint SET at = at + 1`, true},
		"everything deleted":             {`DELETE FROM audit_record`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			w := newWorldAt(t, path)
			w.serviceAccount("sa")
			if err := w.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.serviceAccount("after the checkpoint")
			if report, err := w.VerifyAudit(t.Context(), root); err != nil || report.Signed != report.End.Seq-1 {
				t.Fatalf("before: %+v %v", report, err)
			}
			execSQL(t, path, tt.statement)
			_, err := w.VerifyAudit(t.Context(), root)
			if (err != nil) != tt.found {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "broken at record") {
				t.Errorf("does not say where: %v", err)
			}
		})
	}
}

func TestALostAdministratorIsReplaced(t *testing.T) {
	w := newWorld(t)
	sa, secret, policy, err := w.RecoverAdministrator(t.Context(), root, acme, "admin")
	if err != nil {
		t.Fatal(err)
	}
	w.login(sa, secret)
	if err := w.DeletePolicy(t.Context(), callerOf(sa), policy.ID); err != nil { // and so it locks itself out
		t.Fatal(err)
	}
	wantKind(t, errOf(w.Account(t.Context(), callerOf(sa), acme)), iam.Denied)
	sa, _, _, err = w.RecoverAdministrator(t.Context(), root, acme, "admin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreatePolicy(t.Context(), callerOf(sa), iam.Policy{Name: "p", Identities: []urn.URN{sa.Identity()}, Resources: []urn.URN{project},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}}); err != nil {
		t.Error(err)
	}
	w.wantRecord(string(sa.Identity()), iam.ActionPolicyCreate, audit.Done)
}

// TestABackupIsAWholeServer backs up while others write, restores, and logs in.
func TestABackupIsAWholeServer(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, secret := w.serviceAccount("sa")
		w.allow(sa, "p", supervisor)
		token := w.token(w.login(sa, secret))
		revoked := token
		revoked.AuditID = [16]byte{9}
		if err := w.RevokeToken(t.Context(), callerOf(sa), revoked); err != nil {
			t.Fatal(err)
		}
		started, written := make(chan bool), make(chan error)
		go func() {
			var err error
			for i := range 20 {
				_, _, cerr := w.CreateServiceAccount(t.Context(), root, iam.ServiceAccount{Owner: acme, Name: fmt.Sprint("busy", i)})
				err = errors.Join(err, cerr, w.Checkpoint(t.Context()))
				if i == 0 {
					close(started)
				}
			}
			written <- err
		}()
		<-started
		var saved bytes.Buffer
		if err := errors.Join(w.store.Backup(t.Context(), &saved), <-written); err != nil {
			t.Fatal(err)
		}
		url := storetest.SQLite(t)
		st, err := store.Open(t.Context(), store.Config{URL: url, Now: w.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(st.Restore(t.Context(), &saved), st.Close()); err != nil {
			t.Fatal(err)
		}
		restored := openWorld(t, url, w.clock)
		restored.login(sa, secret)
		if _, err := restored.Check(t.Context(), token); err != nil || restored.roles(sa) == 0 {
			t.Errorf("a token of before the backup: %v", err)
		}
		_, err = restored.Check(t.Context(), revoked)
		wantKind(t, err, iam.Unauthenticated)
		restored.serviceAccount("after")
		if report, err := restored.VerifyAudit(t.Context(), root); err != nil || report.Checkpoints == 0 {
			t.Errorf("%+v %v", report, err)
		}
	})
}
