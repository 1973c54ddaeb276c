package serviceaccount_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

// TestTLS logs in over HTTPS at a server whose authority nobody knows.
func TestTLS(t *testing.T) {
	cloud := recorded.New(time.Hour)
	s := httptest.NewUnstartedServer(cloud)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca.pem")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	both := filepath.Join(dir, "client.pem")
	write(t, both, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	write(t, filepath.Join(dir, "empty.pem"), "")
	cases := map[string]struct {
		change func(*serviceaccount.Config)
		is     error
		says   string
	}{
		"no authority":         {func(*serviceaccount.Config) {}, serviceaccount.ErrUnavailable, "certificate"},
		"the right one":        {func(c *serviceaccount.Config) { c.CACert = authority }, nil, ""},
		"none is asked for":    {func(c *serviceaccount.Config) { c.Insecure = true }, nil, ""},
		"a client certificate": {func(c *serviceaccount.Config) { c.CACert, c.ClientCert = authority, both }, nil, ""},
		"no file":              {func(c *serviceaccount.Config) { c.CACert = filepath.Join(dir, "nothing") }, serviceaccount.ErrConfig, "cacert"},
		"an empty file":        {func(c *serviceaccount.Config) { c.CACert = filepath.Join(dir, "empty.pem") }, serviceaccount.ErrConfig, "there is no certificate in"},
		"a broken certificate": {func(c *serviceaccount.Config) { c.ClientCert = filepath.Join(dir, "empty.pem") }, serviceaccount.ErrConfig, "cert and key"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := config(cloud)
			c.AuthURL, c.DiscoveryEndpoint, c.AccessTokenEndpoint = s.URL+"/v3", "", s.URL+recorded.Adapter+"/token"
			c.Transport = nil
			tc.change(&c)
			l, err := serviceaccount.NewLogin(c)
			if err == nil {
				_, err = l.Token(t.Context())
			}
			if !errors.Is(err, tc.is) || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Error(err)
			}
		})
	}
	// Discovery over HTTPS must not lead to plain HTTP: recorded says http for its token endpoint.
	c := config(cloud)
	c.AuthURL, c.DiscoveryEndpoint, c.Transport, c.CACert = s.URL, s.URL+recorded.Adapter+"/.well-known/openid-configuration", nil, authority
	if _, err := serviceaccount.New(t.Context(), c); !errors.Is(err, serviceaccount.ErrProtocol) || !strings.Contains(err.Error(), "plain HTTP") {
		t.Error(err)
	}
}
