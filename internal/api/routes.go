package api

import "strings"

// table lists every route. What each needs of IAM stands with the registry's method behind it, which judges.
func (s *Server) table() []route {
	return []route{
		at("GET", "v1/auth/details", s.authDetails),
		at("GET", "v1/me/api/oauth2/client", s.listServiceAccounts, "unused", "details"),
		at("POST", "v1/me/api/oauth2/client", s.createServiceAccount),
		at("GET", "v1/me/api/oauth2/client/{}", s.getServiceAccount),
		at("PUT", "v1/me/api/oauth2/client/{}", s.updateServiceAccount),
		at("DELETE", "v1/me/api/oauth2/client/{}", s.deleteServiceAccount),
		at("POST", "v1/me/api/oauth2/client/{}/disable", s.disableServiceAccount),
		at("POST", "v1/me/api/oauth2/client/{}/enable", s.enableServiceAccount),
		at("GET", "v1/me/api/oauth2/client/{}/secret", s.listSecrets),
		at("POST", "v1/me/api/oauth2/client/{}/secret", s.addSecret),
		at("POST", "v1/me/api/oauth2/client/{}/secret/rotate", s.rotateSecrets),
		at("DELETE", "v1/me/api/oauth2/client/{}/secret/{}", s.deleteSecret),

		at("GET", "v2/iam/policy", s.listPolicies, "action", "identity", "resourceURN", "readOnly", "details"),
		at("POST", "v2/iam/policy", s.createPolicy),
		at("GET", "v2/iam/policy/{}", s.getPolicy, "details"),
		at("PUT", "v2/iam/policy/{}", s.replacePolicy),
		at("DELETE", "v2/iam/policy/{}", s.deletePolicy),
	}
}

func at(method, pattern string, h handler, params ...string) route {
	return route{method: method, pattern: strings.Split(pattern, "/"), params: params, handle: h}
}
