package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

const account = "/object-store/v1/AUTH_" + projectA

// An object's name is the tenant's: no slash, dot or escape of it is touched on the way.
func TestOdd3_6_ObjectNamesAreNeverTouched(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "a/", "a//b", "//a", "./a", "../../a", "a/..", ".", "..", "%2F", "%2f%2F", "%2e%2E/x", "%41", "a;b", "a%3Bb", "a%25", "a%252F", "a%23b",
		"a%3Fb", "a%5Cb", "%E2%82%AC", "%20", "%0A", "%7F", "+", "a.json", "a.xml", "A", "a:b@c!$&'()*,=", "~_-.", "_method", "%5Fmethod"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "COPY"} {
			w.oddly(t, "all", odd{method + " " + account + "/c/" + name, ok, ""})
		}
	}
	w.oddly(t, "all",
		odd{"PUT " + account + "/c/o?multipart-manifest=put&x=%2f+%20", ok, "[]"},
		odd{"GET " + account + "/c.json", ok, ""},
		odd{"GET " + account + "/c?", ok, ""},
		odd{"GET " + account + "/c/%00", bad, ""},
		odd{"GET " + account + "/c/%FF", bad, ""},
		odd{"GET " + account + "/c/a\\b", bad, ""},
		odd{"GET " + account + "/c/a#b", bad, ""})
}

// Up to the container there is one spelling.
func TestOdd3_6_AccountsAndContainers(t *testing.T) {
	w := newWorld(t)
	w.oddly(t, "all",
		odd{"GET " + account, ok, ""},
		odd{"GET " + account + "/", ok, ""},
		odd{"GET " + account + "/c/", ok, ""},
		odd{"GET " + account + "//o", bad, ""},
		odd{"GET " + account + "//", bad, ""},
		odd{"GET " + account + "/../AUTH_" + projectB, bad, ""},
		odd{"GET " + account + "/../o", bad, ""},
		odd{"GET " + account + "%2Fc", bad, ""},
		odd{"GET " + account + "/c%2Fo", bad, ""},
		odd{"GET " + account + "/%63/o", bad, ""},
		odd{"GET /object-store/v1/%41UTH_" + projectA, bad, ""},
		odd{"GET /object-store//v1/AUTH_" + projectA, bad, ""},
		odd{"GET /object-store/v1//AUTH_" + projectA, bad, ""},
		odd{"GET /object-store/v1/auth_" + projectA, forbidden, ""},
		odd{"GET /object-store/v1/AUTH_" + projectB + "/c/o", forbidden, ""},
		odd{"GET /object-store/v1/" + projectA, forbidden, ""},
		odd{"GET /object-store/v1/SERVICE_" + projectA, forbidden, ""},
		odd{"GET /object-store/v1/AUTH_" + projectA + "-x", forbidden, ""},
		odd{"GET /object-store/v1/.reseller", forbidden, ""},
		odd{"PUT " + account, forbidden, ""},
		odd{"DELETE " + account, forbidden, ""},
		odd{"PATCH " + account + "/c/o", forbidden, ""},
		odd{"REPLICATE " + account + "/c", forbidden, ""},
		odd{"GET /object-store/endpoints/AUTH_" + projectA + "/c/o", forbidden, ""},
		odd{"GET /object-store/recon/ringmd5", forbidden, ""})
}

// The same path with another meaning is the same role's; without the role it is nobody's.
func TestOdd3_6_OtherMeanings(t *testing.T) {
	w := everyRole(t)
	for _, call := range []string{"POST " + account + "?bulk-delete", "DELETE " + account + "?bulk-delete", "POST " + account + "/c?bulk-delete",
		"PUT " + account + "?extract-archive=tar.gz", "PUT " + account + "/c?extract-archive=tar", "PUT " + account + "/c/o?multipart-manifest=put",
		"GET " + account + "/c/o?multipart-manifest=get", "DELETE " + account + "/c/o?multipart-manifest=delete", "GET " + account + "/c?versions",
		"DELETE " + account + "/c/o?version-id=1", "GET " + account + "/c/o?symlink=get", "COPY " + account + "/c/o\nDestination: d/o",
		"POST " + account + "/c\nX-Container-Read: .r:*"} {
		w.oddly(t, "objectstore_all", odd{call, ok, ""})
		w.oddly(t, "compute_manage", odd{call, forbidden, ""})
	}
}

