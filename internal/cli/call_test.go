package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// call logs in as the variables of the guide say, makes a call of OpenStack, and sets STATUS, BODY, REQUEST_ID (ours) and OTHER_ID (the
// service's) for the rest of the script.
func call(ts *testscript.TestScript, _ bool, args []string) {
	c := caller{ts}
	provider, project := ts.Getenv("OS_IDENTITY_PROVIDER"), ts.Getenv("OS_PROJECT_ID")
	var found struct {
		Endpoint string `json:"token_endpoint"`
	}
	c.decode(c.do("GET", ts.Getenv("OS_DISCOVERY_ENDPOINT"), "", nil), &found)
	var tokens struct {
		ID string `json:"id_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}, "client_id": {ts.Getenv("OS_CLIENT_ID")}, "client_secret": {ts.Getenv("OS_CLIENT_SECRET")}}
	c.decode(c.do("POST", found.Endpoint, form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}), &tokens)
	auth := ts.Getenv("OS_AUTH_URL")
	login := c.do("POST", auth+"/OS-FEDERATION/identity_providers/"+provider+"/protocols/openid/auth", "", http.Header{"Authorization": {"Bearer " + tokens.ID}})
	scope := `{"auth":{"identity":{"methods":["token"],"token":{"id":"` + login.header.Get("X-Subject-Token") + `"}},"scope":{"project":{"id":"` + project + `"}}}}`
	scoped := c.do("POST", auth+"/auth/tokens", scope, http.Header{"Content-Type": {"application/json"}})
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	a := c.do(args[0], ts.Getenv("URL")+args[1], body, http.Header{"X-Auth-Token": {scoped.header.Get("X-Subject-Token")}, "Content-Type": {"application/json"}})
	ts.Setenv("STATUS", a.status)
	ts.Setenv("BODY", a.body)
	ts.Setenv("REQUEST_ID", a.header.Get("X-Stackgate-Request-Id"))
	ts.Setenv("OTHER_ID", a.header.Get("X-Openstack-Request-Id"))
}

type caller struct{ ts *testscript.TestScript }

type answer struct {
	status, body string
	header       http.Header
}

func (c caller) do(method, address, body string, header http.Header) answer {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	c.ts.Check(err)
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	c.ts.Check(err)
	text, err := io.ReadAll(resp.Body)
	c.ts.Check(err)
	c.ts.Check(resp.Body.Close())
	return answer{resp.Status, string(text), resp.Header}
}

func (c caller) decode(a answer, v any) { c.ts.Check(json.Unmarshal([]byte(a.body), v)) }
