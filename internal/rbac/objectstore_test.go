package rbac

import (
	"net/textproto"
	"strings"
	"testing"
)

func TestSwift(t *testing.T) {
	tab := table(t)
	account := "/v1/AUTH_" + own
	oa := RolesOf(ObjectstoreAll)
	cases := []struct {
		name    string
		call    string // METHOD /path, and below it lines of headers
		verdict Verdict
		rule    string
		roles   Roles
		public  bool
	}{
		{"an account's listing", "GET " + account, Judged, "swift:get_account", oa, false},
		{"an account's head", "HEAD " + account, Judged, "swift:get_account", oa, false},
		{"an account's metadata", "POST " + account + "\nX-Account-Meta-Temp-Url-Key: k\nX-Account-Access-Control: {}", Judged, "swift:post_account", oa, false},
		{"an account made", "PUT " + account, Judged, "swift:put_account", 0, false},
		{"an account deleted", "DELETE " + account, Judged, "swift:delete_account", 0, false},
		{"a bulk deletion by POST", "POST " + account + "?bulk-delete", Judged, "swift:bulk_delete", oa, false},
		{"a bulk deletion by DELETE", "DELETE " + account + "?bulk-delete=1", Judged, "swift:bulk_delete", oa, false},
		{"a bulk deletion below a container", "POST " + account + "/c?bulk-delete", Judged, "swift:bulk_delete", oa, false},
		{"an archive unpacked", "PUT " + account + "?extract-archive=tar.gz", Judged, "swift:extract_archive", oa, false},
		{"an archive unpacked in a container", "PUT " + account + "/c?extract-archive=tar", Judged, "swift:extract_archive", oa, false},
		{"an archive unpacked at a prefix", "PUT " + account + "/c/p?extract-archive=tar.bz2", Judged, "swift:extract_archive", oa, false},
		{"an archive unpacked by a temporary URL", "PUT " + account + "/c/p?extract-archive=tar&temp_url_sig=s", AdminOnly, "swift:tempurl", 0, false},
		{"a container published", "POST " + account + "/c\nX-Container-Read: .r:*,.rlistings\nX-Container-Sync-To: //a/b/c", Judged, "swift:post_container", oa, false},
		{"a container sharded", "POST " + account + "/c\nX-Container-Sharding: on", AdminOnly, "swift:post_container", 0, false},
		{"a container's quota", "POST " + account + "/c\nX-Container-Meta-Quota-Bytes: 1", Judged, "swift:post_container", oa, false},
		{"a container's versions", "GET " + account + "/c?versions", Judged, "swift:get_container", oa, false},
		{"a version", "DELETE " + account + "/c/o?version-id=1", Judged, "swift:delete_object", oa, false},
		{"a large object with its segments", "DELETE " + account + "/c/o?multipart-manifest=delete", Judged, "swift:delete_object", oa, false},
		{"a manifest", "PUT " + account + "/c/o?multipart-manifest=put", Judged, "swift:put_object", oa, false},
		{"a link itself", "GET " + account + "/c/o?symlink=get", Judged, "swift:get_object", oa, false},
		{"a copy", "COPY " + account + "/c/o\nDestination: d/o", Judged, "swift:copy_object", oa, false},
		{"a copy to where a path could be meant", "COPY " + account + "/c/o\nDestination: /v1/AUTH_1e1e/c/o", Judged, "swift:copy_object", oa, false},
		{"a copy from a container", "PUT " + account + "/c/o\nX-Copy-From: d/o", Judged, "swift:put_object", oa, false},
		{"a form on a container", "POST " + account + "/c\nContent-Type: multipart/form-data; boundary=x", NotTaken, "swift:post_container", 0, false},
		{"a form on an object", "POST " + account + "/c/o\nContent-Type: MULTIPART/FORM-DATA;boundary=x", NotTaken, "swift:post_object", 0, false},
		{"a form in a second header", "POST " + account + "/c/o\nContent-Type: text/plain\nContent-Type: multipart/form-data;boundary=x", NotTaken, "swift:post_object", 0, false},
		{"a form by a temporary URL", "POST " + account + "/c/o?temp_url_sig=s\nContent-Type: multipart/form-data", NotTaken, "swift:tempurl", 0, false},
		{"an object read by a temporary URL", "GET " + account + "/c/o?temp_url_sig=s&temp_url_expires=1", Judged, "swift:tempurl", 0, true},
		{"an object's head by a temporary URL", "HEAD " + account + "/c/o?temp_url_expires=1&temp_url_sig=s", Judged, "swift:tempurl", 0, true},
		{"an object of somebody else by a temporary URL", "GET /v1/AUTH_1e1e/c/o?temp_url_sig=s", Judged, "swift:tempurl", 0, true},
		{"an object written by a temporary URL", "PUT " + account + "/c/o?temp_url_sig=s", Judged, "swift:tempurl", 0, true},
		{"an object deleted by a temporary URL", "DELETE " + account + "/c/o?temp_url_sig=s", Judged, "swift:tempurl", 0, true},
		{"a copy by a temporary URL", "COPY " + account + "/c/o?temp_url_sig=s", NotTaken, "swift:copy_object", 0, false},
		{"a container by a temporary URL", "GET " + account + "/c?temp_url_sig=s", NotTaken, "swift:get_container", 0, false},
		{"an account by a temporary URL", "POST " + account + "?bulk-delete&temp_url_sig=s", NotTaken, "swift:bulk_delete", 0, false},
		{"an object by a temporary URL without its signature", "GET " + account + "/c/o?temp_url_expires=1", NotTaken, "swift:get_object", 0, false},
		{"an object signed for S3", "PUT " + account + "/c/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k&X-Amz-Signature=s", NotTaken, "swift:put_object", 0, false},
		{"an object signed for S3 by the older rules", "GET " + account + "/c/o?AWSAccessKeyId=k&Signature=s&Expires=1", NotTaken, "swift:get_object", 0, false},
		{"an object signed for S3 and by a temporary URL", "GET " + account + "/c/o?temp_url_sig=s&temp_url_expires=1&%41WSAccessKeyId=k", NotTaken, "swift:tempurl", 0, false},
		{"a pre-flight", "OPTIONS " + account + "/c/o", Judged, "swift:cors", 0, true},
		{"a pre-flight elsewhere", "OPTIONS /v1/AUTH_1e1e/c", Judged, "swift:cors", 0, true},
		{"what Swift can do", "GET /info", Judged, "swift:info", 0, true},
		{"what Swift tells administrators", "GET /info?swiftinfo_sig=s&swiftinfo_expires=1", AdminOnly, "swift:info", 0, false},
		{"whether Swift lives", "GET /healthcheck", Judged, "swift:healthcheck", 0, true},
		{"where an object lies", "GET /endpoints/AUTH_" + own + "/c/o", Judged, "swift:endpoints", 0, false},
		{"where an object lies, second format", "GET /endpoints/v2/AUTH_" + own + "/c/o", Judged, "swift:endpoints", 0, false},
		{"the cluster's state", "GET /recon/replication/object", Judged, "swift:recon", 0, false},
		{"another account", "GET /v1/AUTH_1e1e/c/o", OtherProject, "swift:get_object", 0, false},
		{"another prefix", "GET /v1/SERVICE_" + own, Unknown, "", 0, false},
		{"no prefix", "GET /v1/" + own, Unknown, "", 0, false},
		{"the other version", "GET /v1.0/AUTH_" + own, Unknown, "", 0, false},
		{"another verb", "PATCH " + account + "/c/o", Unknown, "", 0, false},
		{"an internal verb", "REPLICATE " + account + "/c/o", Unknown, "", 0, false},
		{"S3", "GET /bucket/key", Unknown, "", 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			call, headers, _ := strings.Cut(c.call, "\n")
			d := ask(t, tab, ObjectStore, call, "", headerList(headers)...)
			rule := ""
			if d.Operation != nil {
				rule = d.Operation.Rule
			}
			if d.Verdict != c.verdict || rule != c.rule || d.Open() != c.public {
				t.Fatalf("verdict %d of %s on %q, open %v", d.Verdict, rule, d.Field, d.Open())
			}
			for r := range numRoles {
				if got, want := d.Allows(RolesOf(r)), c.roles.Has(r); got != want {
					t.Errorf("%s: %v, want %v", r, got, want)
				}
			}
		})
	}
}

