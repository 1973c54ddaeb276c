package keystone

import "net/http"

// versionDocument describes v3; its id is the newest minor version that clients of today look for.
func (s *Server) versionDocument(b []byte) []byte {
	b = append(b, `{"id":"v3.14","status":"stable","updated":"2020-04-07T00:00:00Z","links":[{"rel":"self","href":`...)
	b = appendString(b, s.c.PublicURL+"/v3/")
	return append(b, `}],"media-types":[{"base":"application/json","type":"application/vnd.openstack.identity-v3+json"}]}`...)
}

// versions is GET /: every version there is, with the status that says "choose".
func versions(s *Server, w http.ResponseWriter, _ *http.Request, _ params) error {
	w.Header().Set("Location", s.c.PublicURL+"/v3/")
	b := s.versionDocument([]byte(`{"versions":{"values":[`))
	send(w, http.StatusMultipleChoices, append(b, "]}}\n"...))
	return nil
}

// version is GET /v3.
func version(s *Server, w http.ResponseWriter, _ *http.Request, _ params) error {
	send(w, http.StatusOK, append(s.versionDocument([]byte(`{"version":`)), "}\n"...))
	return nil
}
