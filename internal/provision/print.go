package provision

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A rule is one of Keystone's mapping language: what is local follows from what is remote.
type rule struct {
	Local  []map[string]any `json:"local"`
	Remote []map[string]any `json:"remote"`
}

// rules is the mapping: the service account becomes a user, its groups those of that name. Apache checks the signature and when a token
// expires, but neither for whom nor by whom it is: that is what the last two conditions are for.
func (t Trust) rules() []rule {
	return []rule{{
		Local: []map[string]any{
			{"user": map[string]any{"name": "{0}"}},
			{"groups": "{1}", "domain": map[string]any{"name": t.Provider}},
		},
		Remote: []map[string]any{
			{"type": "OIDC-sub"},
			{"type": "OIDC-groups"},
			{"type": "OIDC-aud", "any_one_of": []string{t.Audience}},
			{"type": "OIDC-iss", "any_one_of": []string{t.Issuer}},
		},
	}}
}

// Mapping is the file for openstack mapping create --rules.
func (t Trust) Mapping() string {
	text, err := json.Marshal(t.rules(), json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return string(text) + "\n"
}

// KeystoneConf is what keystone.conf needs beside what it has.
func (t Trust) KeystoneConf() string {
	return `# For keystone.conf. "` + Protocol + `" is added to the methods, at their end: tokens hold the positions of methods in this list. If yours is
# another one, keep its order. Leave assertion_prefix of [federation] empty.
[auth]
methods = external,password,token,oauth1,mapped,application_credential,` + Protocol + `

# Only where the protocol is made by hand: which variable has the remote id. (apply says it at the protocol, so that others' stay as they are.)
# [` + Protocol + `]
# remote_id_attribute = ` + providerVariable + `
`
}

// Apache is what the virtual host of Keystone needs. passphrase protects what the module keeps in its cache, and is any random text.
func (t Trust) Apache(passphrase string) (string, error) {
	if !strings.HasPrefix(t.Issuer, "https://") {
		return "", fmt.Errorf("mod_auth_openidc takes keys from an https address only: public_url must be one, not that of %s", t.Issuer)
	}
	u, err := url.Parse(t.Audience)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`# For the virtual host of Keystone, with mod_auth_openidc. Claims become variables OIDC-<claim>, those with several values joined by ";".
OIDCOAuthVerifyJwksUri "%s/jwks"
OIDCClaimPrefix "OIDC-"
OIDCClaimDelimiter ";"
OIDCPassClaimsAs environment
OIDCOAuthAcceptTokenAs header
# Wanted by the module although no browser logs in here. The address must be one that nothing else has.
OIDCRedirectURI "%s/redirect_uri"
OIDCCryptoPassphrase "%s"
# If the certificate of Stackgate is not from an authority that this machine trusts:
# OIDCCABundlePath /etc/ssl/stackgate-ca.pem

<LocationMatch "^%s/OS-FEDERATION/identity_providers/%s/protocols/%s/auth$">
  AuthType oauth20
  Require valid-user
</LocationMatch>
`, t.Issuer, t.Audience, passphrase, regexp.QuoteMeta(u.Path), regexp.QuoteMeta(t.Provider), Protocol), nil
}