// headerList makes name, value, name, value of lines, with the names as net/http has them.
func headerList(lines string) []string {
	var list []string
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			list = append(list, textproto.CanonicalMIMEHeaderKey(name), value)
		}
	}
	return list
}

// Swift has had several names for a quota, takes each away by another header, and reads an underscore as a hyphen.
func TestAccountQuotasAreRefusedInEverySpelling(t *testing.T) {
	tab := table(t)
	for _, name := range []string{"X-Account-Meta-Quota-Bytes", "x-account-meta-quota-count", "X-Remove-Account-Meta-Quota-Bytes", "X-Account-Quota-Bytes",
		"X-Account-Quota-Count", "X-Remove-Account-Quota-Bytes", "X-Remove-Account-Quota-Count", "X-Account-Quota-Bytes-Policy-gold",
		"X-Account-Quota-Count-Policy-gold", "X-Remove-Account-Quota-Bytes-Policy-gold", "X-Remove-Account-Quota-Count-Policy-gold",
		"X-Account-Meta-Quota_Bytes", "X-Remove-Account-Meta-Quota_Bytes", "X-Account-Sysmeta-Quota-Bytes"} {
		for _, call := range []string{"POST /v1/AUTH_" + own, "POST /v1/AUTH_" + own + "/", "POST /v1/AUTH_" + own + "?bulk-delete", "PUT /v1/AUTH_" + own} {
			if d := ask(t, tab, ObjectStore, call, "", headerList(name+": 1")...); d.Verdict != AdminOnly {
				t.Errorf("%s with %s: verdict %d", call, name, d.Verdict)
			}
		}
	}
}

