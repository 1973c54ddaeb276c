package cli

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/serviceaccount"
)

// cloudsOf reads a configuration with these clouds.
func cloudsOf(t *testing.T, text string) ([]server.Cloud, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stackgate.yaml")
	if err := os.WriteFile(file, []byte("public_url: https://gw.example\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(file)
	if err != nil {
		return nil, err
	}
	return c.clouds()
}

const member = `clouds:
  - name: mine
    auth: {auth_url: "https://keystone.example/v3", username: gw, user_domain_name: Default, password: hunter2}
`

func TestCloudsInTheConfiguration(t *testing.T) {
	list, err := cloudsOf(t, member+`    regions: [RegionOne]
    rename: {RegionOne: MINE1}
    projects: [{id: 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f}, {id: 1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e, auth: {username: other, user_domain_name: Default, password: x}}]
    closed: ["os_compute_api:os-keypairs:*"]
    limits: {answer: 5s}
`)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	c := list[0]
	own := c.Projects["1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"]
	if c.Login.AuthType != serviceaccount.Password || string(c.Login.Password) != "hunter2" || c.Rename["RegionOne"] != "MINE1" ||
		own == nil || own.AuthURL != c.Login.AuthURL || own.Username != "other" || c.Projects["0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"] != nil {
		t.Errorf("%+v, %+v", c.Login, own)
	}
	if s := fmt.Sprintf("%+v %#v", list, list); strings.Contains(s, "hunter2") {
		t.Error("the password is printed")
	}
}

func TestCloudsThatCannotBe(t *testing.T) {
	for what, text := range map[string]string{
		"name":              "clouds: [{auth: {auth_url: x}}]",
		"name of its own":   member + strings.TrimPrefix(member, "clouds:\n"),
		"not found in type": member + "    verify: false\n",
		"unmarshal":         member + "    limits: {answer: soon}\n",
		"hexadecimal":       member + "    projects: [{id: guide}]\n",
		"operation":         member + "    closed: ['[']\n",
		"must say":          member + "    accept: {administrator: yes}\n",
		"less than 0":       member + "    limits: {idle: -1s}\n",
		"clouds.yaml":       member + "    os_cloud: ovh\n",
		"is empty":          strings.Replace(member, "password: hunter2", "secret_env: STACKGATE_TEST_NONE", 1),
	} {
		_, err := cloudsOf(t, text)
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q: %v", what, err)
		}
	}
}

func TestSecretsFromTheEnvironment(t *testing.T) {
	t.Setenv("STACKGATE_TEST_SECRET", "hunter3")
	list, err := cloudsOf(t, strings.Replace(member, "password: hunter2", "secret_env: STACKGATE_TEST_SECRET", 1))
	if err != nil || string(list[0].Login.Password) != "hunter3" {
		t.Error(list, err)
	}
}

// TestM4_CertificatesAreAlwaysChecked: whatever stands in the configuration or in clouds.yaml, our credential goes to nobody whose certificate
// is not signed by whom we trust.
func TestM4_CertificatesAreAlwaysChecked(t *testing.T) {
	asked := 0
	keystone := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; http.Error(w, "no", http.StatusUnauthorized) }))
	defer keystone.Close()
	keystone.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	text := strings.Replace(member, "https://keystone.example", keystone.URL, 1)
	inspect := func(text string) string {
		t.Helper()
		list, err := cloudsOf(t, text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := server.Inspect(context.Background(), "https://gw.example", list[0], slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return r.Error
	}
	if said := inspect(text); !strings.Contains(said, "certificate") || asked > 0 {
		t.Errorf("asked %d times: %s", asked, said)
	}
	for _, key := range []string{"insecure: true", "insecure: 'false'", "verify: false", "verify: 'false'"} {
		if _, err := cloudsOf(t, text+"    "+key+"\n"); err == nil {
			t.Errorf("%s is taken", key)
		}
	}
	dir := t.TempDir()
	for _, key := range []string{"verify: false", "verify: 'no'", "insecure: true", "insecure: 'yes'"} {
		file := filepath.Join(dir, "clouds.yaml")
		entry := "clouds:\n  lax:\n    " + key + "\n    auth: {auth_url: '" + keystone.URL + "/v3', username: gw, user_domain_name: Default, password: x}\n"
		if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("OS_CLIENT_CONFIG_FILE", file)
		if _, err := cloudsOf(t, "clouds: [{name: mine, os_cloud: lax}]"); err == nil || !strings.Contains(err.Error(), "certificates") {
			t.Errorf("%s in clouds.yaml: %v", key, err)
		}
	}
	authority := filepath.Join(dir, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keystone.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := inspect(text + "    cacert: " + authority + "\n"); !strings.Contains(said, "401") || asked != 1 {
		t.Errorf("with its authority, asked %d times: %s", asked, said)
	}
}
