package oidc

import (
	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/keys"
)

// metadata is OpenID Provider Metadata (OpenID Connect Discovery 1.0 §3). keystoneauth reads token_endpoint and, if it is there,
// grant_types_supported; Apache's mod_auth_openidc insists on the other endpoints and on at least one response type.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	GrantTypes            []string `json:"grant_types_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"` // both: a change of algorithm overlaps
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	Scopes                []string `json:"scopes_supported"`
	Claims                []string `json:"claims_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"` // absent would mean true
}

func document(issuer string) ([]byte, error) {
	return json.Marshal(metadata{
		Issuer:                issuer,
		AuthorizationEndpoint: issuer + "/authorize",
		TokenEndpoint:         issuer + "/token",
		JWKSURI:               issuer + "/jwks",
		GrantTypes:            []string{"client_credentials"},
		ResponseTypes:         []string{"id_token"},
		SubjectTypes:          []string{"public"},
		SigningAlgorithms:     []string{keys.ES256, keys.RS256},
		AuthMethods:           []string{"client_secret_basic", "client_secret_post"},
		Scopes:                []string{"openid", "profile", "email", scopeAllProjects},
		Claims:                []string{"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "secret_id", "groups", "provider"},
	})
}
