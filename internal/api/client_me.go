package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// get reads one thing.
func get[T any](ctx context.Context, c *Client, path string, params url.Values) (T, error) {
	var out T
	_, err := c.do(ctx, call{method: http.MethodGet, path: path, params: params, out: &out})
	return out, err
}

// write sends in and reads what comes back.
func write[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	_, err := c.do(ctx, call{method: method, path: path, in: in, out: &out})
	return out, err
}

// tell makes a call whose answer is null.
func (c *Client) tell(ctx context.Context, method, path string, in any) error {
	_, err := c.do(ctx, call{method: method, path: path, in: in})
	return err
}

// pages reads a list of /v2 to its end.
func pages[T any](ctx context.Context, c *Client, path string, params url.Values) ([]T, error) {
	var list []T
	cursor := ""
	for {
		part, next, err := onePage[T](ctx, c, path, params, cursor, 1000)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
		if next == "" || next == cursor {
			return list, nil
		}
		cursor = next
	}
}

func onePage[T any](ctx context.Context, c *Client, path string, params url.Values, cursor string, size int) (list []T, next string, err error) {
	k := call{method: http.MethodGet, path: path, params: params, header: http.Header{}, out: &list}
	k.header.Set(headerSize, strconv.Itoa(size))
	if cursor != "" {
		k.header.Set(headerCursor, cursor)
	}
	header, err := c.do(ctx, k)
	if err != nil {
		return nil, "", err
	}
	return list, header.Get(headerNext), nil
}

// clientPath gives the path of a service account, and of what lies below it.
func clientPath(id string, below ...string) string {
	path := "/v1/me/api/oauth2/client/" + url.PathEscape(id)
	for _, b := range below {
		path += "/" + url.PathEscape(b)
	}
	return path
}

// AuthDetails asks who we are.
func (c *Client) AuthDetails(ctx context.Context) (AuthDetails, error) {
	return get[AuthDetails](ctx, c, "/v1/auth/details", nil)
}

// ServiceAccountIDs lists the client ids of the account's service accounts.
func (c *Client) ServiceAccountIDs(ctx context.Context) ([]string, error) {
	return get[[]string](ctx, c, "/v1/me/api/oauth2/client", nil)
}

// ServiceAccounts lists the account's service accounts, with their secrets' metadata if we may see them. unused, such as 90d, keeps only those not used for that
// long; "" keeps all.
func (c *Client) ServiceAccounts(ctx context.Context, unused string) ([]ServiceAccount, error) {
	params := url.Values{"details": {"true"}}
	if unused != "" {
		params.Set("unused", unused)
	}
	return get[[]ServiceAccount](ctx, c, "/v1/me/api/oauth2/client", params)
}

// ServiceAccount reads one service account, with its secrets' metadata if we may see them.
func (c *Client) ServiceAccount(ctx context.Context, id string) (ServiceAccount, error) {
	return get[ServiceAccount](ctx, c, clientPath(id), nil)
}

// CreateServiceAccount makes a service account; only this answer holds its secret.
func (c *Client) CreateServiceAccount(ctx context.Context, in ServiceAccountCreation) (NewServiceAccount, error) {
	return write[NewServiceAccount](ctx, c, http.MethodPost, "/v1/me/api/oauth2/client", in)
}

// UpdateServiceAccount changes the members of in that are set.
func (c *Client) UpdateServiceAccount(ctx context.Context, id string, in ServiceAccount) error {
	return c.tell(ctx, http.MethodPut, clientPath(id), in)
}

// DeleteServiceAccount deletes for good; tokens end at once.
func (c *Client) DeleteServiceAccount(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodDelete, clientPath(id), nil)
}

// DisableServiceAccount stops a service account until it is enabled again.
func (c *Client) DisableServiceAccount(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodPost, clientPath(id, "disable"), nil)
}

// EnableServiceAccount undoes DisableServiceAccount.
func (c *Client) EnableServiceAccount(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodPost, clientPath(id, "enable"), nil)
}

// Secrets lists the secrets of a service account, without their values.
func (c *Client) Secrets(ctx context.Context, id string) ([]Secret, error) {
	return get[[]Secret](ctx, c, clientPath(id, "secret"), nil)
}

// AddSecret makes a further secret; only this answer holds its value.
func (c *Client) AddSecret(ctx context.Context, id string, in SecretCreation) (NewSecret, error) {
	return write[NewSecret](ctx, c, http.MethodPost, clientPath(id, "secret"), in)
}

// RotateSecrets makes a new secret and lets the others end after the overlap.
func (c *Client) RotateSecrets(ctx context.Context, id string, in Rotation) (NewSecret, error) {
	return write[NewSecret](ctx, c, http.MethodPost, clientPath(id, "secret", "rotate"), in)
}

// DeleteSecret ends a secret, and the tokens made with it, at once.
func (c *Client) DeleteSecret(ctx context.Context, id, secretID string) error {
	return c.tell(ctx, http.MethodDelete, clientPath(id, "secret", secretID), nil)
}

// Access asks what we may do on OpenStack, and which policies say so.
func (c *Client) Access(ctx context.Context) (Access, error) {
	return get[Access](ctx, c, "/v1/auth/access", nil)
}

// Me reads our account.
func (c *Client) Me(ctx context.Context) (Me, error) { return get[Me](ctx, c, "/v1/me", nil) }

// ProjectIDs lists the account's projects.
func (c *Client) ProjectIDs(ctx context.Context) ([]string, error) {
	return get[[]string](ctx, c, "/v1/cloud/project", nil)
}

// Project reads one project.
func (c *Client) Project(ctx context.Context, id string) (Project, error) {
	return get[Project](ctx, c, "/v1/cloud/project/"+url.PathEscape(id), nil)
}