// Headers that reach into another account, and those that only a reseller may set, in every spelling that Swift would understand.
func TestOdd3_6_Headers(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"X-Copy-From-Account", "x-copy-from-account", "Destination-Account", "X-SYMLINK-TARGET-ACCOUNT"} {
		for value, status := range map[string]int{"AUTH_" + projectA: ok, "AUTH_" + projectB: forbidden, "AUTH%5F" + projectB: forbidden,
			"AUTH_" + projectA + ", AUTH_" + projectB: forbidden, `"AUTH_` + projectA + `"`: forbidden, "": forbidden} {
			w.oddly(t, "all",
				odd{"PUT " + account + "/c/o\nX-Copy-From: d/o\n" + name + ": " + value, status, ""},
				odd{"COPY " + account + "/c/o\nDestination: d/o\n" + name + ":" + value, status, ""})
		}
		w.oddly(t, "all", odd{"PUT " + account + "/c/o\n" + name + ": AUTH_" + projectA + "\n" + name + ": AUTH_" + projectB, forbidden, ""})
	}
	for _, h := range []string{"X-Account-Meta-Quota-Bytes: 1", "X-Account-Meta-Quota_Bytes: 1", "x-account-meta-quota-bytes:", "X-Remove-Account-Meta-Quota-Bytes: x",
		"X-Account-Quota-Count: 1", "X-Account-Quota-Bytes-Policy-gold: 1"} {
		w.oddly(t, "all", odd{"POST " + account + "\n" + h, forbidden, ""})
	}
	w.oddly(t, "all",
		odd{"POST " + account + "/c\nX-Container-Sharding: on", forbidden, ""},
		odd{"POST " + account + "/c\nContent-Type: multipart/form-data; boundary=b", forbidden, "--b--\r\n"},
		odd{"POST " + account + "/c/o\nContent-Type: Multipart/Form-Data;boundary=b", forbidden, "--b--\r\n"})
}

// A call that carries a credential of its own would be another call to Swift than its path says, or get a 401 that is not ours to hand on. Who
// is refused is told what to do.
func TestOdd3_6_CredentialsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	for _, query := range []string{"AWSAccessKeyId=k&Signature=s&Expires=1", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k&X-Amz-Signature=s", "temp_url_expires=1"} {
		for _, call := range []string{"GET ", "PUT ", "DELETE ", "COPY "} {
			w.oddly(t, "all", odd{call + account + "/c/o?" + query, forbidden, ""})
			w.oddly(t, "", odd{call + account + "/c/o?" + query, http.StatusUnauthorized, ""})
		}
	}
	w.oddly(t, "all", odd{"GET " + account + "/c?temp_url_sig=s&temp_url_expires=1", forbidden, ""}, odd{"COPY " + account + "/c/o?temp_url_sig=s&temp_url_expires=1", forbidden, ""})
	resp, _ := w.ask(t, "PUT", "/GRA1"+account+"/c/o", "X-Auth-Token: all", "X-Container-Sync-Auth: r n s", "X-Allow-Reserved-Names: 1", "X-Container-Sync-Key: k")
	if got := identity(w.last()); resp.StatusCode != ok || got["x-container-sync-auth"] != nil || got["x-allow-reserved-names"] != nil {
		t.Errorf("%d, the cloud got %v", resp.StatusCode, got)
	}
}

