// Package registry is the one door to the data: the caller is checked, the change made and the audit record written in one
// transaction. It keeps the cache of compiled policies.
package registry

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

var errTODO = errors.New("not implemented")

// Config configures a Registry.
type Config struct{}

// A Registry is safe for concurrent use.
type Registry struct{}

// New opens a registry over a store.
func New(ctx context.Context, c Config) (*Registry, error) { return nil, errTODO }

// Run keeps the cache exact (polls the change table) and writes last-use times until ctx ends; then it flushes them.
func (r *Registry) Run(ctx context.Context) error { return errTODO }

// ---- logging in and using tokens (no caller yet: the credential is the caller)

// A Login is an authenticated service account.
type Login struct {
	Account  iam.ServiceAccount
	SecretID string
}

// A Use says where a credential was used from, for last-used.
type Use struct {
	Address netip.Addr
	Agent   string // User-Agent, cut to 128 characters
}

// Authenticate checks a client's secret. An unknown client, a wrong, expired or revoked secret, and a disabled service account or
// account do the same work and give the same iam.Unauthenticated.
func (r *Registry) Authenticate(ctx context.Context, id iam.ClientID, secret string, use Use) (Login, error) {
	return Login{}, errTODO
}

// Check reports whether a token (already opened and of the right purpose) still stands: not expired, service account and account enabled, secret
// not revoked or expired, token not revoked. It returns the service account; otherwise iam.Unauthenticated, or iam.Unavailable when that
// cannot be known. It answers from memory on the hot path. The project, if any, is not looked at: Roles does that.
func (r *Registry) Check(ctx context.Context, t iam.Token) (*iam.ServiceAccount, error) {
	return nil, errTODO
}

// CheckExpired is Check for a token that may have expired up to window ago (Keystone's allow_expired).
func (r *Registry) CheckExpired(ctx context.Context, t iam.Token, window time.Duration) (*iam.ServiceAccount, error) {
	return nil, errTODO
}

// Roles gives the roles of a service account on a project now, from addr (invalid: unknown). A project that is unknown, disabled or
// another account's gives no roles and no error. iam.Unavailable when the database is away for longer than the staleness allowed.
func (r *Registry) Roles(ctx context.Context, id iam.ClientID, project iam.ProjectID, addr netip.Addr) (rbac.Roles, error) {
	return 0, errTODO
}

// ProjectRights are the rights of an identity on one project.
type ProjectRights struct {
	Project iam.Project
	Rights  []iam.Action // of the eleven, in the table's order
	Roles   rbac.Roles
}

// ProjectRights lists the enabled projects of the account on which the service account has at least one role, by id.
func (r *Registry) ProjectRights(ctx context.Context, id iam.ClientID, addr netip.Addr) ([]ProjectRights, error) {
	return nil, errTODO
}

// ProjectByID gives a project for whoever has a role on it (Keystone's token bodies); iam.NotFound otherwise.
func (r *Registry) ProjectByID(ctx context.Context, id iam.ClientID, project iam.ProjectID, addr netip.Addr) (iam.Project, error) {
	return iam.Project{}, errTODO
}

// ProjectByName is ProjectByID for a name, within the service account's own account; names are unique there.
func (r *Registry) ProjectByName(ctx context.Context, id iam.ClientID, name string, addr netip.Addr) (iam.Project, error) {
	return iam.Project{}, errTODO
}

// RevokeToken ends one token at once, in every replica, by its audit id.
func (r *Registry) RevokeToken(ctx context.Context, c iam.Caller, t iam.Token) error { return errTODO }

// ---- decisions for the management API

// Decide answers whether the caller may do action on resource, with reasons.
func (r *Registry) Decide(ctx context.Context, c iam.Caller, action iam.Action, resource urn.URN) (iam.Decision, error) {
	return iam.Decision{}, errTODO
}

// ---- management. Each method names the IAM action it needs (ovh-iam.md §2, §4); without it: iam.Denied with Actions set.
// Things of another account are iam.NotFound. Lists are ordered by id and paged.

