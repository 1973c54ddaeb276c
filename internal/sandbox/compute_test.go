package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// ids gives what a create needs.
func (w *world) ids() (image, flavor, network string) {
	w.t.Helper()
	image = w.want(200, "image", "GET", "/v2/images?name=Debian%2012", "").at("images.0.id").(string)
	flavor = w.want(200, "compute", "GET", "/v2.1/flavors/detail?is_public=None", "").at("flavors.0.id").(string)
	network = w.want(200, "network", "GET", "/v2.0/networks?name=Ext-Net", "").at("networks.0.id").(string)
	return image, flavor, network
}

// server makes an active server and gives its path.
func (w *world) server(name string) string {
	w.t.Helper()
	image, flavor, network := w.ids()
	a := w.want(202, "compute", "POST", "/v2.1/servers", fmt.Sprintf(
		`{"server":{"name":%q,"imageRef":%q,"flavorRef":%q,"networks":[{"uuid":%q}]}}`, name, image, flavor, network))
	w.now = w.now.Add(2 * time.Second)
	return "/v2.1/servers/" + a.at("server.id").(string)
}

func (w *world) status(path string) any {
	w.t.Helper()
	return w.want(200, "compute", "GET", path, "").at("server.status")
}

func TestAServerLives(t *testing.T) {
	w := newWorld(t)
	image, flavor, network := w.ids()
	a := w.want(202, "compute", "POST", "/v2.1/"+project+"/servers", fmt.Sprintf(
		`{"server":{"name":"vm","imageRef":%q,"flavorRef":%q,"networks":[{"uuid":%q}],"metadata":{"a":"b"}}}`, image, flavor, network))
	path := "/v2.1/servers/" + a.at("server.id").(string)
	if got := a.header.Get("Location"); got != "http://cloud.test/GRA1/compute/v2.1/"+project+"/servers/"+a.at("server.id").(string) {
		t.Errorf("Location is %s", got)
	}
	if w.status(path) != "BUILD" {
		t.Error("a new server is not BUILD")
	}
	w.now = w.now.Add(2 * time.Second)
	steps := []struct{ body, during, after string }{
		{`{"os-stop":null}`, "ACTIVE", "SHUTOFF"},
		{`{"os-start":null}`, "SHUTOFF", "ACTIVE"},
		{`{"reboot":{"type":"SOFT"}}`, "REBOOT", "ACTIVE"},
		{`{"reboot":{"type":"HARD"}}`, "HARD_REBOOT", "ACTIVE"},
		{`{"pause":null}`, "ACTIVE", "PAUSED"},
		{`{"unpause":null}`, "PAUSED", "ACTIVE"},
		{`{"suspend":null}`, "ACTIVE", "SUSPENDED"},
		{`{"resume":null}`, "SUSPENDED", "ACTIVE"},
		{`{"shelve":null}`, "ACTIVE", "SHELVED_OFFLOADED"},
		{`{"unshelve":null}`, "SHELVED_OFFLOADED", "ACTIVE"},
		{`{"rescue":{}}`, "ACTIVE", "RESCUE"},
		{`{"unrescue":null}`, "RESCUE", "ACTIVE"},
		{`{"rebuild":{"imageRef":"` + image + `"}}`, "REBUILD", "ACTIVE"},
		{`{"resize":{"flavorRef":"` + w.flavorNamed("b2-7") + `"}}`, "RESIZE", "VERIFY_RESIZE"},
		{`{"revertResize":null}`, "REVERT_RESIZE", "ACTIVE"},
		{`{"resize":{"flavorRef":"` + w.flavorNamed("b2-7") + `"}}`, "RESIZE", "VERIFY_RESIZE"},
		{`{"confirmResize":null}`, "ACTIVE", "ACTIVE"},
		{`{"changePassword":{"adminPass":"x"}}`, "ACTIVE", "ACTIVE"},
		{`{"createImage":{"name":"s"}}`, "ACTIVE", "ACTIVE"},
		{`{"createBackup":{"name":"b","backup_type":"daily","rotation":1}}`, "ACTIVE", "ACTIVE"},
	}
	for _, step := range steps {
		if a := w.do("compute", "POST", path+"/action", step.body); a.status >= 300 {
			t.Fatalf("%s: %d %s", step.body, a.status, a.text)
		}
		if got := w.status(path); got != step.during {
			t.Errorf("%s: then it is %v, want %s", step.body, got, step.during)
		}
		w.now = w.now.Add(3 * time.Second)
		if got := w.status(path); got != step.after {
			t.Errorf("%s: at last it is %v, want %s", step.body, got, step.after)
		}
	}
	if n := len(w.want(200, "compute", "GET", path+"/os-instance-actions", "").at("instanceActions").([]any)); n != len(steps)+1 {
		t.Errorf("its history has %d entries, want %d", n, len(steps)+1)
	}
	w.want(204, "compute", "DELETE", path, "")
	if ports := w.want(200, "network", "GET", "/v2.0/ports", "").at("ports").([]any); len(ports) != 0 {
		t.Errorf("a deleted server still holds %d ports", len(ports))
	}
	w.now = w.now.Add(time.Second)
	w.want(404, "compute", "GET", path, "")
}

