package api

import (
	"context"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
)

// ClientCredentials is the only flow of a service account; AUTHORIZATION_CODE is for people, who have no login here.
const ClientCredentials = "CLIENT_CREDENTIALS"

// A ServiceAccount is OVHcloud's oauth2.client, and after its members ours. In a PUT, members left out stay as they are; clientId,
// identity, createdAt, updatedAt and secrets are ignored; flow and disabled must not differ from what is stored.
type ServiceAccount struct {
	ClientID     string    `json:"clientId,omitzero"`
	Name         *string   `json:"name,omitzero"`
	Description  *string   `json:"description,omitzero"`
	Flow         string    `json:"flow,omitzero"`
	CallbackURLs []string  `json:"callbackUrls"`
	Identity     string    `json:"identity,omitzero"`
	CreatedAt    time.Time `json:"createdAt,omitzero"`

	UpdatedAt      *time.Time `json:"updatedAt,omitzero"`
	Disabled       *bool      `json:"disabled,omitzero"`
	DefaultProject *string    `json:"defaultProject,omitzero"` // where a bare client id logs in; "" for nowhere
	TokenLife      *int       `json:"tokenLife,omitzero"`      // seconds; 0 for the server's default
	Secrets        []Secret   `json:"secrets,omitzero"`        // left out for who may not see them
}

// A ServiceAccountCreation is OVHcloud's oauth2.clientRequest with two members of ours.
type ServiceAccountCreation struct {
	Name           string   `json:"name"`
	Description    *string  `json:"description"`
	Flow           string   `json:"flow"`
	CallbackURLs   []string `json:"callbackUrls"`
	DefaultProject string   `json:"defaultProject,omitzero"`
	TokenLife      int      `json:"tokenLife,omitzero"` // seconds
}

// A NewServiceAccount is OVHcloud's oauth2.clientSecret: the only answer that ever holds the first secret. Identity is ours, and
// saves a second request.
type NewServiceAccount struct {
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	Identity     string `json:"identity"`
}

// A Secret is one credential of a service account, without its value.
type Secret struct {
	ID            string     `json:"id"`
	Description   string     `json:"description"`
	CreatedAt     time.Time  `json:"createdAt"`
	ExpiresAt     *time.Time `json:"expiresAt"`  // null: never
	LastUsedAt    *time.Time `json:"lastUsedAt"` // null: never; up to a minute late
	LastUsedFrom  string     `json:"lastUsedFrom,omitzero"`
	LastUsedAgent string     `json:"lastUsedAgent,omitzero"`
}

// A SecretCreation asks for a further secret. At most one of ExpiresAt and ExpiresIn is given; neither: it never expires.
type SecretCreation struct {
	Description string     `json:"description,omitzero"`
	ExpiresAt   *time.Time `json:"expiresAt,omitzero"`
	ExpiresIn   int64      `json:"expiresIn,omitzero"` // seconds
}

// A Rotation asks for a new secret and says how long the others go on working.
type Rotation struct {
	Description string `json:"description,omitzero"`
	Overlap     *int64 `json:"overlap"` // seconds; 0 ends the others at once
}

// A NewSecret is a Secret with its value, which no other answer ever holds.
type NewSecret struct {
	Secret
	ClientSecret string `json:"clientSecret"`
}

func wireServiceAccount(a iam.ServiceAccount) ServiceAccount {
	return ServiceAccount{
		ClientID: string(a.ID), Name: new(a.Name), Description: new(a.Description), Flow: ClientCredentials, CallbackURLs: a.CallbackURLs,
		Identity: string(a.Identity()), CreatedAt: a.CreatedAt.UTC(), UpdatedAt: stamp(a.UpdatedAt), Disabled: new(a.Disabled),
		DefaultProject: new(string(a.DefaultProject)), TokenLife: new(int(a.TokenLife / time.Second)),
	}
}

func wireSecret(s iam.Secret) Secret {
	w := Secret{
		ID: s.ID, Description: s.Description, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: stamp(s.ExpiresAt), LastUsedAt: stamp(s.LastUsedAt),
		LastUsedAgent: s.LastUsedAgent,
	}
	if s.LastUsedFrom.IsValid() {
		w.LastUsedFrom = s.LastUsedFrom.String()
	}
	return w
}

