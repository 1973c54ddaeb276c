package gateway

import "testing"

// Routers written in Python take the method from the query (routes.middleware), of whatever request, in whatever spelling.
func TestOdd3_1_1_MethodInTheQuery(t *testing.T) {
	w := newWorld(t)
	targets := []string{"/compute/v2.1/servers/1", "/volume/v3/" + projectA + "/volumes/1", "/image/v2/images/1", "/network/v2.0/security-groups/1",
		"/network/v2.0/routers/1", "/network/v2.0/ports/1", "/ai-training/v1/job/1", "/object-store/v1/AUTH_" + projectA + "/c/o"}
	queries := []string{"_method=DELETE", "_method=delete", "_method=", "_method", "a=1;_method=DELETE", "a=1&_method=DELETE", "_method=GET&_method=DELETE",
		"%5Fmethod=DELETE&a=_method", "%5fmethod=DELETE", "_%6dethod=DELETE", "_%6Dethod=DELETE", "%5f%6d%65%74%68%6f%64=DELETE", "_METHOD=DELETE", "_Method=DELETE",
		"x=%26_method=DELETE", "+_method=DELETE", "_method%3DDELETE", "__method=DELETE", "[_method]=DELETE", "_method[]=DELETE"}
	for _, target := range targets {
		for _, query := range queries {
			w.oddly(t, "all", odd{"GET " + target + "?" + query, bad, ""})
		}
	}
	for _, method := range []string{"HEAD", "OPTIONS", "PUT", "POST", "DELETE", "PATCH"} {
		w.oddly(t, "all", odd{method + " " + targets[3] + "?_method=PUT", bad, ""})
	}
	w.oddly(t, "all",
		odd{"GET /network/v2.0/routers/1?_method=PUT\nContent-Type: application/json", bad, `{"router":{"name":"x"}}`},
		odd{"GET /compute/v2.1/servers?name=x_metho", ok, ""},
		odd{"GET /compute/v2.1/servers?name=method", ok, ""})
}

// A form in the body has the same effect; X-HTTP-Method-Override has none, and does not get there.
func TestOdd3_1_1_MethodInTheBody(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"POST /compute/v2.1/servers", "POST /volume/v3/" + projectA + "/volumes", "POST /image/v2/images", "POST /network/v2.0/security-groups",
		"POST /compute/v2.1/servers/1/action", "PUT /network/v2.0/routers/1/add_router_interface"} {
		w.oddly(t, "all",
			odd{call + "\nContent-Type: application/x-www-form-urlencoded", bad, "_method=DELETE"},
			odd{call + "\nContent-Type: Application/X-WWW-Form-UrlEncoded; charset=utf-8", bad, "_method=DELETE"},
			odd{call + "\nContent-Type: application/json\nContent-Type: application/x-www-form-urlencoded", bad, "_method=DELETE"},
			odd{call + "\nContent-Type: multipart/form-data; boundary=b", bad, "--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--b--\r\n"})
	}
	w.one(t, "all", odd{"GET /network/v2.0/security-groups/1\nX-HTTP-Method-Override: DELETE", ok, ""})
}

// An action is the body's only member, decoded; who sends two, or something a service might read otherwise, is not understood.
func TestOdd3_1_2_ActionInTheBody(t *testing.T) {
	w := everyRole(t)
	nova, cinder := "POST /compute/v2.1/servers/1/action", "POST /volume/v3/"+projectA+"/volumes/1/action"
	w.oddly(t, "compute_snapshot_manage",
		odd{nova, ok, `{"createImage":{"name":"x"}}`},
		odd{nova, ok, " {\n\t\"\\u0063reate\\u0049mage\" : {\"name\":\"\\ud83d\\ude00\", \"metadata\":{\"n\":1.0e+1}} }\r\n"},
		odd{nova + "\nContent-Type: text/plain", ok, `{"createImage":{}}`},
		odd{nova + "\nContent-Type: application/json", forbidden, `{"\u0072eboot":{"type":"HARD"}}`},
		odd{nova + "\nContent-Type: text/plain", forbidden, `{"reboot":{"type":"HARD"}}`},
		odd{nova, forbidden, `{"CREATEIMAGE":{}}`},
		odd{nova, forbidden, `{"createImage ":{}}`},
		odd{nova, forbidden, `{"createImage\u0000":{}}`},
		odd{nova, bad, `{"createImage":{},"reboot":{}}`},
		odd{nova, bad, `{"reboot":{},"createImage":{}}`},
		odd{nova, bad, `{"createImage":{},"createImage":{}}`},
		odd{nova, bad, `{"createImage":{},"\u0063reateImage":{}}`},
		odd{nova, bad, `{"createImage":{}}{"reboot":{}}`},
		odd{nova, bad, `{"createImage":{}} x`},
		odd{nova, bad, `{"createImage":{"a":1,"\u0061":2}}`},
		odd{nova, bad, `{createImage:{}}`},
		odd{nova, bad, `{'createImage':{}}`},
		odd{nova, bad, `{"createImage":NaN}`},
		odd{nova, bad, `{"createImage":{},}`},
		odd{nova, bad, `/**/{"createImage":{}}`},
		odd{nova, bad, "\xef\xbb\xbf" + `{"createImage":{}}`},
		odd{nova, bad, "{\x00\"\x00c\x00\"\x00:\x001\x00}\x00"},
		odd{nova, bad, `{"createImage":"` + "\xff" + `"}`},
		odd{nova, bad, `{"createImage":"\ud800"}`},
		odd{nova, bad, `[{"createImage":{}}]`},
		odd{nova, bad, `"createImage"`},
		odd{nova, bad, `{}`},
		odd{nova, bad, ``},
		odd{nova + "\nContent-Encoding: gzip", bad, `{"createImage":{}}`},
		odd{nova + "\nContent-Encoding: identity", ok, `{"createImage":{}}`})
	w.oddly(t, "volume_read",
		odd{cinder, forbidden, `{"os-extend":{"new_size":2}}`},
		odd{cinder, bad, `{"os-show_image_metadata":{},"os-extend":{}}`})
}

