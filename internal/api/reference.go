package api

import (
	"context"
	"slices"

	"github.com/stackgate/stackgate/internal/iam"
)

// A ReferenceAction is OVHcloud's iam.action.Action: an action that policies can name.
type ReferenceAction struct {
	Action             string   `json:"action"`
	Description        string   `json:"description"`
	ResourceType       string   `json:"resourceType"`
	Categories         []string `json:"categories"`
	HasQueryParameters bool     `json:"hasQueryParameters"`
}

func wireReferenceAction(a iam.ReferenceAction) ReferenceAction {
	return ReferenceAction{
		Action: string(a.Action), Description: a.Description, ResourceType: a.ResourceType,
		Categories: mapped(a.Categories, func(c iam.Category) string { return string(c) }),
	}
}

// referenceActions lists the actions that this server knows, which is no secret. A resource type that it does not know has none.
func (s *Server) referenceActions(_ context.Context, q *query) (any, error) {
	list := iam.ReferenceActions()
	if types := q.params["resourceType"]; len(types) > 0 {
		list = slices.DeleteFunc(list, func(a iam.ReferenceAction) bool { return !slices.Contains(types, a.ResourceType) })
	}
	return mapped(list, wireReferenceAction), nil
}

func (s *Server) resourceTypes(context.Context, *query) (any, error) { return iam.ResourceTypes(), nil }

// listRefreshTokens is always empty: refresh tokens belong to the authorization code flow, which is for people.
func (s *Server) listRefreshTokens(ctx context.Context, q *query) (any, error) {
	return []string{}, s.demand(ctx, q.caller, iam.ActionTokenGet)
}

func (s *Server) getRefreshToken(ctx context.Context, q *query) (any, error) {
	if err := s.demand(ctx, q.caller, iam.ActionTokenGet); err != nil {
		return nil, err
	}
	return nil, noRefreshToken()
}

func (s *Server) deleteRefreshToken(ctx context.Context, q *query) (any, error) {
	if err := s.demand(ctx, q.caller, iam.ActionTokenDelete); err != nil {
		return nil, err
	}
	return nil, noRefreshToken()
}

func noRefreshToken() error {
	return iam.Errorf(iam.NotFound, "There is no such refresh token; service accounts have none.")
}
