package keystone

import (
	"net/http"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
)

// listCredentials lists the caller's application credentials: one for each project on which it has a role now, ?name= only the one
// of that project's name.
func listCredentials(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.self(r, p)
	if err != nil {
		return err
	}
	list, err := s.reachable(r, in)
	if err != nil {
		return err
	}
	names, filtered := r.URL.Query()["name"]
	b, first := []byte(`{"application_credentials":[`), true
	for i := range list {
		if filtered && list[i].Project.Name != names[0] {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		b, first = s.appendCredential(b, in, &list[i]), false
	}
	send(w, http.StatusOK, s.appendLinks(append(b, ']'), r))
	return nil
}

// showCredential shows one of them.
func showCredential(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.self(r, p)
	if err != nil {
		return err
	}
	list, err := s.reachable(r, in)
	if err != nil {
		return err
	}
	for i := range list {
		if p.segments[1] == credentialID(in.account.ID, list[i].Project.ID) {
			send(w, http.StatusOK, append(s.appendCredential([]byte(`{"application_credential":`), in, &list[i]), "}\n"...))
			return nil
		}
	}
	return notFound("Could not find Application Credential: %s.", p.segments[1])
}

// appendCredential appends an application credential. It is restricted, never expires of itself, and has the roles of the moment.
func (s *Server) appendCredential(b []byte, in *session, p *registry.ProjectRights) []byte {
	id, user := credentialID(in.account.ID, p.Project.ID), UserID(in.account)
	b = appendString(append(b, `{"id":`...), id)
	b = appendString(append(b, `,"name":`...), p.Project.Name)
	b = append(append(b, `,"description":"","user_id":"`...), user...)
	b = append(append(b, `","project_id":"`...), p.Project.ID...)
	b = s.appendRoles(append(b, `","roles":`...), p.Roles, false)
	b = append(b, `,"access_rules":[],"expires_at":null,"unrestricted":false,"system":null,"links":{"self":`...)
	return append(appendString(b, s.c.PublicURL+"/v3/users/"+user+"/application_credentials/"+id), "}}"...)
}

func (s *Server) appendRoles(b []byte, roles rbac.Roles, service bool) []byte {
	b = append(b, '[')
	for role := range roles.All() {
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(b, s.roles[role]...)
	}
	if service {
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = appendRole(b, serviceRole)
	}
	return append(b, ']')
}

// refuseCredential refuses to make and to delete application credentials, whatever the token: they come and go with the policies, and
// what a further one is wanted for is a further secret.
func refuseCredential(s *Server, _ http.ResponseWriter, r *http.Request, p params) error {
	in, err := s.self(r, p)
	if err != nil {
		return err
	}
	client := string(in.account.ID)
	instead := `To have one more secret, use "stackgate service-account secret add ` + client + `" or POST /v1/me/api/oauth2/client/` + client +
		"/secret of the management API."
	if r.Method == http.MethodDelete {
		instead = `To end it, delete the policy, or the secret: "stackgate policy list" and "stackgate service-account secret list ` + client + `" show which.`
	}
	return &refusal{
		status: http.StatusForbidden, decided: "application credentials come and go with the policies",
		message: msgForbidden + ": " + p.rule + ". Every service account has an application credential for each project on which a policy gives it a role: " +
			credentialID(in.account.ID, "<project id>") + " with any of its secrets. " + instead,
	}
}

// listAccessRules lists the caller's access rules: there are none, policies do that.
func listAccessRules(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.self(r, p); err != nil {
		return err
	}
	return s.sendEmpty(w, r, "access_rules")
}

// showAccessRule finds none.
func showAccessRule(s *Server, _ http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.self(r, p); err != nil {
		return err
	}
	return notFound("Could not find Access Rule: %s.", p.segments[1])
}

// listEC2 lists the caller's EC2 credentials: there are none.
func listEC2(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.self(r, p); err != nil {
		return err
	}
	return s.sendEmpty(w, r, "credentials")
}

// refuseEC2 refuses to make one, and says what to use instead.
func refuseEC2(s *Server, _ http.ResponseWriter, r *http.Request, p params) error {
	if _, err := s.self(r, p); err != nil {
		return err
	}
	return &refusal{
		status: http.StatusForbidden, decided: "there are no EC2 credentials",
		message: msgForbidden + ": " + p.rule + ". There are no EC2 credentials here, and so no S3: a service account reaches Object Storage through Swift's API, with its tokens.",
	}
}
