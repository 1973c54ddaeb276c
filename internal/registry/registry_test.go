package registry_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/store/storetest"
	"github.com/stackgate/stackgate/internal/urn"
)

var (
	root     = iam.Caller{Operator: "root"}
	acme     = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	other    = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	here     = netip.MustParseAddr("192.0.2.7")
	auditKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
)

const projectID = iam.ProjectID("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")

// A clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// A world is a registry over a database, with the account acme and its project.
type world struct {
	*registry.Registry
	t     testing.TB
	url   string
	store *store.Store
	ring  *keys.Ring
	clock *clock
}

func TestMain(m *testing.M) {
	if path := os.Getenv(childDatabase); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(storetest.Main(m))
}

// both runs a test over both databases.
func both(t *testing.T, test func(t *testing.T, w *world)) {
	for name, url := range storetest.Databases {
		t.Run(name, func(t *testing.T) { test(t, newWorldAt(t, url(t))) })
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldAt(t, "sqlite:"+filepath.Join(t.TempDir(), "db"))
}

func newWorldAt(t testing.TB, url string) *world {
	t.Helper()
	w := openWorld(t, url, newClock())
	for _, a := range []urn.Account{acme, other} {
		if _, err := w.CreateAccount(t.Context(), root, iam.Account{ID: a}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.CreateProject(t.Context(), root, iam.Project{ID: projectID, Owner: acme, Name: "prod"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// openWorld opens a further replica over the same database.
func openWorld(t testing.TB, url string, c *clock) *world {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	ring, err := keys.New(t.Context(), keys.Config{Master: make([]byte, 32), Load: st.LoadKeys, Insert: st.InsertKey, Save: st.SaveKeys, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.New(t.Context(), registry.Config{Store: st, Ring: ring, AuditKey: auditKey, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return &world{Registry: reg, t: t, url: url, store: st, ring: ring, clock: c}
}

// serviceAccount makes a service account of acme and gives its secret.
func (w *world) serviceAccount(name string) (iam.ServiceAccount, string) {
	w.t.Helper()
	sa, secret, err := w.CreateServiceAccount(w.t.Context(), root, iam.ServiceAccount{Owner: acme, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return sa, secret
}

// allow makes a policy that allows a service account actions on the project and on the account.
func (w *world) allow(sa iam.ServiceAccount, name string, actions ...iam.Action) iam.Policy {
	w.t.Helper()
	p, err := w.CreatePolicy(w.t.Context(), root, iam.Policy{
		Owner: acme, Name: name, Identities: []urn.URN{sa.Identity()},
		Resources:   []urn.URN{urn.Project(urn.EU, string(projectID)), urn.AccountResource(acme)},
		Permissions: iam.Permissions{Allow: actions},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) roles(sa iam.ServiceAccount) rbac.Roles {
	w.t.Helper()
	roles, err := w.Roles(w.t.Context(), sa.ID, projectID, here)
	if err != nil {
		w.t.Fatal(err)
	}
	return roles
}

// token is what a login makes.
func (w *world) token(login registry.Login) iam.Token {
	return iam.Token{ClientID: login.Account.ID, SecretID: login.SecretID, AuditID: [16]byte{1, 2, 3}, IssuedAt: w.clock.now(),
		Expires: w.clock.now().Add(time.Hour)}
}

func (w *world) login(sa iam.ServiceAccount, secret string) registry.Login {
	w.t.Helper()
	login, err := w.Authenticate(w.t.Context(), sa.ID, secret, registry.Use{Address: here, Agent: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return login
}

func callerOf(sa iam.ServiceAccount) iam.Caller {
	return iam.Caller{Identity: sa.Identity(), Account: sa.Owner, Address: here, RequestID: "req-1"}
}

func wantKind(t testing.TB, err error, kind iam.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want kind %q", err, kind)
	}
}

const supervisor = iam.Action("publicCloudProject:openstack:infrastructureSupervisor")

// TestRevocation: whatever takes a right away is seen by the very next question.
func TestRevocation(t *testing.T) {
	type given struct {
		*world
		sa     iam.ServiceAccount
		login  registry.Login
		policy iam.Policy
	}
	tests := map[string]struct {
		do         func(context.Context, given) error
		tokenGone  bool
		rolesStand bool
	}{
		"a policy is deleted":           {do: func(ctx context.Context, g given) error { return g.DeletePolicy(ctx, root, g.policy.ID) }},
		"a project is disabled":         {do: func(ctx context.Context, g given) error { return g.SetProjectDisabled(ctx, root, projectID, true) }},
		"a service account is disabled": {tokenGone: true, do: func(ctx context.Context, g given) error { return g.SetServiceAccountDisabled(ctx, root, g.sa.ID, true) }},
		"a service account is deleted":  {tokenGone: true, do: func(ctx context.Context, g given) error { return g.DeleteServiceAccount(ctx, root, g.sa.ID) }},
		"an account is disabled":        {tokenGone: true, do: func(ctx context.Context, g given) error { return g.SetAccountDisabled(ctx, root, acme, true) }},
		"a secret is deleted":           {tokenGone: true, rolesStand: true, do: func(ctx context.Context, g given) error { return g.DeleteSecret(ctx, root, g.sa.ID, g.login.SecretID) }},
		"a token is revoked":            {tokenGone: true, rolesStand: true, do: func(ctx context.Context, g given) error { return g.RevokeToken(ctx, callerOf(g.sa), g.token(g.login)) }},
		"secrets are rotated at once": {tokenGone: true, rolesStand: true, do: func(ctx context.Context, g given) error {
			_, _, err := g.RotateSecrets(ctx, root, g.sa.ID, "", 0)
			return err
		}},
		"the policy is replaced by less": {do: func(ctx context.Context, g given) error {
			p := g.policy
			p.Permissions.Allow = nil
			_, err := g.ReplacePolicy(ctx, root, p.ID, p)
			return err
		}},
		"the token and its secret expire": {tokenGone: true, rolesStand: true, do: func(_ context.Context, g given) error { g.clock.add(time.Hour); return nil }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, w *world) {
				sa, secret := w.serviceAccount("monitoring")
				g := given{w, sa, w.login(sa, secret), w.allow(sa, "p", supervisor)}
				token := w.token(g.login)
				if _, err := w.Check(t.Context(), token); err != nil || !w.roles(sa).Has(rbac.ComputeRead) {
					t.Fatalf("before: %v, roles %v", err, w.roles(sa))
				}
				if err := tt.do(t.Context(), g); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Check(t.Context(), token); errors.Is(err, iam.Unauthenticated) != tt.tokenGone {
					t.Errorf("after: Check says %v", err)
				}
				if got := w.roles(sa) != 0; got != tt.rolesStand {
					t.Errorf("after: has roles %v, want %v", got, tt.rolesStand)
				}
			})
		})
	}
}

// except makes a policy that allows a service account everything but one action.
func (w *world) except(sa iam.ServiceAccount, action iam.Action) {
	w.t.Helper()
	p := iam.Policy{Owner: acme, Name: "all but", Identities: []urn.URN{sa.Identity()}, Resources: []urn.URN{"urn:v1:eu:resource:*"},
		Permissions: iam.Permissions{Allow: []iam.Action{"*"}}}
	if action != "" {
		p.Permissions.Except = []iam.Action{action}
	}
	if _, err := w.CreatePolicy(w.t.Context(), root, p); err != nil {
		w.t.Fatal(err)
	}
}

// records reads the audit trail from outside the door.
func (w *world) records() (list []audit.Record) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), func(tx *store.Tx) error {
		for r, err := range tx.AllAuditRecords(w.t.Context()) {
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) wantRecord(actor string, action iam.Action, outcome audit.Outcome) {
	w.t.Helper()
	if !slices.ContainsFunc(w.records(), func(r audit.Record) bool {
		return r.Actor == actor && (action == "" || r.Action == string(action)) && r.Outcome == outcome && r.RequestID == "req-1"
	}) {
		w.t.Errorf("no record of %s, %s, %s", actor, action, outcome)
	}
}

func (w *world) revision() (n int64) {
	w.t.Helper()
	if err := w.store.View(w.t.Context(), func(tx *store.Tx) error { n = tx.Revision; return nil }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// dump gives everything stored but the audit trail.
func (w *world) dump() string {
	w.t.Helper()
	var b bytes.Buffer
	if err := w.store.Backup(w.t.Context(), &b); err != nil {
		w.t.Fatal(err)
	}
	_, rows, _ := strings.Cut(b.String(), "\n")
	rows, _, _ = strings.Cut(rows, `{"table":"audit_record"}`)
	return rows
}

func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