// GETs that change or run something are no reads, and POSTs that only read are none either.
func TestOdd3_1_3_GETsWithEffectsAndPOSTsThatRead(t *testing.T) {
	w := everyRole(t)
	w.oddly(t, "ai_training_read",
		odd{"GET /ai-training/v1/job/1/exec?command=sh", forbidden, ""},
		odd{"HEAD /ai-training/v1/job/1/exec", forbidden, ""},
		odd{"GET /ai-training/v1/notebook/1/exec", forbidden, ""},
		odd{"POST /ai-training/v1/job/command", forbidden, `{"image":"x"}`},
		odd{"GET /ai-training/v1/job/1/log?follow=true", ok, ""})
	w.oddly(t, "ai_training_all",
		odd{"GET /ai-training/v1/job/1/exec?command=sh", ok, ""},
		odd{"POST /ai-training/v1/job/command", ok, `{"image":"x"}`})
	w.oddly(t, "network_read", odd{"GET /network/v2.0/auto-allocated-topology/" + projectA, forbidden, ""})
	w.oddly(t, "network_manage",
		odd{"GET /network/v2.0/auto-allocated-topology/" + projectA, ok, ""},
		odd{"GET /network/v2.0/auto-allocated-topology/" + projectB, forbidden, ""})
	w.oddly(t, "compute_read", odd{"POST /compute/v2.1/servers/1/action", forbidden, `{"os-getConsoleOutput":{}}`})
	w.oddly(t, "compute_manage", odd{"POST /compute/v2.1/servers/1/action", ok, `{"os-getConsoleOutput":{}}`})
	w.oddly(t, "volume_read",
		odd{"POST /volume/v3/" + projectA + "/volumes/1/action", forbidden, `{"os-show_image_metadata":{}}`},
		odd{"POST /volume/v3/" + projectA + "/groups/1/action", forbidden, `{"list_replication_targets":{}}`})
	w.oddly(t, "volume_manage", odd{"POST /volume/v3/" + projectA + "/volumes/1/action", ok, `{"os-show_image_metadata":{}}`})
	w.oddly(t, "all",
		odd{"GET /volume/v3/" + projectA + "/qos-specs/1/associate?vol_type_id=2", forbidden, ""},
		odd{"GET /volume/v3/" + projectA + "/qos-specs/1/disassociate?vol_type_id=2", forbidden, ""},
		odd{"GET /volume/v3/" + projectA + "/qos-specs/1/disassociate_all", forbidden, ""},
		odd{"GET /volume/v3/" + projectA + "/backups/1/export_record", forbidden, ""},
		odd{"GET /compute/v2.1/os-hosts/h/reboot", forbidden, ""},
		odd{"GET /compute/v2.1/os-hosts/h/shutdown", forbidden, ""},
		odd{"GET /compute/v2.1/os-hosts/h/startup", forbidden, ""})
}

// A project in the path is the token's: not another, and not what the routers' pattern takes for one.
func TestOdd3_1_4_ProjectInThePath(t *testing.T) {
	w := newWorld(t)
	upper := "0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F"
	for _, p := range []string{projectB, "0", "-", "---", "0f0f", projectA + "-", upper} {
		w.oddly(t, "all",
			odd{"GET /compute/v2.1/" + p + "/servers", forbidden, ""},
			odd{"GET /compute/v2/" + p + "/servers", forbidden, ""},
			odd{"POST /compute/v2.1/" + p + "/servers/1/action", forbidden, `{"reboot":{}}`},
			odd{"GET /volume/v3/" + p + "/volumes", forbidden, ""},
			odd{"GET /volume/v3/" + p + "/os-quota-sets/" + projectA, forbidden, ""},
			odd{"GET /volume/v3/" + projectA + "/os-quota-sets/" + p, forbidden, ""},
			odd{"GET /compute/v2.1/os-quota-sets/" + p, forbidden, ""},
			odd{"GET /compute/v2.1/" + projectA + "/os-simple-tenant-usage/" + p, forbidden, ""},
			odd{"GET /network/v2.0/quotas/" + p, forbidden, ""},
			odd{"GET /object-store/v1/AUTH_" + p, forbidden, ""},
			odd{"GET /object-store/v1/AUTH_" + p + "/c/o", forbidden, ""})
	}
	w.oddly(t, "all",
		odd{"GET /compute/v2.1/" + projectA + "/servers", ok, ""},
		odd{"GET /compute/v2.1/os-quota-sets/" + projectA, ok, ""},
		odd{"GET /volume/v3/" + projectA + "/os-quota-sets/" + projectA, ok, ""},
		odd{"POST /volume/v3/groups/action", forbidden, `{"delete":{}}`},
		odd{"POST /volume/v3/volumes/metadata", forbidden, `{"metadata":{}}`})
}