// A header that names an account must name the token's, whatever way it is spelt; the one that Swift decodes to it is the same.
func TestAccountsInHeadersInEverySpelling(t *testing.T) {
	tab := table(t)
	for _, name := range []string{"X-Copy-From-Account", "Destination-Account", "X-Symlink-Target-Account"} {
		for value, want := range map[string]Verdict{"AUTH_" + own: Judged, " AUTH_" + own + "\t": Judged, "AUTH%5f" + own: Judged, "auth_" + own: OtherProject,
			"AUTH_" + own + "/c": OtherProject, "/AUTH_" + own: OtherProject, `"AUTH_` + own + `"`: OtherProject, "AUTH%255F" + own: OtherProject,
			"AUTH_" + own + ",AUTH_1e1e": OtherProject, "SERVICE_" + own: OtherProject, own: OtherProject, "AUTH_" + strings.ToUpper(own): OtherProject,
			"AUTH_" + own + "%00": OtherProject, "AUTH_": OtherProject, "*": OtherProject, "": OtherProject} {
			for _, call := range []string{"PUT /v1/AUTH_" + own + "/c/o", "COPY /v1/AUTH_" + own + "/c/o"} {
				if d := ask(t, tab, ObjectStore, call, "", name, value); d.Verdict != want {
					t.Errorf("%s, %s: %q: verdict %d, want %d", call, name, value, d.Verdict, want)
				}
			}
		}
		if d := ask(t, tab, ObjectStore, "PUT /v1/AUTH_"+own+"/c/o", "", name, "AUTH_"+own, name, "AUTH_1e1e"); d.Verdict != OtherProject {
			t.Errorf("%s twice: verdict %d", name, d.Verdict)
		}
	}
}
