package realcloud

import (
	"net/http"
	"strings"
	"testing"
)

// TestRealKeystone logs in as its administrator.
func TestRealKeystone(t *testing.T) {
	k := StartKeystone(t, KeystoneConfig{})
	body := `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"id":"default"},"password":"` + k.Password + `"}}}}}`
	resp, err := http.Post(k.URL+"/auth/tokens", "application/json", strings.NewReader(body))
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("the administrator cannot log in: %s", resp.Status)
	}
}