func wireSecrets(list []iam.Secret) []Secret {
	out := make([]Secret, len(list))
	for i, s := range list {
		out[i] = wireSecret(s)
	}
	return out
}

func (s *Server) listServiceAccounts(ctx context.Context, q *query) (any, error) {
	var f registry.ServiceAccountFilter
	unused, err := q.one("unused")
	if err != nil {
		return nil, err
	}
	if unused != "" {
		d, err := age(unused)
		if err != nil {
			return nil, err
		}
		f.UnusedSince = s.now().Add(-d)
	}
	details, err := q.details()
	if err != nil {
		return nil, err
	}
	list, err := all(ctx, func(ctx context.Context, p registry.Page) ([]iam.ServiceAccount, string, error) {
		return s.registry.ServiceAccounts(ctx, q.caller, f, p)
	})
	if err != nil {
		return nil, err
	}
	if unused != "" { // one made since then has not been unused for so long
		list = slices.DeleteFunc(list, func(a iam.ServiceAccount) bool { return a.CreatedAt.After(f.UnusedSince) })
	}
	if details {
		return s.serviceAccountViews(ctx, q.caller, list)
	}
	return mapped(list, func(a iam.ServiceAccount) string { return string(a.ID) }), nil
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}

func (s *Server) createServiceAccount(ctx context.Context, q *query) (any, error) {
	var in ServiceAccountCreation
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, required("name")
	}
	if in.Description == nil {
		return nil, required("description")
	}
	if err := checkFlow(in.Flow); err != nil {
		return nil, err
	}
	life, err := seconds("tokenLife", int64(in.TokenLife))
	if err != nil {
		return nil, err
	}
	made, secret, err := s.registry.CreateServiceAccount(ctx, q.caller, iam.ServiceAccount{
		Owner: q.caller.Account, Name: in.Name, Description: *in.Description, CallbackURLs: in.CallbackURLs,
		DefaultProject: iam.ProjectID(in.DefaultProject), TokenLife: life,
	})
	if err != nil {
		return nil, err
	}
	return NewServiceAccount{ClientID: string(made.ID), ClientSecret: secret, Identity: string(made.Identity())}, nil
}

func required(member string) error {
	return &iam.Error{Kind: iam.Invalid, Code: "MISSING_PARAMETER", Message: "The member " + member + " is required."}
}

func checkFlow(flow string) error {
	switch flow {
	case ClientCredentials:
		return nil
	case "":
		return required("flow (" + ClientCredentials + ")")
	case "AUTHORIZATION_CODE":
		return iam.Errorf(iam.Invalid, "The flow AUTHORIZATION_CODE is for people, who cannot log in here yet; a service account has %s.", ClientCredentials)
	}
	return iam.Errorf(iam.Invalid, "%q is no flow; a service account has %s.", cut(flow), ClientCredentials)
}

// longest is more than anyone means, and far from where a time.Duration overflows.
const longest = 100 * 366 * 24 * time.Hour

func seconds(member string, n int64) (time.Duration, error) {
	if n < 0 || n > int64(longest/time.Second) {
		return 0, iam.Errorf(iam.Invalid, "The member %s is a number of seconds, from 0 to a hundred years.", member)
	}
	return time.Duration(n) * time.Second, nil
}

