package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

// What dev starts with: the guide's account in two partitions, the guide's project in the first of them.
const devAccount = "xx11111-ovh"

var devProjects = map[string]string{"eu": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "ca": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0fca"}

// A devCredential is kept in clear beside the state it opens: dev is a place to try things, not to keep them.
type devCredential struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// devState is what dev remembers of itself over a restart, by partition.
type devState struct {
	Admin  map[string]devCredential `json:"admin"`
	Client map[string]devCredential `json:"client"`
}

// devCloud is a running stackgate dev.
type devCloud struct {
	options devOptions
	server  *server.Server
	state   devState
}

// openDev opens or makes the state in o.dir and everything that dev promises to be there.
func openDev(ctx context.Context, o devOptions, log *slog.Logger) (_ *devCloud, err error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	master, audit, err := makeKeyFiles(filepath.Join(o.dir, "master.key"), filepath.Join(o.dir, "audit.key"))
	if err != nil {
		return nil, err
	}
	d := &devCloud{options: o}
	d.server, err = server.New(ctx, server.Config{
		PublicURL: o.publicURL, Database: filepath.Join(o.dir, "stackgate.db"), Master: master, AuditKey: audit,
		Sandbox: &server.Sandbox{Dir: filepath.Join(o.dir, "cloud")}, TokenLife: o.tokenLife, MinTokenLife: min(o.tokenLife, 10*time.Minute), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	if err := d.ensure(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the state in %s: %w", o.dir, err), d.server.Close())
	}
	return d, nil
}

// makeKeyFiles reads the two key files, making those that are missing.
func makeKeyFiles(masterFile, auditFile string) (master []byte, audit ed25519.PrivateKey, err error) {
	if _, err := os.Stat(masterFile); errors.Is(err, os.ErrNotExist) {
		if err := writePrivate(masterFile, keys.NewMaster()); err != nil {
			return nil, nil, fmt.Errorf("master key: %w", err)
		}
	}
	if _, err := os.Stat(auditFile); errors.Is(err, os.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, nil, err
		}
		text := base64.StdEncoding.EncodeToString(key.Seed()) + "\n"
		if err := writePrivate(auditFile, []byte(text)); err != nil {
			return nil, nil, fmt.Errorf("audit key: %w", err)
		}
	}
	c := Config{MasterKeyFile: masterFile}
	if master, err = c.master(); err != nil {
		return nil, nil, err
	}
	audit, err = readAuditKey(auditFile)
	return master, audit, err
}

// ensure makes what is missing: accounts, projects, the administrators, the guide's service accounts and policies, the server name_vm.
func (d *devCloud) ensure(ctx context.Context) error {
	if data, err := os.ReadFile(d.path("dev.json")); err == nil {
		if err := json.Unmarshal(data, &d.state); err != nil {
			return fmt.Errorf("%s: %w", d.path("dev.json"), err)
		}
	}
	if d.state.Admin == nil || d.state.Client == nil {
		d.state = devState{Admin: map[string]devCredential{}, Client: map[string]devCredential{}}
	}
	for _, partition := range []string{"eu", "ca"} {
		if err := d.ensurePartition(ctx, partition); err != nil {
			return err
		}
		if err := d.server.SeedCloud(devProjects[partition]); err != nil {
			return err
		}
	}
	data, err := json.Marshal(d.state)
	if err != nil {
		return err
	}
	return writePrivate(d.path("dev.json"), data)
}

func (d *devCloud) ensurePartition(ctx context.Context, partition string) error {
	reg := d.server.Registry()
	account := urn.Account{Partition: urn.Partition(partition), Name: devAccount}
	c := iam.Caller{Operator: "dev", Account: account}
	_, err := reg.CreateAccount(ctx, c, iam.Account{ID: account, Description: "The guide's account"})
	if err := ignoreConflict(err); err != nil {
		return err
	}
	project := iam.Project{ID: iam.ProjectID(devProjects[partition]), Owner: account, Name: "guide", Description: "The guide's project"}
	_, err = reg.CreateProject(ctx, c, project)
	if err := ignoreConflict(err); err != nil {
		return err
	}
	admin, err := ensureCredential(ctx, reg, c, d.state.Admin[partition], "administrator", iam.Policy{
		Name: "administrator", Description: "Administers the account",
		Resources:         []urn.URN{urn.AccountResource(account), urn.URN("urn:v1:" + partition + ":resource:*")},
		PermissionsGroups: []urn.URN{urn.PermissionsGroup(account.Partition, "ovh", "globalAdmin")},
	})
	if err != nil {
		return err
	}
	client, err := ensureCredential(ctx, reg, c, d.state.Client[partition], "guide", iam.Policy{
		Name: "guide", Description: "Demo for service account guide with openstack",
		Resources:   []urn.URN{urn.Project(account.Partition, devProjects[partition])},
		Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:infrastructureSupervisor"}},
	})
	if err != nil {
		return err
	}
	d.state.Admin[partition], d.state.Client[partition] = admin, client
	return nil
}

// ensureCredential keeps a credential that still logs in, and otherwise makes a service account with the policy.
func ensureCredential(ctx context.Context, reg *registry.Registry, c iam.Caller, have devCredential, name string, p iam.Policy) (devCredential, error) {
	if have.ClientID != "" {
		_, err := reg.Authenticate(ctx, iam.ClientID(have.ClientID), have.Secret, registry.Use{Agent: "stackgate dev"})
		if err == nil || !errors.Is(err, iam.Unauthenticated) {
			return have, err
		}
	}
	made, secret, err := reg.CreateServiceAccount(ctx, c, iam.ServiceAccount{Owner: c.Account, Name: name, Description: p.Description})
	if err != nil {
		return have, err
	}
	p.Owner, p.Identities = c.Account, []urn.URN{made.Identity()}
	for i := 2; ; i++ {
		_, err := reg.CreatePolicy(ctx, c, p)
		if err == nil {
			return devCredential{ClientID: string(made.ID), Secret: secret}, nil
		}
		if !errors.Is(err, iam.Conflict) {
			return have, err
		}
		p.Name = fmt.Sprintf("%s-%d", name, i) // of an earlier service account, now deleted or locked out
	}
}

func ignoreConflict(err error) error {
	if errors.Is(err, iam.Conflict) {
		return nil
	}
	return err
}
