package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

func TestEveryKindHasAnAnswerAndComesBackAsItself(t *testing.T) {
	for _, kind := range iam.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			sent := &iam.Error{Kind: kind, Message: "A sentence.", Code: "SOME_CODE"}
			if kind == iam.Denied {
				sent.Actions = []iam.Action{"account:apiovh:me/get", "account:apiovh:iam/policy/get"}
			}
			w := httptest.NewRecorder()
			writeError(w, httptest.NewRequest("GET", "/v1/me", nil), sent)
			if w.Code < 400 || w.Code == http.StatusInternalServerError {
				t.Fatalf("status %d", w.Code)
			}
			got, ok := errors.AsType[*iam.Error](refusalOf(w.Code, w.Header(), w.Body.Bytes()))
			if !ok || got.Kind != sent.Kind || got.Message != sent.Message || got.Code != sent.Code || !reflect.DeepEqual(got.Actions, sent.Actions) {
				t.Errorf("sent %#v, got back %#v", sent, got)
			}
		})
	}
}

func TestAnInternalErrorTellsNothing(t *testing.T) {
	w := httptest.NewRecorder()
	writeError(w, httptest.NewRequest("GET", "/v1/me", nil), errors.New("password=hunter2"))
	want := `{"class":"Server::InternalServerError","message":"Something went wrong on our side; the request id finds it in our log."}` + "\n"
	if w.Code != 500 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAMissingActionIsNamedAsOVHcloudDoes(t *testing.T) {
	w := httptest.NewRecorder()
	writeError(w, httptest.NewRequest("GET", "/v1/me", nil), &iam.Error{Kind: iam.Denied, Message: "Why.", Actions: []iam.Action{"vps:apiovh:reboot"}})
	want := `{"class":"Client::Forbidden","message":"User not granted for this request",` +
		`"details":{"reason":"Why.","unauthorizedActionsByAuthentication":"","unauthorizedActionsByIAM":"vps:apiovh:reboot"}}` + "\n"
	if w.Code != 403 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAgesAreDaysOrHours(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		if d, err := age(text); err != nil || d != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"d", "0d", "-1d", "99999999999d", "1", "-1h", "tomorrow"} {
		if d, err := age(text); err == nil || d != 0 {
			t.Errorf("%s: %v, %v", text, d, err)
		}
	}
}

// FuzzPolicyJSON holds that what is read as a policy is written so that it reads as the same policy, and that nothing is read where there
// is an error.
func FuzzPolicyJSON(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","identities":["urn:v1:eu:identity:account:xx-ovh"],"permissions":{"allow":[{"action":"*"}]},"resources":[{"urn":"urn:v1:eu:resource:*"}]}`,
		`{"name":"a","identities":[],"permissions":{"allow":null,"deny":[{"action":"x"}],"except":[]},"resources":[],"permissionsGroups":null}`,
		`{"name":"a","identities":[],"permissionsGroups":[{"urn":"urn:v1:eu:permissionsGroup:ovh:globalAdmin"}],"resources":[],"expiredAt":"2026-01-01T00:00:00.5+02:00"}`,
		`{"name":"a","identities":[],"permissions":{},"resources":[],"conditions":{"operator":"AND","conditions":[{"operator":"MATCH","values":{"date(UTC).Hour.IN":"1,2"}}]}}`,
		`{"name":"a","identities":[],"permissions":{},"resources":[],"expiredAt":"9999-12-31T23:59:59-23:00"}`,
		`{"name":"a","name":"b"}`, `{"Name":"a"}`, `[]`, `null`, `{"conditions":{"conditions":[{"conditions":[{"conditions":[{}]}]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	owner := urn.Account{Partition: urn.EU, Name: "xx-ovh"}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in Policy
		if web.Decode(data, &in, web.RefuseUnknown) != nil {
			return
		}
		p, err := in.domain(owner)
		if err != nil {
			if !reflect.DeepEqual(p, iam.Policy{}) {
				t.Fatalf("an error and a policy: %v, %v", p, err)
			}
			return
		}
		if p.ID != "" || p.ReadOnly || p.Owner != owner || !p.CreatedAt.IsZero() || !p.UpdatedAt.IsZero() {
			t.Fatalf("a body reached read-only members: %+v", p)
		}
		first, err := json.Marshal(wirePolicy(p), json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		var again Policy
		if err := web.Decode(first, &again, web.RefuseUnknown); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		q, err := again.domain(owner)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := json.Marshal(wirePolicy(q), json.Deterministic(true)); string(first) != string(second) {
			t.Fatalf("%s became %s", first, second)
		}
	})
}

// FuzzPath holds that a path splits into as many segments as were sent, whatever is escaped in them.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/v1/me", "/1.0/me", "//", "/v2/iam/resource/urn:v1:eu:resource:a%2Fb", "/%2e%2e/v1", "/v1/%", "/v1/%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		parts, err := segments(path)
		if err != nil {
			if parts != nil || iam.KindOf(err) != iam.Invalid {
				t.Fatal(parts, err)
			}
			return
		}
		slashes := 0
		for _, c := range []byte(path) {
			if c == '/' {
				slashes++
			}
		}
		if path != "" && path[0] == '/' {
			slashes--
		}
		if len(parts) != slashes+1 {
			t.Fatalf("%q became %q", path, parts)
		}
	})
}