func TestAServerFailsWhenAsked(t *testing.T) {
	w := newWorld(t)
	image, flavor, network := w.ids()
	a := w.want(202, "compute", "POST", "/v2.1/servers", fmt.Sprintf(
		`{"server":{"name":"vm","imageRef":%q,"flavorRef":%q,"networks":[{"uuid":%q}],"metadata":{"sandbox-fault":"The disk is full."}}}`, image, flavor, network))
	path := "/v2.1/servers/" + a.at("server.id").(string)
	w.now = w.now.Add(2 * time.Second)
	if a = w.want(200, "compute", "GET", path, ""); a.at("server.status") != "ERROR" || a.at("server.fault.message") != "The disk is full." {
		t.Error(a.text)
	}
	if a = w.want(200, "compute", "GET", "/v2.1/servers/detail?status=ERROR", ""); a.at("servers.0.name") != "vm" {
		t.Error(a.text)
	}
	w.want(409, "compute", "POST", path+"/action", `{"createImage":{"name":"s"}}`)
	w.want(202, "compute", "POST", path+"/action", `{"reboot":{"type":"HARD"}}`)
	w.now = w.now.Add(3 * time.Second)
	if a = w.want(200, "compute", "GET", path, ""); a.at("server.status") != "ACTIVE" || a.at("server.fault") != nil {
		t.Error(a.text)
	}
}

func (w *world) flavorNamed(name string) string {
	w.t.Helper()
	for _, f := range w.want(200, "compute", "GET", "/v2.1/flavors", "").at("flavors").([]any) {
		if m := f.(map[string]any); m["name"] == name {
			return m["id"].(string)
		}
	}
	w.t.Fatal("no flavor " + name)
	return ""
}

func TestAnActionInTheWrongStateIsRefusedInNovasWords(t *testing.T) {
	w := newWorld(t)
	path := w.server("vm")
	id := path[strings.LastIndex(path, "/")+1:]
	for body, want := range map[string]string{
		`{"os-start":null}`:                        "Cannot 'start' instance " + id + " while it is in vm_state active",
		`{"unpause":null}`:                         "Cannot 'unpause' instance " + id + " while it is in vm_state active",
		`{"confirmResize":null}`:                   "Cannot 'confirmResize' instance " + id + " while it is in vm_state active",
		`{"removeSecurityGroup":{"name":"other"}}`: "Security group other not found for project " + project + ".",
	} {
		a := w.do("compute", "POST", path+"/action", body)
		if a.at("conflictingRequest.message") != want && a.at("itemNotFound.message") != want {
			t.Errorf("%s: %d %s", body, a.status, a.text)
		}
	}
	w.want(202, "compute", "POST", path+"/action", `{"lock":null}`)
	if a := w.want(409, "compute", "DELETE", path, ""); a.at("conflictingRequest.message") != "Instance "+id+" is locked" {
		t.Error(a.text)
	}
	w.want(202, "compute", "POST", path+"/action", `{"unlock":null}`)
	w.want(202, "compute", "POST", path+"/action", `{"os-stop":null}`)
	if a := w.want(409, "compute", "POST", path+"/action", `{"reboot":{"type":"SOFT"}}`); !strings.Contains(a.text, "task_state powering-off") {
		t.Error(a.text)
	}
}

