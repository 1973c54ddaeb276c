package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/urn"
)

// oauth2Token logs in with Go's OAuth library, which percent-encodes what it puts into Basic.
func (w *world) oauth2Token(c credential, endpoint string, style oauth2.AuthStyle, scopes ...string) *oauth2.Token {
	w.t.Helper()
	config := clientcredentials.Config{ClientID: string(c.ID), ClientSecret: c.secret, TokenURL: w.url + endpoint, Scopes: scopes, AuthStyle: style}
	token, err := config.Token(w.t.Context())
	must(w.t, err)
	return token
}

func TestGosOAuthLibraryLogsIn(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		token := w.oauth2Token(c, "/auth/oauth2/token", style, "all")
		if !token.Valid() || token.Type() != "Bearer" || time.Until(token.Expiry) < 59*time.Minute {
			t.Errorf("style %d: %v until %v", style, token.Type(), token.Expiry)
		}
	}
	config := clientcredentials.Config{ClientID: string(c.ID), ClientSecret: "sgs_wrong", TokenURL: w.url + pciEU + "/token"}
	_, err := config.Token(t.Context())
	if e, ok := err.(*oauth2.RetrieveError); !ok || e.ErrorCode != "invalid_client" || !strings.Contains(e.ErrorDescription, "wrong secret") {
		t.Errorf("a wrong secret gives %v", err)
	}
}

// TestGoOIDCAcceptsUs: discovery, keys and id_token of each algorithm, also across a rotation.
func TestGoOIDCAcceptsUs(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	provider, err := gooidc.NewProvider(t.Context(), w.url+pciEU)
	must(t, err)
	if provider.Endpoint().TokenURL != w.url+pciEU+"/token" {
		t.Errorf("token endpoint %s", provider.Endpoint().TokenURL)
	}
	for range 2 {
		token := w.oauth2Token(c, pciEU+"/token", oauth2.AuthStyleInHeader, "openid", "profile")
		raw, _ := token.Extra("id_token").(string)
		for _, audience := range []string{string(c.ID), w.url + "/v3"} {
			id, err := provider.Verifier(&gooidc.Config{ClientID: audience}).Verify(t.Context(), raw)
			must(t, err)
			if id.Subject != string(c.Identity()) {
				t.Errorf("subject %s", id.Subject)
			}
		}
		if _, err := provider.Verifier(&gooidc.Config{ClientID: "https://other.example/v3"}).Verify(t.Context(), raw); err == nil {
			t.Error("accepted by a service that it is not for")
		}
		_, err = w.ring.Rotate(t.Context(), keys.Sign, true)
		must(t, err)
	}
	if _, err := gooidc.NewProvider(t.Context(), w.url+"/role-adapter/"+string(urn.Project(urn.EU, "other"))); err == nil {
		t.Error("a document whose issuer is not its own address was accepted")
	}
}

// TestZitadelsRelyingPartyAcceptsUs does the same with the other large Go library, from discovery to claims.
func TestZitadelsRelyingPartyAcceptsUs(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	party, err := rp.NewRelyingPartyOIDC(t.Context(), w.url+pciEU, string(c.ID), c.secret, "", []string{"openid", "profile"},
		rp.WithSigningAlgsFromDiscovery(), rp.WithHTTPClient(http.DefaultClient))
	must(t, err)
	token, err := rp.ClientCredentials(t.Context(), party, url.Values{})
	must(t, err)
	raw, _ := token.Extra("id_token").(string)
	claims, err := rp.VerifyTokens[*zitadel.IDTokenClaims](t.Context(), token.AccessToken, raw, party.IDTokenVerifier())
	must(t, err)
	if claims.Subject != string(c.Identity()) || claims.AuthorizedParty != string(c.ID) || claims.Issuer != w.url+pciEU {
		t.Errorf("claims %+v", claims)
	}
	if _, err := rp.VerifyTokens[*zitadel.IDTokenClaims](t.Context(), token.AccessToken, raw[:len(raw)-2]+"AA", party.IDTokenVerifier()); err == nil {
		t.Error("an altered signature was accepted")
	}
}
