package provision

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
)

// TestAListThatIsCutShortIsNotCompared: what is not in it could be there all the same.
func TestAListThatIsCutShortIsNotCompared(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `{"roles":[{"id":"1","name":"admin"}],"truncated":true}`)
	}))
	defer server.Close()
	client := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{}, Endpoint: server.URL + "/v3/"}
	if _, err := New(client, trust).Plan(t.Context(), projects, nil); err == nil || !strings.Contains(err.Error(), "list_limit") {
		t.Error(err)
	}
}
