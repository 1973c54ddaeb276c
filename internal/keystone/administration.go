package keystone

// An adminCall is a call that only administrators of a real Keystone may make. Here the management API does that work.
type adminCall struct{ method, path, rule string }

// administration lists what is refused with the name of its rule, so that tools say why rather than "not found".
func administration() []adminCall {
	var calls []adminCall
	for _, c := range []struct{ plural, singular, path string }{
		{"projects", "project", "v3/projects"},
		{"users", "user", "v3/users"},
		{"groups", "group", "v3/groups"},
		{"domains", "domain", "v3/domains"},
		{"roles", "role", "v3/roles"},
		{"services", "service", "v3/services"},
		{"endpoints", "endpoint", "v3/endpoints"},
		{"regions", "region", "v3/regions"},
	} {
		calls = append(calls,
			adminCall{"GET", c.path, "list_" + c.plural}, adminCall{"POST", c.path, "create_" + c.singular},
			adminCall{"GET", c.path + "/{id}", "get_" + c.singular}, adminCall{"PATCH", c.path + "/{id}", "update_" + c.singular},
			adminCall{"DELETE", c.path + "/{id}", "delete_" + c.singular})
	}
	for _, holder := range []string{"users", "groups"} {
		path := "v3/projects/{id}/" + holder + "/{holder}/roles"
		calls = append(calls, adminCall{"GET", path, "list_grants"}, adminCall{"GET", path + "/{role}", "check_grant"},
			adminCall{"PUT", path + "/{role}", "create_grant"}, adminCall{"DELETE", path + "/{role}", "revoke_grant"})
	}
	for _, c := range []struct{ plural, singular, path string }{
		{"identity_providers", "identity_provider", "v3/OS-FEDERATION/identity_providers"},
		{"protocols", "protocol", "v3/OS-FEDERATION/identity_providers/{id}/protocols"},
		{"mappings", "mapping", "v3/OS-FEDERATION/mappings"},
	} {
		item := c.path + "/{id}"
		calls = append(calls, adminCall{"GET", c.path, "list_" + c.plural}, adminCall{"GET", item, "get_" + c.singular},
			adminCall{"PUT", item, "create_" + c.singular}, adminCall{"PATCH", item, "update_" + c.singular},
			adminCall{"DELETE", item, "delete_" + c.singular})
	}
	return append(calls, adminCall{"GET", "v3/role_assignments", "list_role_assignments"})
}
