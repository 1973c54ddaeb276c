package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/stackgate/stackgate/serviceaccount"
)

// change says what to do about a login that has failed.
func change(c serviceaccount.Config, err error) string {
	e, ok := errors.AsType[*serviceaccount.Error](err)
	if !ok {
		return ""
	}
	switch {
	case e.Cause != nil:
		return connection(c, e)
	case errors.Is(err, serviceaccount.ErrRateLimited):
		return "wait a minute. OVHcloud gives 60 tokens a minute, and each command of openstack takes two: stackgate exec and stackgate token share one"
	case errors.Is(err, serviceaccount.ErrUnavailable):
		return "try again later: the fault is the server's. Give its operator the request id"
	}
	switch e.Step {
	case serviceaccount.StepDiscovery:
		return "correct discovery_endpoint (OS_DISCOVERY_ENDPOINT): open it in a browser, it must show JSON with token_endpoint. It ends with /.well-known/openid-configuration"
	case serviceaccount.StepToken:
		return token(c, e)
	case serviceaccount.StepFederation:
		return federation(c, e)
	case serviceaccount.StepScope:
		return "the login itself is good, and has no role on this project: give it a policy with a right on project " + c.ProjectID + c.ProjectName +
			", or correct project_id (OS_PROJECT_ID). An account's policies: stackgate policy list"
	}
	return login(c)
}

// connection is for a server that was not reached.
func connection(c serviceaccount.Config, e *serviceaccount.Error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var certificate x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch cause := e.Cause; {
	case errors.As(cause, &authority):
		if c.CACert != "" {
			return "cacert (OS_CACERT) names another authority than the one that has signed the server's certificate: put that one's PEM there"
		}
		return "name the PEM file of the authority that has signed the server's certificate with cacert (OS_CACERT)"
	case errors.As(cause, &host):
		return "use the name that is in the server's certificate, or have the certificate made for this one"
	case errors.As(cause, &certificate):
		return "the server's certificate is expired or not meant for this: its operator has to renew it. Look at this machine's clock, too"
	case errors.As(cause, &record), errors.Is(cause, http.ErrSchemeMismatch):
		return "the server speaks plain HTTP there: write http://, or the port of HTTPS"
	case errors.As(cause, &dns):
		return "correct the host's name, or this machine's resolver"
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "nothing listens there: correct host and port, or start the server"
	case errors.Is(cause, context.DeadlineExceeded):
		return "the server, or a firewall before it, does not answer: try the address with curl from this machine; a proxy is named by HTTPS_PROXY"
	}
	return "try the address with curl from this machine"
}

// token is for an identity provider that refuses.
func token(c serviceaccount.Config, e *serviceaccount.Error) string {
	text := strings.ToLower(e.Message)
	switch {
	case strings.Contains(text, "scope"):
		return "set openid_scope (OS_OPENID_SCOPE) to what the provider wants; OVHcloud: openid profile email publicCloudProject/all"
	case strings.Contains(text, "access_token_type"):
		return "set access_token_type (OS_ACCESS_TOKEN_TYPE) to a token that the provider gives: id_token or access_token; OVHcloud: id_token"
	case errors.Is(e, serviceaccount.ErrNotFound):
		return "correct access_token_endpoint (OS_ACCESS_TOKEN_ENDPOINT), or leave it to discovery_endpoint"
	}
	return "compare client_id (" + c.ClientID + ") and client_secret with what was given out: one is wrong, or the secret is revoked or expired, or the service account disabled. " +
		"A new secret: stackgate service-account secret add; at OVHcloud a new service account"
}

// federation is for a Keystone that does not take what the identity provider gave.
func federation(c serviceaccount.Config, e *serviceaccount.Error) string {
	names := "; OVHcloud's are ovhcloud-emea, ovhcloud-world and ovhcloud-us"
	switch {
	case errors.Is(e, serviceaccount.ErrNotFound):
		return "correct identity_provider (OS_IDENTITY_PROVIDER, now " + c.IdentityProvider + ") and protocol (OS_PROTOCOL, now " + c.Protocol + ")" + names +
			". If they are right, auth_url (OS_AUTH_URL) is not this cloud's"
	case c.AccessTokenType == "" || c.AccessTokenType == "access_token":
		return "set access_token_type (OS_ACCESS_TOKEN_TYPE) to id_token: most clouds take that one, and access_token is what is sent without it. If that is not it, identity_provider (" +
			c.IdentityProvider + ") and discovery_endpoint do not belong together"
	}
	return "identity_provider (" + c.IdentityProvider + ") and discovery_endpoint have to belong together: the issuer of one is not known to the other" + names +
		". Or protocol (OS_PROTOCOL, now " + c.Protocol + ") is not what the cloud calls it; OVHcloud: openid. Or a clock is wrong"
}

// login is for a password, an application credential or a token that is refused.
func login(c serviceaccount.Config) string {
	switch c.AuthType {
	case serviceaccount.ApplicationCredential:
		return "compare application_credential_id and application_credential_secret with what was given out; the credential may have expired, or its owner may have lost the role"
	case serviceaccount.KeystoneToken:
		return "the token has ended or was revoked: get a new one. One that cannot be rescoped (of an application credential) does not work here at all"
	}
	return "compare username, user_domain_name and password; or the user has no role on project " + c.ProjectID + c.ProjectName + ": Keystone does not tell the two apart"
}

// A Tool is a program, and whether it can log in with the configuration as it is.
type Tool struct {
	Name string `json:"name"`
	Can  bool   `json:"can"`
	Use  string `json:"use,omitempty"` // what to do if not
}

// tools knows who knows what.
func tools(t serviceaccount.AuthType) []Tool {
	plain := t == serviceaccount.Password || t == serviceaccount.ApplicationCredential
	use := "run it by stackgate exec, or beside stackgate agent"
	list := []Tool{{Name: "openstack, openstacksdk, Ansible", Can: t != ""}, {Name: "Go programs", Can: plain, Use: "package github.com/stackgate/stackgate/serviceaccount, or stackgate exec"},
		{Name: "Terraform, OpenTofu", Can: plain, Use: use + `; alone it says "You must provide a password to authenticate"`}}
	for _, name := range []string{"Packer", "rclone", "restic", "swift", "Kubernetes: cloud provider, CSI"} {
		list = append(list, Tool{Name: name, Can: plain, Use: use})
	}
	for i := range list {
		if list[i].Can {
			list[i].Use = ""
		}
	}
	return list
}