func TestBadRequestsToCompute(t *testing.T) {
	w := newWorld(t)
	path := w.server("vm")
	image, flavor, network := w.ids()
	create := func(format string, args ...any) string { return `{"server":{` + fmt.Sprintf(format, args...) + `}}` }
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"a body that is no JSON", "POST", "/v2.1/servers", `{`, 400, "badRequest"},
		{"a member twice", "POST", "/v2.1/servers", `{"server":{},"server":{}}`, 400, "appears twice"},
		{"no server", "POST", "/v2.1/servers", `{}`, 400, "'server' is a required property"},
		{"no name", "POST", "/v2.1/servers", create(`"flavorRef":%q`, flavor), 400, "'name' is a required property"},
		{"no flavor", "POST", "/v2.1/servers", create(`"name":"x"`), 400, "'flavorRef' is a required property"},
		{"no networks since 2.37", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q`, flavor), 400, "'networks' is a required property"},
		{"an unknown flavor", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":"9","imageRef":%q,"networks":"auto"`, image), 400, "Invalid flavorRef provided."},
		{"an unknown image", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"networks":"auto"`, flavor, network), 400, "Can not find requested image"},
		{"no image", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"networks":"auto"`, flavor), 400, "Invalid imageRef provided."},
		{"an unknown network", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"networks":[{"uuid":%q}]`, flavor, image, image), 400, "could not be found"},
		{"an unknown key", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"key_name":"k","networks":"auto"`, flavor, image), 400, "Invalid key_name provided."},
		{"an unknown group", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"security_groups":[{"name":"g"}],"networks":"auto"`, flavor, image), 400, "Security group g not found"},
		{"an unknown zone", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"availability_zone":"z","networks":"auto"`, flavor, image), 400, "not available"},
		{"a forced host", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"availability_zone":"nova:h","networks":"auto"`, flavor, image), 403, "forced_host"},
		{"more than the quota", "POST", "/v2.1/servers", create(`"name":"x","flavorRef":%q,"imageRef":%q,"min_count":20,"networks":"auto"`, flavor, image), 403,
			"Quota exceeded for instances: Requested 20, but already used 1 of 20 instances"},
		{"two actions", "POST", path + "/action", `{"os-stop":null,"os-start":null}`, 400, "exactly one action"},
		{"an unknown action", "POST", path + "/action", `{"frobnicate":null}`, 400, "There is no such action: frobnicate"},
		{"an administrator's action", "POST", path + "/action", `{"migrate":null}`, 403, "Policy doesn't allow"},
		{"a reboot of no kind", "POST", path + "/action", `{"reboot":{"type":"LUKEWARM"}}`, 400, "LUKEWARM"},
		{"an image without a name", "POST", path + "/action", `{"createImage":{}}`, 400, "'name' is a required property"},
		{"a volume that is not there", "POST", path + "/os-volume_attachments", `{"volumeAttachment":{"volumeId":"` + image + `"}}`, 404, "could not be found"},
		{"a volume id that is none", "POST", path + "/os-volume_attachments", `{"volumeAttachment":{"volumeId":"v"}}`, 400, "is not a 'uuid'"},
		{"all tenants", "GET", "/v2.1/servers/detail?all_tenants=1", "", 403, "Policy doesn't allow"},
		{"deleted servers", "GET", "/v2.1/servers?status=DELETED", "", 403, "Only administrators"},
		{"an unknown marker", "GET", "/v2.1/servers?marker=x", "", 400, "marker [x] not found"},
		{"a negative limit", "GET", "/v2.1/servers?limit=-1", "", 400, "limit param"},
		{"an unknown server", "GET", "/v2.1/servers/nope", "", 404, "Instance nope could not be found."},
		{"an unknown flavor's page", "GET", "/v2.1/flavors/nope", "", 404, "Flavor nope could not be found."},
		{"an unknown key pair", "GET", "/v2.1/os-keypairs/nope", "", 404, "Keypair nope not found for user"},
		{"another project in the path", "GET", "/v2.1/1111/servers", "", 400, "doesn't match Context's project_id"},
		{"another project's quota", "GET", "/v2.1/os-quota-sets/1111", "", 403, "Policy doesn't allow"},
		{"an unknown path", "GET", "/v2.1/frobs", "", 404, "The resource could not be found."},
		{"a method that is not there", "PATCH", "/v2.1/servers", "", 405, "badMethod"},
	} {
		if a := w.do("compute", c.method, c.path, c.body); a.status != c.status || !strings.Contains(a.text, c.says) {
			t.Errorf("%s: %d %s", c.name, a.status, a.text)
		} else if a.header.Get("X-Compute-Request-Id") == "" || a.header.Get("X-Compute-Request-Id") != a.header.Get("X-Openstack-Request-Id") {
			t.Errorf("%s: no request id", c.name)
		}
	}
	if n := len(w.want(200, "compute", "GET", "/v2.1/servers", "").at("servers").([]any)); n != 1 {
		t.Errorf("after all refusals there are %d servers, want 1", n)
	}
}

func TestMicroversionsAreNegotiated(t *testing.T) {
	w := newWorld(t)
	if err := w.cloud.Seed(project); err != nil {
		t.Fatal(err)
	}
	list := func(version string) answer {
		return w.as(project, "GRA1", "compute", "GET", "/v2.1/servers/detail", "", version)
	}
	for version, c := range map[string]struct {
		status  int
		answers string
		flavor  string // a member that shows the form
	}{
		"": {200, "2.1", "id"}, "2.1": {200, "2.1", "id"}, "2.46": {200, "2.46", "id"}, "2.47": {200, "2.47", "original_name"}, "latest": {200, "2.90", "original_name"},
		"2.91": {406, "", ""}, "3.1": {406, "", ""}, "nonsense": {400, "", ""}, "2.0": {406, "", ""},
	} {
		a := list(version)
		if a.status != c.status || a.header.Get("X-OpenStack-Nova-API-Version") != c.answers {
			t.Errorf("%q: %d, answers %q: %s", version, a.status, a.header.Get("X-OpenStack-Nova-API-Version"), a.text)
		}
		if c.flavor != "" && a.at("servers.0.flavor."+c.flavor) == nil {
			t.Errorf("%q: no %s in the flavor", version, c.flavor)
		}
	}
	a := w.as("", "GRA", "compute", "GET", "/v2.1", "", "")
	if a.status != 200 || a.at("version.version") != "2.90" || a.at("version.min_version") != "2.1" {
		t.Errorf("the version document: %d %s", a.status, a.text)
	}
}

func TestVolumesAndInterfacesComeAndGo(t *testing.T) {
	w := newWorld(t)
	path := w.server("vm")
	volume := w.want(202, "volume", "POST", "/v3/"+project+"/volumes", `{"volume":{"size":1}}`).at("volume.id").(string)
	w.now = w.now.Add(3 * time.Second)
	w.want(200, "compute", "POST", path+"/os-volume_attachments", `{"volumeAttachment":{"volumeId":"`+volume+`"}}`)
	w.want(400, "compute", "POST", path+"/os-volume_attachments", `{"volumeAttachment":{"volumeId":"`+volume+`"}}`)
	if got := w.want(200, "volume", "GET", "/v3/"+project+"/volumes/"+volume, "").at("volume.status"); got != "in-use" {
		t.Errorf("an attached volume is %v", got)
	}
	w.want(202, "compute", "DELETE", path+"/os-volume_attachments/"+volume, "")
	w.want(404, "compute", "DELETE", path+"/os-volume_attachments/"+volume, "")
	if got := w.want(200, "volume", "GET", "/v3/"+project+"/volumes/"+volume, "").at("volume.status"); got != "available" {
		t.Errorf("a detached volume is %v", got)
	}
	port := w.want(200, "compute", "POST", path+"/os-interface", `{"interfaceAttachment":{}}`).at("interfaceAttachment.port_id").(string)
	if n := len(w.want(200, "compute", "GET", path+"/os-interface", "").at("interfaceAttachments").([]any)); n != 2 {
		t.Errorf("it has %d interfaces, want 2", n)
	}
	w.want(202, "compute", "DELETE", path+"/os-interface/"+port, "")
	w.want(404, "compute", "GET", path+"/os-interface/"+port, "")
}

func TestBootFromANewVolume(t *testing.T) {
	w := newWorld(t)
	image, flavor, _ := w.ids()
	a := w.want(202, "compute", "POST", "/v2.1/servers", fmt.Sprintf(`{"server":{"name":"bfv","flavorRef":%q,"networks":"none",
		"block_device_mapping_v2":[{"uuid":%q,"boot_index":0,"source_type":"image","destination_type":"volume","volume_size":10,"delete_on_termination":true}]}}`, flavor, image))
	path := "/v2.1/servers/" + a.at("server.id").(string)
	w.now = w.now.Add(4 * time.Second)
	a = w.want(200, "compute", "GET", path, "")
	if a.at("server.status") != "ACTIVE" || a.at("server.image") != "" || len(a.at("server.addresses").(map[string]any)) != 0 {
		t.Error(a.text)
	}
	volume := a.at("server.os-extended-volumes:volumes_attached.0.id").(string)
	w.want(204, "compute", "DELETE", path, "")
	w.now = w.now.Add(4 * time.Second)
	w.want(404, "volume", "GET", "/v3/"+project+"/volumes/"+volume, "")
}

func TestProjectsAndRegionsAreSeparate(t *testing.T) {
	w := newWorld(t)
	path := w.server("vm")
	w.want(201, "compute", "POST", "/v2.1/os-keypairs", `{"keypair":{"name":"k"}}`)
	const other = "11111111111111111111111111111111"
	for _, who := range [][2]string{{other, "GRA1"}, {project, "BHS1"}} {
		for _, c := range [][3]string{{"compute", "GET", path}, {"compute", "DELETE", path}, {"compute", "GET", path + "/metadata"}, {"compute", "GET", "/v2.1/os-keypairs/k"}} {
			body := ""
			if a := w.as(who[0], who[1], c[0], c[1], c[2], body, "2.90"); a.status != 404 {
				t.Errorf("%v %v: %d", who, c, a.status)
			}
		}
		if a := w.as(who[0], who[1], "compute", "POST", path+"/action", `{"os-stop":null}`, "2.90"); a.status != 404 {
			t.Errorf("%v stops it: %d", who, a.status)
		}
		if a := w.as(who[0], who[1], "compute", "GET", "/v2.1/servers/detail", "", "2.90"); len(a.at("servers").([]any)) != 0 {
			t.Errorf("%v sees %s", who, a.text)
		}
		if a := w.as(who[0], who[1], "network", "GET", "/v2.0/ports", "", ""); len(a.at("ports").([]any)) != 0 {
			t.Errorf("%v sees %s", who, a.text)
		}
	}
	if a := w.as(project, "GRA", "compute", "GET", path, "", ""); a.status != 200 {
		t.Errorf("GRA is not GRA1: %d", a.status)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	path := w.server("vm")
	w.want(202, "compute", "POST", path+"/action", `{"os-stop":null}`)
	if err := w.cloud.Close(); err != nil {
		t.Fatal(err)
	}
	before := w.cloud
	w.open()
	if w.cloud == before {
		t.Fatal("the same cloud")
	}
	w.now = w.now.Add(time.Second)
	if got := w.status(path); got != "SHUTOFF" {
		t.Errorf("after a restart it is %v", got)
	}
	if a := w.want(200, "compute", "GET", path, ""); a.at("server.addresses.Ext-Net.0.addr") != "198.18.0.2" {
		t.Error(a.text)
	}
	w.want(409, "network", "DELETE", "/v2.0/security-groups/"+w.want(200, "network", "GET", "/v2.0/security-groups", "").at("security_groups.0.id").(string), "")
}

func TestListsInPages(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.server(fmt.Sprintf("vm%d", i))
	}
	next, names := "/v2.1/servers?limit=2", ""
	for next != "" {
		a := w.want(200, "compute", "GET", next, "")
		for _, v := range a.at("servers").([]any) {
			names += v.(map[string]any)["name"].(string)
		}
		link, _ := a.at("servers_links.0.href").(string)
		_, next, _ = strings.Cut(link, "/compute")
	}
	if names != "vm2vm1vm0" {
		t.Errorf("the pages hold %s", names)
	}
	for query, want := range map[string]int{"name=vm1": 1, "name=%5Evm": 3, "status=active": 3, "status=ERROR": 0, "ip=198.18.0.3": 1, "limit=0": 3,
		"changes-since=2030-01-01T00:00:00Z": 0} {
		if n := len(w.want(200, "compute", "GET", "/v2.1/servers?"+query, "").at("servers").([]any)); n != want {
			t.Errorf("%s finds %d, want %d", query, n, want)
		}
	}
}
