package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/store/storetest"
	"github.com/stackgate/stackgate/internal/urn"
)

var acme = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC) }

func TestMain(m *testing.M) {
	os.Exit(storetest.Main(m))
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func update(t *testing.T, st *store.Store, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if _, err := st.Update(t.Context(), func(tx *store.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// both runs a test over both databases.
func both(t *testing.T, test func(t *testing.T, url string)) {
	for name, url := range storetest.Databases {
		t.Run(name, func(t *testing.T) { test(t, url(t)) })
	}
}

// fill writes a row of every table.
func fill(t *testing.T, st *store.Store) {
	t.Helper()
	sa := iam.ServiceAccount{ID: "EU.0f0f0f0f0f0f0f0f", Owner: acme, Name: "é", CreatedAt: noon(), TokenLife: time.Hour}
	update(t, st, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			tx.InsertAccount(ctx, iam.Account{ID: acme, Description: "d", CreatedAt: noon()}),
			tx.InsertProject(ctx, iam.Project{ID: "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", Owner: acme, Name: "p", Disabled: true, CreatedAt: noon()}),
			tx.InsertResource(ctx, iam.Resource{ID: "r", URN: urn.AccountResource(acme), Owner: acme, Name: "n", Tags: map[string]string{"a": "b"}}),
			tx.InsertServiceAccount(ctx, sa),
			tx.InsertServiceAccount(ctx, iam.ServiceAccount{ID: "swift", Owner: acme, Name: "swift", CreatedAt: noon(), ServiceProject: "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"}),
			tx.InsertServiceAccount(ctx, iam.ServiceAccount{ID: "gone", Owner: acme, Name: "gone", CreatedAt: noon()}),
			tx.DeleteServiceAccount(ctx, "gone"),
			tx.InsertSecret(ctx, store.Secret{Secret: iam.Secret{ID: "s", ClientID: sa.ID, CreatedAt: noon()}, Pepper: "p", MAC: []byte{0, 255, 1}}),
			tx.InsertPolicy(ctx, iam.Policy{ID: "p", Owner: acme, Name: "policy", Identities: []urn.URN{sa.Identity(), urn.AccountIdentity(acme)},
				Resources:   []urn.URN{"urn:v1:eu:resource:*"},
				Permissions: iam.Permissions{Allow: []iam.Action{"*"}, Deny: []iam.Action{"a"}, Except: []iam.Action{"b"}},
				Condition:   &iam.Condition{Operator: iam.Not, Conditions: []iam.Condition{{Operator: iam.Match, Values: map[string]string{"k": "v"}}}},
				CreatedAt:   noon(), ExpiredAt: noon().Add(time.Hour)}),
			tx.InsertPermissionsGroup(ctx, iam.PermissionsGroup{ID: "g", URN: urn.PermissionsGroup(urn.EU, acme.Name, "g"), Owner: acme, Name: "g", CreatedAt: noon()}),
			tx.InsertResourceGroup(ctx, iam.ResourceGroup{ID: "rg", Owner: acme, Name: "rg", Resources: []urn.URN{urn.AccountResource(acme)}, CreatedAt: noon()}),
			tx.RevokeToken(ctx, "00ff", noon().Add(time.Hour)),
			tx.AppendAudit(ctx, audit.Record{Actor: "operator:root", Account: acme, Action: "x", Subject: sa.Identity(), Outcome: audit.Done, Details: "ü"}),
			tx.InsertCheckpoint(ctx, audit.Checkpoint{Chain: tx.Audit, Time: noon(), Signature: []byte{1}}),
		)
	})
	if err := st.SaveKeys(t.Context(), []keys.Stored{{ID: "k", Use: keys.Seal, Algorithm: "XC20P", Sealed: []byte{9}, CreatedAt: noon(), ActiveAt: noon()}}); err != nil {
		t.Fatal(err)
	}
}

func backup(t *testing.T, st *store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := st.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rows leaves out the header and the trailer, which have the revision in them.
func rows(b []byte) string {
	lines := strings.SplitAfter(string(b), "\n")
	return strings.Join(lines[1:len(lines)-2], "")
}

func TestABackupRestoresTheSameRowsIntoEitherDatabase(t *testing.T) {
	both(t, func(t *testing.T, from string) {
		st := open(t, from)
		fill(t, st)
		saved := backup(t, st)
		both(t, func(t *testing.T, to string) {
			restored := open(t, to)
			if err := restored.Restore(t.Context(), bytes.NewReader(saved)); err != nil {
				t.Fatal(err)
			}
			if got := backup(t, restored); rows(got) != rows(saved) {
				t.Errorf("restored:\n%s\nsaved:\n%s", got, saved)
			}
			if err := restored.Restore(t.Context(), bytes.NewReader(saved)); !errors.Is(err, store.ErrNotEmpty) {
				t.Errorf("a second restore: %v", err)
			}
			update(t, restored, func(ctx context.Context, tx *store.Tx) error {
				if tx.Audit.Seq != 2 { // the rows, and the key
					t.Errorf("the audit chain ends at %d", tx.Audit.Seq)
				}
				return tx.AppendAudit(ctx, audit.Record{Action: "after"})
			})
		})
	})
}

func TestADamagedBackupChangesNothing(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "db"))
	fill(t, st)
	saved := backup(t, st)
	damaged := map[string][]byte{
		"empty":                nil,
		"cut in the middle":    saved[:len(saved)/2],
		"without its trailer":  saved[:bytes.LastIndexByte(saved[:len(saved)-1], '\n')+1],
		"with a row left out":  regexp.MustCompile(`(?m)^\["00ff".*\n`).ReplaceAll(saved, nil),
		"with a changed name":  bytes.Replace(saved, []byte(`"operator:root"`), []byte(`"operator:ruth"`), 1),
		"something else":       []byte("hello\nworld\n"),
		"of a newer schema":    bytes.Replace(saved, []byte(`"schema":2`), []byte(`"schema":3`), 1),
		"with an empty line":   bytes.Replace(saved, []byte("\n"), []byte("\n\n"), 1),
		"with a malformed row": bytes.Replace(saved, []byte(`["00ff",`), []byte(`[7,`), 1),
	}
	for name, text := range damaged {
		t.Run(name, func(t *testing.T) {
			to := open(t, filepath.Join(t.TempDir(), "db"))
			before := backup(t, to)
			if err := to.Restore(t.Context(), bytes.NewReader(text)); err == nil {
				t.Fatal("restored")
			}
			if got := backup(t, to); rows(got) != rows(before) {
				t.Errorf("changed:\n%s", got)
			}
		})
	}
}

// TestABackupOfTheFirstSchemaIsRestored cuts from a backup what that schema did not have.
func TestABackupOfTheFirstSchemaIsRestored(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "db"))
	fill(t, st)
	saved := backup(t, st)
	old, _, _ := strings.Cut(strings.Replace(string(saved), `"schema":2`, `"schema":1`, 1), `{"table":"service_flag"}`)
	rowCount := strings.Count(old, "\n[")
	old += fmt.Sprintf(`{"rows":%d,"sha256":"%x"}`+"\n", rowCount, sha256.Sum256([]byte(old)))
	restored := open(t, filepath.Join(t.TempDir(), "db"))
	if err := restored.Restore(t.Context(), strings.NewReader(old)); err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(rows(saved), `{"table":"service_flag"}`)
	if got, _, _ := strings.Cut(rows(backup(t, restored)), `{"table":"service_flag"}`); got != want {
		t.Errorf("restored:\n%s\nsaved:\n%s", got, want)
	}
}

