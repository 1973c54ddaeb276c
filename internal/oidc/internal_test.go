package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

func TestEveryKindOfErrorHasAnAnswer(t *testing.T) {
	for _, kind := range iam.Kinds() {
		f := failureOf(iam.Errorf(kind, "the registry's own words"))
		if f.status < 400 || f.status >= 500 && kind != iam.Unavailable || f.code == "server_error" || strings.Contains(f.title, "registry") {
			t.Errorf("%s gives %+v", kind, f)
		}
	}
	if f := failureOf(errors.New("pq: password authentication failed")); f.status != 500 || strings.Contains(f.title, "pq") {
		t.Errorf("an internal error gives %+v", f)
	}
	if f := failureOf(&web.Error{Status: 413, Message: "too large"}); f.status != 413 || f.code != "invalid_request" {
		t.Errorf("a body that is too large gives %+v", f)
	}
}

func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"", "grant_type=client_credentials&scope=openid+profile", "a=1&a=2", "a", "=", "&&&", "a=%", "a=%zz", "a;b=1", "%61=1&a=2", "a=b=c", "é=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseForm(s)
		if err != nil {
			if got != nil || failureOf(err).status != http.StatusBadRequest {
				t.Fatalf("%q gives %v, %v", s, got, err)
			}
			return
		}
		// What is accepted, net/url reads the same way, each parameter once.
		want, err := url.ParseQuery(s)
		if err != nil || len(want) != len(got) {
			t.Fatalf("%q gives %v, net/url %v, %v", s, got, want, err)
		}
		for name, values := range want {
			if len(values) != 1 || values[0] != got[name] {
				t.Fatalf("%q: %q is %q, net/url says %q", s, name, got[name], values)
			}
		}
	})
}

func FuzzParseBasic(f *testing.F) {
	b64 := base64.StdEncoding.EncodeToString
	for _, s := range []string{"", "Basic", "Basic ", "basic " + b64([]byte("id:secret")), "Basic " + b64([]byte("a%3A:b%2B+c:d")), "Basic " + b64([]byte("\xff:\x00")),
		"Basic " + b64([]byte("nocolon")), "Basic !", "Bearer x", "Basic\t" + b64([]byte("a:b"))} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := parseBasic(s)
		if err != nil {
			if all != nil || failureOf(err).status/100 != 4 {
				t.Fatalf("%q gives %v, %v", s, all, err)
			}
			return
		}
		if len(all) < 1 || len(all) > 2 || strings.Contains(all[0].id, ":") {
			t.Fatalf("%q gives %d credentials, %q", s, len(all), all[0].id)
		}
		id, secret, ok := (&http.Request{Header: http.Header{"Authorization": {s}}}).BasicAuth()
		if ok && (all[0] != credentials{id, secret}) {
			t.Fatalf("%q: the standard library reads %q, %q", s, id, secret)
		}
		for _, c := range all {
			if id, secret := c.known(); !visible(string(id)) || !visible(secret) {
				t.Fatalf("%q lets %q, %q through", s, id, secret)
			}
		}
	})
}

func FuzzPartitionOf(f *testing.F) {
	for _, s := range []string{"", "urn:v1:eu:resource:publicCloudProject:pci", "urn%3Av1%3Aeu%3Aresource%3ApublicCloudProject%3Apci", "urn:v1:::", "%", "%2F"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := partitionOf(s)
		if p == "" {
			return
		}
		plain, err := url.PathUnescape(s)
		if err != nil || !strings.HasPrefix(plain, "urn:v1:"+string(p)+":resource:publicCloudProject:") || strings.ContainsAny(string(p), ":") {
			t.Fatalf("%q is of partition %q", s, p)
		}
	})
}