func (s *Server) getServiceAccount(ctx context.Context, q *query) (any, error) {
	a, err := s.registry.ServiceAccount(ctx, q.caller, iam.ClientID(q.arg(0)))
	if err != nil {
		return nil, err
	}
	views, err := s.serviceAccountViews(ctx, q.caller, []iam.ServiceAccount{a})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// serviceAccountViews shows service accounts, with their secrets if the caller may see those, else as OVHcloud shows them.
func (s *Server) serviceAccountViews(ctx context.Context, c iam.Caller, list []iam.ServiceAccount) ([]ServiceAccount, error) {
	out := mapped(list, wireServiceAccount)
	if allowed, err := s.may(ctx, c, iam.ActionSecretGet); err != nil || !allowed {
		return out, err
	}
	for i, a := range list {
		secrets, err := s.registry.Secrets(ctx, c, a.ID)
		if hidden(err) { // deleted since the list was read
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i].Secrets = wireSecrets(secrets)
	}
	return out, nil
}

func (s *Server) updateServiceAccount(ctx context.Context, q *query) (any, error) {
	var in ServiceAccount
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	_, err := s.registry.UpdateServiceAccount(ctx, q.caller, iam.ClientID(q.arg(0)), in.applyTo)
	return nil, err
}

// applyTo changes a to what a PUT says.
func (in *ServiceAccount) applyTo(a *iam.ServiceAccount) error {
	if in.Flow != "" && in.Flow != ClientCredentials {
		return iam.Errorf(iam.Invalid, "The flow of a service account cannot be changed; it is %s.", ClientCredentials)
	}
	if in.Disabled != nil && *in.Disabled != a.Disabled {
		return iam.Errorf(iam.Invalid, "The member disabled is changed by POST …/disable and POST …/enable, which need an action of their own.")
	}
	if in.Name != nil {
		a.Name = *in.Name
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.CallbackURLs != nil {
		a.CallbackURLs = in.CallbackURLs
	}
	if in.DefaultProject != nil {
		a.DefaultProject = iam.ProjectID(*in.DefaultProject)
	}
	if in.TokenLife != nil {
		life, err := seconds("tokenLife", int64(*in.TokenLife))
		if err != nil {
			return err
		}
		a.TokenLife = life
	}
	return nil
}

func (s *Server) deleteServiceAccount(ctx context.Context, q *query) (any, error) {
	return nil, s.registry.DeleteServiceAccount(ctx, q.caller, iam.ClientID(q.arg(0)))
}

func (s *Server) disableServiceAccount(ctx context.Context, q *query) (any, error) {
	return nil, s.setDisabled(ctx, q, true)
}

func (s *Server) enableServiceAccount(ctx context.Context, q *query) (any, error) {
	return nil, s.setDisabled(ctx, q, false)
}

func (s *Server) setDisabled(ctx context.Context, q *query, disabled bool) error {
	if err := q.decodeOptional(&struct{}{}); err != nil {
		return err
	}
	return s.registry.SetServiceAccountDisabled(ctx, q.caller, iam.ClientID(q.arg(0)), disabled)
}

func (s *Server) listSecrets(ctx context.Context, q *query) (any, error) {
	list, err := s.registry.Secrets(ctx, q.caller, iam.ClientID(q.arg(0)))
	return wireSecrets(list), err
}

func (s *Server) addSecret(ctx context.Context, q *query) (any, error) {
	var in SecretCreation
	if err := q.decodeOptional(&in); err != nil {
		return nil, err
	}
	expires, err := moment("expiresAt", in.ExpiresAt)
	if err != nil {
		return nil, err
	}
	if in.ExpiresIn != 0 {
		life, err := seconds("expiresIn", in.ExpiresIn)
		if err != nil {
			return nil, err
		}
		if in.ExpiresAt != nil {
			return nil, iam.Errorf(iam.Invalid, "Give expiresAt or expiresIn, not both.")
		}
		expires = s.now().UTC().Add(life)
	}
	made, value, err := s.registry.AddSecret(ctx, q.caller, iam.ClientID(q.arg(0)), in.Description, expires)
	if err != nil {
		return nil, err
	}
	return NewSecret{Secret: wireSecret(made), ClientSecret: value}, nil
}

func (s *Server) rotateSecrets(ctx context.Context, q *query) (any, error) {
	var in Rotation
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Overlap == nil {
		return nil, required("overlap, the seconds for which the present secrets go on working (0 ends them at once),")
	}
	overlap, err := seconds("overlap", *in.Overlap)
	if err != nil {
		return nil, err
	}
	made, value, err := s.registry.RotateSecrets(ctx, q.caller, iam.ClientID(q.arg(0)), in.Description, overlap)
	if err != nil {
		return nil, err
	}
	return NewSecret{Secret: wireSecret(made), ClientSecret: value}, nil
}

func (s *Server) deleteSecret(ctx context.Context, q *query) (any, error) {
	return nil, s.registry.DeleteSecret(ctx, q.caller, iam.ClientID(q.arg(0)), q.arg(1))
}
