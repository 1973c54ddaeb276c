// Package servertest runs a whole Stackgate in a test: real store, real keys, real faces, embedded cloud, on a loopback listener.
package servertest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

// Account and Project are what every Server starts with.
var Account = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}

// Project is the guide's project, owned by Account.
const Project iam.ProjectID = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

// A Server is a running Stackgate with one account and one project.
type Server struct {
	*server.Server
	URL      string
	Operator iam.Caller // acts for Account
	t        testing.TB
}

// Start runs a Server until the test ends. change may adapt the configuration.
func Start(t testing.TB, change ...func(*server.Config)) *Server {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	url := "http://" + web.Listener.Addr().String()
	master, err := keys.ParseMaster(keys.NewMaster())
	must(t, err)
	c := server.Config{
		PublicURL: url, Database: filepath.Join(t.TempDir(), "stackgate.db"), Master: master,
		Sandbox: &server.Sandbox{}, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, f := range change {
		f(&c)
	}
	s, err := server.New(context.Background(), c)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	web.Config.Handler = s.Handler()
	web.Start()
	t.Cleanup(func() {
		web.Close()
		stop()
		<-done
		must(t, s.Close())
	})
	out := &Server{Server: s, URL: url, Operator: iam.Caller{Operator: "test", Account: Account}, t: t}
	out.prepare()
	return out
}

func (s *Server) prepare() {
	s.t.Helper()
	ctx := context.Background()
	_, err := s.Registry().CreateAccount(ctx, s.Operator, iam.Account{ID: Account})
	must(s.t, err)
	_, err = s.Registry().CreateProject(ctx, s.Operator, iam.Project{ID: Project, Owner: Account, Name: "guide"})
	must(s.t, err)
	must(s.t, s.SeedCloud(string(Project)))
}

// A Credential is a service account that can log in.
type Credential struct {
	iam.ServiceAccount
	Secret string
}

// ServiceAccount makes a service account with rights on Project, short (computeOperator) or whole. No rights: no policy.
func (s *Server) ServiceAccount(name string, rights ...iam.Action) Credential {
	s.t.Helper()
	made, secret, err := s.Registry().CreateServiceAccount(context.Background(), s.Operator, iam.ServiceAccount{Owner: Account, Name: name})
	must(s.t, err)
	if len(rights) > 0 {
		s.Policy(iam.Policy{
			Name: name, Identities: []urn.URN{made.Identity()}, Resources: []urn.URN{urn.Project(Account.Partition, string(Project))},
			Permissions: iam.Permissions{Allow: rights},
		})
	}
	return Credential{made, secret}
}

// Policy makes a policy of Account.
func (s *Server) Policy(p iam.Policy) iam.Policy {
	s.t.Helper()
	p.Owner = Account
	made, err := s.Registry().CreatePolicy(context.Background(), s.Operator, p)
	must(s.t, err)
	return made
}

// Administrator makes a service account that may administer Account.
func (s *Server) Administrator() Credential {
	s.t.Helper()
	made, secret, _, err := s.Registry().RecoverAdministrator(context.Background(), s.Operator, Account, "administrator")
	must(s.t, err)
	return Credential{made, secret}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