// TestTheBackupKnowsEveryColumn reads the schema from a database.
func TestTheBackupKnowsEveryColumn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	st := open(t, path)
	fill(t, st)
	saved := string(backup(t, st))
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables, err := db.Query(`SELECT name, (SELECT count(*) FROM pragma_table_info(m.name)) FROM sqlite_master m WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	for tables.Next() {
		var name string
		var columns int
		if err := tables.Scan(&name, &columns); err != nil {
			t.Fatal(err)
		}
		if name == "revision" || name == "change" || name == "decision" || strings.HasPrefix(name, "goose_") || strings.HasPrefix(name, "sqlite_") {
			continue
		}
		_, after, ok := strings.Cut(saved, `{"table":"`+name+`"}`+"\n")
		if !ok {
			t.Errorf("table %s is not backed up", name)
			continue
		}
		line, _, _ := strings.Cut(after, "\n")
		if got := len(regexp.MustCompile(`("[^"\\]*(\\.[^"\\]*)*"|[^,\[\]]+)(,|\])`).FindAllString(line, -1)); got != columns {
			t.Errorf("table %s has %d columns, its backup %d: %s", name, columns, got, line)
		}
	}
}

func TestASchemaNewerThanTheProgramIsRefused(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		if err := store.ExecForTest(t, st, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(t.Context(), store.Config{URL: url}); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("got %v", err)
		}
	})
}

func TestIDsCompareBytewise(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		fill(t, st)
		err := st.View(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ServiceAccount(t.Context(), "eu.0F0F0F0F0F0F0F0F")
			return err
		})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an id in another case: %v", err)
		}
		for _, name := range []string{"a", "B", "_", "é", "~", "Z", "z"} {
			update(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.InsertResourceGroup(ctx, iam.ResourceGroup{ID: name, Owner: acme, Name: name})
			})
		}
		var got []string
		err = st.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.ResourceGroups(t.Context(), acme, "", 100)
			for _, g := range list {
				got = append(got, g.ID)
			}
			return err
		})
		if want := "B Z _ a rg z ~ é"; err != nil || strings.Join(got, " ") != want {
			t.Errorf("order %v, want %s (%v)", got, want, err)
		}
	})
}

func TestAnUpdateThatFailsChangesNothing(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		fill(t, st)
		before := rows(backup(t, st))
		boom := errors.New("boom")
		_, err := st.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.DeletePolicy(t.Context(), "p"), tx.AppendAudit(t.Context(), audit.Record{Action: "x"}), boom)
		})
		if !errors.Is(err, boom) || rows(backup(t, st)) != before {
			t.Errorf("%v; changed: %v", err, rows(backup(t, st)) != before)
		}
	})
}

func TestWritersQueueAndRevisionsHaveNoGap(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st, second := open(t, url), open(t, url)
		const each = 20
		done := make(chan error)
		for _, s := range []*store.Store{st, second, st, second} {
			go func() {
				var err error
				for range each {
					_, uerr := s.Update(t.Context(), func(tx *store.Tx) error {
						return tx.AppendAudit(t.Context(), audit.Record{Action: "x"})
					})
					err = errors.Join(err, uerr)
				}
				done <- err
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		err := st.View(t.Context(), func(tx *store.Tx) error {
			report, err := audit.Verify(tx.AllAuditRecords(t.Context()), nil, nil)
			if report.End.Seq != 4*each || tx.Revision != 4*each {
				t.Errorf("chain ends at %d, revision %d", report.End.Seq, tx.Revision)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestOnlyTheFirstKeyOfAUseIsInserted(t *testing.T) {
	both(t, func(t *testing.T, url string) {
		st := open(t, url)
		for i, id := range []string{"one", "two"} {
			did, err := st.InsertKey(t.Context(), keys.Stored{ID: id, Use: keys.Pepper, Sealed: []byte{1}, CreatedAt: noon()})
			if err != nil || did != (i == 0) {
				t.Errorf("key %s: inserted %v, %v", id, did, err)
			}
		}
		list, err := st.LoadKeys(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != "one" || !list[0].CreatedAt.Equal(noon()) || !list[0].RetiredAt.IsZero() {
			t.Errorf("%+v %v", list, err)
		}
	})
}

func TestTheStoreSaysWhenTheDatabaseIsAway(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{URL: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, uerr := st.Update(t.Context(), func(*store.Tx) error { return nil })
	verr := st.View(t.Context(), func(*store.Tx) error { return nil })
	if !errors.Is(uerr, store.ErrAway) || !errors.Is(verr, store.ErrAway) {
		t.Errorf("%v, %v", uerr, verr)
	}
}

// FuzzRestore: whatever is not a whole backup is refused and leaves the database empty.
func FuzzRestore(f *testing.F) {
	st, err := store.Open(f.Context(), store.Config{URL: filepath.Join(f.TempDir(), "db"), Now: noon})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = st.Close() })
	dump := func(t testing.TB) []byte {
		var b bytes.Buffer
		if err := st.Backup(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	empty := rows(dump(f))
	f.Add(dump(f)[1:])
	f.Add([]byte(`{"format":"stackgate backup 1","schema":1,"at":"2026-11-24T12:00:00Z","revision":1,"auditSeq":1,"auditHash":""}` +
		"\n{\"table\":\"account\"}\n[\"eu:a\",\"\",false,0]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := st.Restore(context.Background(), bytes.NewReader(b)); err == nil && rows(b) != empty {
			t.Errorf("restored %q", b)
		}
		if got := rows(dump(t)); got != empty {
			t.Errorf("not empty any more: %s", got)
		}
	})
}