// What goes on without a token goes on without any credential, and only for projects we know.
func TestOdd3_6_WithoutAToken(t *testing.T) {
	w := newWorld(t)
	unknown := strings.Replace(account, projectA, projectB, 1)
	signed := "?temp_url_sig=aa&temp_url_expires=9999999999"
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		w.oddly(t, "", odd{method + " " + account + "/c/o" + signed, ok, ""}, odd{method + " " + unknown + "/c/o" + signed, 401, ""})
		w.oddly(t, "none", odd{method + " " + account + "/c/o" + signed, ok, ""})
	}
	w.oddly(t, "",
		odd{"OPTIONS " + account + "/c/o\nOrigin: https://x.example\nAccess-Control-Request-Method: PUT", ok, ""},
		odd{"OPTIONS " + unknown + "/c", 401, ""},
		odd{"GET " + account + "/c", ok, ""},
		odd{"GET " + account + "/c/o", ok, ""},
		odd{"GET " + account, 401, ""},
		odd{"PUT " + account + "/c/o", 401, ""},
		odd{"PUT " + account + "/c/o?temp_url_Sig=aa", 401, ""},
		odd{"COPY " + account + "/c/o" + signed, 401, ""},
		odd{"POST " + account + "/c?bulk-delete&temp_url_sig=aa", 401, ""},
		odd{"GET /object-store/info", ok, ""},
		odd{"GET /object-store/healthcheck", ok, ""})
	resp, _ := w.ask(t, "GET", "/GRA1"+account+"/c/o"+signed, "X-Auth-Token: all", "Authorization: Basic eDp5", "X-Roles: admin", "X-Identity-Status: Confirmed")
	if got := identity(w.last()); resp.StatusCode != ok || got["x-roles"] != nil || got["x-identity-status"] != nil || got["authorization"] != nil || got["x-auth-token"] != nil {
		t.Errorf("%d, the cloud got %v", resp.StatusCode, got)
	}
}

// AI Training's clients send a bearer token, shells come by an upgrade of a GET, and a token that is issued must not be more than its maker.
func TestOdd3_7_AITraining(t *testing.T) {
	w := everyRole(t)
	bearer := func(token string) string { return "\nAuthorization: Bearer " + token }
	w.oddly(t, "",
		odd{"GET /ai-training/v1/job" + bearer("ai_training_read"), ok, ""},
		odd{"GET /ai-training/v1/job" + strings.ToLower(bearer("ai_training_read")), ok, ""},
		odd{"GET /ai-training/v1/job\nAuthorization: Basic eDp5", 401, ""},
		odd{"GET /ai-training/v1/job" + bearer("ai_training_read") + bearer("ai_training_all"), bad, ""},
		odd{"GET /ai-training/v1/job" + bearer("ai_training_read") + "\nX-Auth-Token: ai_training_all", bad, ""},
		odd{"GET /ai-training/v1/job/1/exec" + bearer("ai_training_read"), forbidden, ""},
		odd{"POST /ai-training/v1/token" + bearer("ai_training_read"), forbidden, `{"name":"x","role":"operator"}`},
		odd{"POST /ai-training/v1/token" + bearer("ai_training_all"), ok, `{"name":"x","role":"operator"}`},
		odd{"POST /ai-training/v1/token" + bearer("ai_training_all"), forbidden, `{"name":"x","role":"administrator"}`},
		odd{"POST /ai-training/v1/token" + bearer("ai_training_all"), bad, `{"name":"x","role":"read","role":"administrator"}`},
		odd{"GET /compute/v2.1/servers" + bearer("compute_read"), 401, ""})
	upgrade := "\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
	w.oddly(t, "ai_training_read", odd{"GET /ai-training/v1/job/1/exec" + upgrade, forbidden, ""})
	w.oddly(t, "ai_training_all", odd{"GET /ai-training/v1/job/1/exec" + upgrade, ok, ""})
	w.set("ai_training_all", rbac.RolesOf(rbac.AITrainingRead))
	w.oddly(t, "ai_training_all", odd{"GET /ai-training/v1/job/1/exec" + upgrade, forbidden, ""})
}