// A Page asks for a part of a list. Limit 0 is the default (100); over 1000 is cut to 1000.
type Page struct {
	After string // the cursor: the id of the last item seen, "" for the start
	Limit int
}

// ServiceAccountFilter narrows a list of service accounts.
type ServiceAccountFilter struct {
	UnusedSince time.Time // zero: no filter; else only those whose secrets were all last used before it
}

func (r *Registry) ServiceAccounts(ctx context.Context, c iam.Caller, f ServiceAccountFilter, p Page) (list []iam.ServiceAccount, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) ServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID) (iam.ServiceAccount, error) {
	return iam.ServiceAccount{}, errTODO
}

// CreateServiceAccount makes a service account with its first secret; the secret's value is returned here only. ID "" is generated.
func (r *Registry) CreateServiceAccount(ctx context.Context, c iam.Caller, s iam.ServiceAccount) (made iam.ServiceAccount, secret string, err error) {
	return iam.ServiceAccount{}, "", errTODO
}

// UpdateServiceAccount applies change to the stored row (compare and swap; change may run more than once).
func (r *Registry) UpdateServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID, change func(*iam.ServiceAccount) error) (iam.ServiceAccount, error) {
	return iam.ServiceAccount{}, errTODO
}
func (r *Registry) DeleteServiceAccount(ctx context.Context, c iam.Caller, id iam.ClientID) error {
	return errTODO
}

// SetServiceAccountDisabled disables or enables; repeating is no error.
func (r *Registry) SetServiceAccountDisabled(ctx context.Context, c iam.Caller, id iam.ClientID, disabled bool) error {
	return errTODO
}
func (r *Registry) Secrets(ctx context.Context, c iam.Caller, id iam.ClientID) ([]iam.Secret, error) {
	return nil, errTODO
}

// AddSecret makes a further secret; its value is returned here only.
func (r *Registry) AddSecret(ctx context.Context, c iam.Caller, id iam.ClientID, description string, expires time.Time) (iam.Secret, string, error) {
	return iam.Secret{}, "", errTODO
}

// RotateSecrets makes a new secret and lets every other expire after overlap (0: at once).
func (r *Registry) RotateSecrets(ctx context.Context, c iam.Caller, id iam.ClientID, description string, overlap time.Duration) (iam.Secret, string, error) {
	return iam.Secret{}, "", errTODO
}
func (r *Registry) DeleteSecret(ctx context.Context, c iam.Caller, id iam.ClientID, secretID string) error {
	return errTODO
}

// PolicyFilter narrows a list of policies; empty members do not.
type PolicyFilter struct {
	Actions    []iam.Action
	Identities []urn.URN
	Resources  []urn.URN
	ReadOnly   *bool
}

func (r *Registry) Policies(ctx context.Context, c iam.Caller, f PolicyFilter, p Page) (list []iam.Policy, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) Policy(ctx context.Context, c iam.Caller, id string) (iam.Policy, error) {
	return iam.Policy{}, errTODO
}
func (r *Registry) CreatePolicy(ctx context.Context, c iam.Caller, p iam.Policy) (iam.Policy, error) {
	return iam.Policy{}, errTODO
}

// ReplacePolicy sets everything but id, owner and creation.
func (r *Registry) ReplacePolicy(ctx context.Context, c iam.Caller, id string, p iam.Policy) (iam.Policy, error) {
	return iam.Policy{}, errTODO
}
func (r *Registry) DeletePolicy(ctx context.Context, c iam.Caller, id string) error { return errTODO }

