package api

import "context"

// An AuthDetails says who the caller is, as OVHcloud's auth.Details.
type AuthDetails struct {
	Account       string   `json:"account"`
	AllowedRoutes []string `json:"allowedRoutes,format:emitnull"` // null: IAM decides, not the credential
	Description   string   `json:"description"`
	Identities    []string `json:"identities"`
	Method        string   `json:"method"`
	Roles         []string `json:"roles"`
	User          *string  `json:"user"` // null: no person
}

// authDetails needs no IAM action: programs ask it first, to learn whose credential they hold.
func (s *Server) authDetails(_ context.Context, q *query) (any, error) {
	return AuthDetails{
		Account: q.caller.Account.Name, Description: q.account.Description, Identities: []string{string(q.caller.Identity)},
		Method: "oauth2_client_credentials", Roles: []string{},
	}, nil
}
