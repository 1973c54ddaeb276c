package api

import "strings"

// table lists every route. What each needs of IAM stands with the registry's method behind it, which judges.
func (s *Server) table() []route {
	return []route{
		at("GET", "v1/auth/details", s.authDetails),
		at("GET", "v1/auth/access", s.authAccess),
		at("GET", "v1/me", s.me),
		at("GET", "v1/cloud/project", s.listProjects),
		at("GET", "v1/cloud/project/{}", s.getProject),

		at("GET", "v1/me/api/decision", s.listRefusals, "serviceAccount"),
		at("POST", "v1/me/api/decision", s.previewDecision),
		at("GET", "v1/me/api/decision/{}", s.getDecision),

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
		at("GET", "v1/me/api/oauth2/token", s.listRefreshTokens),
		at("GET", "v1/me/api/oauth2/token/{}", s.getRefreshToken),
		at("DELETE", "v1/me/api/oauth2/token/{}", s.deleteRefreshToken),

		at("GET", "v2/iam/policy", s.listPolicies, "action", "identity", "resourceURN", "readOnly", "details"),
		at("POST", "v2/iam/policy", s.createPolicy),
		at("GET", "v2/iam/policy/{}", s.getPolicy, "details"),
		at("PUT", "v2/iam/policy/{}", s.replacePolicy),
		at("DELETE", "v2/iam/policy/{}", s.deletePolicy),

		at("GET", "v2/iam/permissionsGroup", s.listPermissionsGroups),
		at("POST", "v2/iam/permissionsGroup", s.createPermissionsGroup),
		at("GET", "v2/iam/permissionsGroup/{}", s.getPermissionsGroup),
		at("PUT", "v2/iam/permissionsGroup/{}", s.replacePermissionsGroup),
		at("DELETE", "v2/iam/permissionsGroup/{}", s.deletePermissionsGroup),

		at("GET", "v2/iam/resourceGroup", s.listResourceGroups, "details"),
		at("POST", "v2/iam/resourceGroup", s.createResourceGroup),
		at("GET", "v2/iam/resourceGroup/{}", s.getResourceGroup, "details"),
		at("PUT", "v2/iam/resourceGroup/{}", s.replaceResourceGroup),
		at("DELETE", "v2/iam/resourceGroup/{}", s.deleteResourceGroup),

		at("GET", "v2/iam/resource", s.listResources, "resourceName", "resourceType", "resourceURN", "tags"),
		at("GET", "v2/iam/resource/{}", s.getResource),
		at("PUT", "v2/iam/resource/{}", s.replaceTags),
		at("POST", "v2/iam/resource/{}/tag", s.addTag),
		at("DELETE", "v2/iam/resource/{}/tag/{}", s.removeTag),
		at("POST", "v2/iam/resource/{}/authorization/check", s.checkResource),
		at("POST", "v2/iam/authorization/check", s.checkResources),
		at("GET", "v2/iam/reference/action", s.referenceActions, "resourceType"),
		at("GET", "v2/iam/reference/resource/type", s.resourceTypes),
	}
}

func at(method, pattern string, h handler, params ...string) route {
	return route{method: method, pattern: strings.Split(pattern, "/"), params: params, handle: h}
}
