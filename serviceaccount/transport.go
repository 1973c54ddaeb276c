package serviceaccount

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// startOfAnswer is how long a service may take before it begins to answer.
const startOfAnswer = 5 * time.Minute

// transport is what carries requests: the configured one, or one with the configured TLS.
func (c *Config) transport() (http.RoundTripper, error) {
	if c.Transport != nil {
		return c.Transport, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = startOfAnswer
	t.MaxIdleConnsPerHost = 32
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if c.CACert != "" {
		pem, err := os.ReadFile(home(c.CACert))
		if err != nil {
			return nil, configError("cacert: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, configError("cacert: there is no certificate in %s", c.CACert)
		}
	}
	if c.ClientCert == "" {
		return t, nil
	}
	key := c.ClientKey
	if key == "" {
		key = c.ClientCert
	}
	pair, err := tls.LoadX509KeyPair(home(c.ClientCert), home(key))
	if err != nil {
		return nil, configError("cert and key: %w", err)
	}
	t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	return t, nil
}

// home puts the user's directory in place of ~.
func home(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	dir, err := os.UserHomeDir()
	if !ok || err != nil {
		return path
	}
	return filepath.Join(dir, rest)
}

// renewing carries the requests of a ProviderClient. gophercloud itself renews a token only after a 401; here a request whose token is about
// to end gets its successor. A token that is not ours stays as it is.
type renewing struct {
	login *Login
	base  http.RoundTripper
	pc    *gophercloud.ProviderClient
}

// RoundTrip gives the request the current token, and notes when a service refuses it: gophercloud then calls ReauthFunc, once for all
// that wait, and repeats the request, body included.
func (r *renewing) RoundTrip(req *http.Request) (*http.Response, error) {
	id := Secret(req.Header.Get("X-Auth-Token"))
	if id == "" || !r.login.gave(id) {
		return r.base.RoundTrip(req)
	}
	t, err := r.login.Token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	if t.ID != id {
		req = req.Clone(req.Context())
		req.Header.Set("X-Auth-Token", string(t.ID))
		r.publish(req, t)
	}
	resp, err := r.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		r.login.Reject(t.ID)
	}
	return resp, err
}

// publish lets whoever asks the ProviderClient for its token see the new one. It goes through Reauthenticate, whose lock gophercloud reads the
// token under.
func (r *renewing) publish(req *http.Request, t *Token) {
	if r.pc.Token() != string(t.ID) {
		_ = r.pc.Reauthenticate(req.Context(), "")
	}
}