func (r *Registry) PermissionsGroups(ctx context.Context, c iam.Caller, p Page) (list []iam.PermissionsGroup, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) PermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN) (iam.PermissionsGroup, error) {
	return iam.PermissionsGroup{}, errTODO
}
func (r *Registry) CreatePermissionsGroup(ctx context.Context, c iam.Caller, g iam.PermissionsGroup) (iam.PermissionsGroup, error) {
	return iam.PermissionsGroup{}, errTODO
}
func (r *Registry) ReplacePermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN, g iam.PermissionsGroup) (iam.PermissionsGroup, error) {
	return iam.PermissionsGroup{}, errTODO
}
func (r *Registry) DeletePermissionsGroup(ctx context.Context, c iam.Caller, u urn.URN) error {
	return errTODO
}

func (r *Registry) ResourceGroups(ctx context.Context, c iam.Caller, p Page) (list []iam.ResourceGroup, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) ResourceGroup(ctx context.Context, c iam.Caller, id string) (iam.ResourceGroup, error) {
	return iam.ResourceGroup{}, errTODO
}
func (r *Registry) CreateResourceGroup(ctx context.Context, c iam.Caller, g iam.ResourceGroup) (iam.ResourceGroup, error) {
	return iam.ResourceGroup{}, errTODO
}
func (r *Registry) ReplaceResourceGroup(ctx context.Context, c iam.Caller, id string, g iam.ResourceGroup) (iam.ResourceGroup, error) {
	return iam.ResourceGroup{}, errTODO
}
func (r *Registry) DeleteResourceGroup(ctx context.Context, c iam.Caller, id string) error {
	return errTODO
}

// A TagFilter narrows resources by one tag: EQ, NEQ, EXISTS, NEXISTS, LIKE, ILIKE.
type TagFilter struct{ Key, Operator, Value string }

// ResourceFilter narrows a list of resources; empty members do not. URNs may be patterns.
type ResourceFilter struct {
	Names, Types []string
	URNs         []urn.URN
	Tags         []TagFilter
}

// Resources lists what the caller can see: the account itself and its projects on which it has any action.
func (r *Registry) Resources(ctx context.Context, c iam.Caller, f ResourceFilter, p Page) (list []iam.Resource, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) Resource(ctx context.Context, c iam.Caller, u urn.URN) (iam.Resource, error) {
	return iam.Resource{}, errTODO
}

// SetTags replaces all tags.
func (r *Registry) SetTags(ctx context.Context, c iam.Caller, u urn.URN, tags map[string]string) (iam.Resource, error) {
	return iam.Resource{}, errTODO
}
func (r *Registry) AddTag(ctx context.Context, c iam.Caller, u urn.URN, key, value string) error {
	return errTODO
}
func (r *Registry) RemoveTag(ctx context.Context, c iam.Caller, u urn.URN, key string) error {
	return errTODO
}

// ---- accounts and projects: creating, disabling and deleting are the operator's; reading one's own needs an IAM action

func (r *Registry) Accounts(ctx context.Context, c iam.Caller, p Page) (list []iam.Account, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) Account(ctx context.Context, c iam.Caller, id urn.Account) (iam.Account, error) {
	return iam.Account{}, errTODO
}
func (r *Registry) CreateAccount(ctx context.Context, c iam.Caller, a iam.Account) (iam.Account, error) {
	return iam.Account{}, errTODO
}
func (r *Registry) SetAccountDisabled(ctx context.Context, c iam.Caller, id urn.Account, disabled bool) error {
	return errTODO
}

// Projects lists the caller's account's projects (all accounts' for an operator whose Account is zero).
func (r *Registry) Projects(ctx context.Context, c iam.Caller, p Page) (list []iam.Project, next string, err error) {
	return nil, "", errTODO
}
func (r *Registry) Project(ctx context.Context, c iam.Caller, id iam.ProjectID) (iam.Project, error) {
	return iam.Project{}, errTODO
}

// CreateProject makes a project; ID "" is generated.
func (r *Registry) CreateProject(ctx context.Context, c iam.Caller, p iam.Project) (iam.Project, error) {
	return iam.Project{}, errTODO
}
func (r *Registry) SetProjectDisabled(ctx context.Context, c iam.Caller, id iam.ProjectID, disabled bool) error {
	return errTODO
}
