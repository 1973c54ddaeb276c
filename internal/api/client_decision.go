package api

import (
	"context"
	"net/http"
	"net/url"
)

const decisionPath = "/v1/me/api/decision"

// Decision looks up a decision by one of the ids that the answer had.
func (c *Client) Decision(ctx context.Context, id string) (ExplainedDecision, error) {
	return get[ExplainedDecision](ctx, c, decisionPath+"/"+url.PathEscape(id), nil)
}

// PreviewDecision asks about a call before the fact.
func (c *Client) PreviewDecision(ctx context.Context, in DecisionQuestion) (ExplainedDecision, error) {
	return write[ExplainedDecision](ctx, c, http.MethodPost, decisionPath, in)
}

// Refusals lists the latest refusals, of one service account or, with "", of all: at most size, from a cursor on, and gives the next cursor.
func (c *Client) Refusals(ctx context.Context, serviceAccount, cursor string, size int) (list []Decision, next string, err error) {
	params := url.Values{}
	if serviceAccount != "" {
		params.Set("serviceAccount", serviceAccount)
	}
	return onePage[Decision](ctx, c, decisionPath, params, cursor, size)
}
