package server

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/gateway"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keystone"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/sandbox"
)

// services are what the catalog lists beside identity: type and name as OVHcloud's catalog has them.
var services = [...]struct {
	typ, name string
	service   rbac.Service
}{
	{"compute", "nova", rbac.Compute},
	{"volumev3", "cinderv3", rbac.Volume},
	{"image", "glance", rbac.Image},
	{"network", "neutron", rbac.Network},
	{"object-store", "swift", rbac.ObjectStore},
	{"ai-training", "ai-training", rbac.AITraining},
}

func (s *Server) openCloud(context.Context) (err error) {
	if s.c.Sandbox == nil {
		return nil
	}
	if s.c.Sandbox.Regions == nil {
		s.c.Sandbox.Regions = []string{"GRA1", "BHS1"}
	}
	if s.c.Sandbox.Aliases == nil {
		s.c.Sandbox.Aliases = map[string]string{"GRA": "GRA1"}
	}
	s.cloud, err = sandbox.New(sandbox.Config{
		Dir: s.c.Sandbox.Dir, Regions: s.c.Sandbox.Regions, Aliases: s.c.Sandbox.Aliases, Now: s.c.Now, ServiceURL: s.serviceURL,
	})
	if err != nil {
		return fmt.Errorf("open the embedded cloud: %w", err)
	}
	return nil
}

// serviceURL is the public root of a service in a region; service is the segment of the gateway's paths.
func (s *Server) serviceURL(region, service string) string {
	return serviceURLs(s.c.PublicURL)(region, service)
}

func serviceURLs(publicURL string) func(region, service string) string {
	return func(region, service string) string { return publicURL + "/" + region + "/" + service }
}

// sortedRegions are the regions and their aliases, as the catalog shows them.
func (s *Server) sortedRegions() []string {
	names := append(slices.Clone(s.c.Sandbox.Regions), slices.Collect(maps.Keys(s.c.Sandbox.Aliases))...)
	slices.Sort(names)
	return names
}

// sandboxServices are the services of one of the embedded cloud's regions.
func (s *Server) sandboxServices(region string) gateway.Services {
	out := gateway.Services{}
	for _, v := range services {
		out[v.service] = s.cloud.Handler(region, string(v.service))
	}
	return out
}

func (s *Server) openGateway() error {
	table, err := s.operations()
	if err != nil {
		return fmt.Errorf("operation table: %w", err)
	}
	s.gateway, err = gateway.New(gateway.Config{
		Table: table, Open: s.openBearer, Still: s.stillStands, Roles: s.rolesOf, Rights: iam.CheapestRights, KnownProject: s.knownProject, Clouds: func() gateway.Clouds { return s.clouds.now.Load().behind },
		Away: s.cloudsAway,
		Held: s.rightsOf, Record: s.registry.Record, Sample: uint32(max(s.c.Decisions.Sample, 0)), IdentityURL: s.c.PublicURL + "/v3", BodyWait: s.c.BodyWait, Now: s.c.Now,
	})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}

// operations compiles the operation table with the operator's files.
func (s *Server) operations() (*rbac.Table, error) {
	if s.c.OperationsDir == "" {
		return rbac.NewTable()
	}
	files, err := rbac.ReadFiles(s.c.OperationsDir)
	if err != nil {
		return nil, err
	}
	return rbac.NewTable(files...)
}

// knownProject reports whether a call without a token may go on to a project's storage: the project is there and enabled.
func (s *Server) knownProject(id string) bool {
	project, err := iam.ParseProjectID(id)
	if err != nil {
		return false
	}
	p, err := s.registry.Project(context.Background(), iam.Caller{Operator: "gateway"}, project)
	return err == nil && !p.Disabled
}

func (s *Server) rolesOf(ctx context.Context, b gateway.Bearer, addr netip.Addr) (rbac.Roles, error) {
	return s.registry.Roles(ctx, b.Token.ClientID, b.Token.Project, addr)
}

func (s *Server) rightsOf(ctx context.Context, b gateway.Bearer, addr netip.Addr) ([]iam.Action, error) {
	return s.registry.Rights(ctx, b.Token.ClientID, b.Token.Project, addr)
}

// preview has the gateway judge a call that nobody has made.
func (s *Server) preview(ctx context.Context, account iam.ServiceAccount, c api.Call) (audit.Decision, error) {
	return s.gateway.Preview(ctx, gateway.Question{
		Bearer:  gateway.Bearer{Token: iam.Token{ClientID: account.ID, Project: c.Project}, Identity: account.Identity()},
		Address: c.Address, Service: c.Service, Method: c.Method, Target: c.Target, Header: c.Header, Body: c.Body,
	})
}

// SeedCloud puts the guide's server into a project of the embedded cloud, if it is not there yet.
func (s *Server) SeedCloud(project string) error {
	if s.cloud == nil {
		return nil
	}
	return s.cloud.Seed(project)
}

// openBearer opens an Identity token and finds out whether it still stands.
func (s *Server) openBearer(ctx context.Context, token string) (gateway.Bearer, error) {
	t, account, err := keystone.OpenToken(ctx, s.ring, s.registry, token)
	if err != nil {
		return gateway.Bearer{}, err
	}
	return gateway.Bearer{Token: t, UserID: keystone.UserID(account), UserName: string(account.ID), Identity: account.Identity()}, nil
}

// longestCall is for how long a call may go on after its token has expired. Until then is known which tokens were revoked.
const longestCall = 48 * time.Hour

func (s *Server) stillStands(ctx context.Context, b gateway.Bearer) error {
	_, err := s.registry.CheckExpired(ctx, b.Token, longestCall)
	return err
}
