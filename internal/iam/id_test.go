package iam_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

func TestClientIDs(t *testing.T) {
	tests := []struct {
		id        string
		valid     bool
		partition urn.Partition
	}{
		{"EU.0f0f0f0f0f0f0f0f", true, urn.EU},
		{"CA.0f0f0f0f0f0f0f0f", true, urn.CA},
		{"US.x", true, urn.US},
		{"0f0f0f0f0f0f0f0f", true, ""},
		{"eu.0f0f0f0f0f0f0f0f", true, ""},
		{"Eu.0f", true, ""},
		{"FR.0f0f0f0f0f0f0f0f", true, ""},
		{"EU", true, ""},
		{"", false, ""},
		{"a:b", false, ""},
		{"a/b", false, ""},
		{"a b", false, ""},
		{"a@b", false, ""},
		{"é", false, ""},
		{strings.Repeat("a", 32), true, ""},
		{strings.Repeat("a", 33), false, ""},
	}
	for _, tt := range tests {
		id, err := iam.ParseClientID(tt.id)
		if (err == nil) != tt.valid || tt.valid && string(id) != tt.id || !tt.valid && (id != "" || !errors.Is(err, iam.Invalid)) {
			t.Errorf("%q: %q, %v", tt.id, id, err)
		}
		if p, ok := iam.ClientID(tt.id).Partition(); p != tt.partition || ok != (tt.partition != "") {
			t.Errorf("%q: partition %q, %v", tt.id, p, ok)
		}
	}
}

func TestNewIDsAreValidAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		for _, p := range urn.Partitions() {
			id := iam.NewClientID(p)
			if got, ok := id.Partition(); !id.Valid() || !ok || got != p || len(id) != 19 || seen[string(id)] {
				t.Fatalf("client id %q in %s", id, p)
			}
			seen[string(id)] = true
		}
		project := iam.NewProjectID()
		if _, err := iam.ParseProjectID(string(project)); err != nil || seen[string(project)] {
			t.Fatalf("project id %q: %v", project, err)
		}
		secret := iam.NewSecretID()
		if len(secret) != 16 || seen[secret] {
			t.Fatalf("secret id %q", secret)
		}
		seen[string(project)], seen[secret] = true, true
	}
}

func TestIdentityOfAServiceAccount(t *testing.T) {
	s := iam.ServiceAccount{ID: "EU.0f0f0f0f0f0f0f0f", Owner: ours}
	if got := s.Identity(); got != "urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f" {
		t.Error(got)
	}
}

func TestProjectIDs(t *testing.T) {
	for id, valid := range map[string]bool{
		"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f":     true,
		"":                                     false,
		"0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F":     false,
		"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0":      false,
		"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0g":     false,
		"0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f": false,
	} {
		got, err := iam.ParseProjectID(id)
		if (err == nil) != valid || valid && string(got) != id || !valid && (got != "" || !errors.Is(err, iam.Invalid)) {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}

func TestSecretValues(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		s := iam.NewSecretValue()
		if !iam.ValidSecretValue(s) || len(s) != 53 || !strings.HasPrefix(s, "sgs_") || seen[s] {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		for i := range len(s) { // any single slip is noticed
			b := []byte(s)
			if b[i] = 'A'; string(b) != s && iam.ValidSecretValue(string(b)) {
				t.Fatalf("%q with %d changed is valid, too", s, i)
			}
		}
		for _, bad := range []string{"", s[1:], s[:52], s + "A", " " + s[1:], strings.ToUpper(s), "sgx_" + s[4:]} {
			if iam.ValidSecretValue(bad) {
				t.Fatalf("%q is valid", bad)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for i, k := range iam.Kinds() {
		err := fmt.Errorf("open: %w", iam.Errorf(k, "cannot %s", "do it"))
		if !errors.Is(err, k) || iam.KindOf(err) != k || iam.KindOf(k) != k || !strings.Contains(err.Error(), string(k)+": cannot do it") {
			t.Errorf("%s: %v is %q", k, err, iam.KindOf(err))
		}
		if other := iam.Kinds()[(i+1)%len(iam.Kinds())]; errors.Is(err, other) {
			t.Errorf("%s is %s", k, other)
		}
	}
	cause := errors.New("disk full")
	err := &iam.Error{Kind: iam.Unavailable, Message: "try later", Err: cause}
	if !errors.Is(err, cause) || err.Error() != "unavailable: try later: disk full" {
		t.Errorf("%v", err)
	}
	if iam.KindOf(nil) != "" || iam.KindOf(cause) != "" || iam.Unavailable.Error() != "unavailable" {
		t.Error("an error without kind has one")
	}
}
