package volume_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/volume"
)

const (
	mine   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	theirs = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
)

type cloud struct {
	*testing.T
	s      *volume.Service
	images *image.Service
	now    time.Time
}

func newCloud(t *testing.T, c volume.Config) *cloud {
	t.Helper()
	cl := &cloud{T: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return cl.now }
	images, err := image.New(image.Config{Region: "GRA1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	c.Region, c.Now, c.Images = "GRA1", now, images
	s, err := volume.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cl.s, cl.images = s, images
	t.Cleanup(func() { _, _ = s.Close(), images.Close() })
	return cl
}

func (c *cloud) do(project, version, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Project-Id", project)
	r.Header.Set("Content-Type", "application/json")
	if version != "" {
		r.Header.Set("OpenStack-API-Version", "volume "+version)
	}
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w
}

// want does a call and gives the first member of its answer.
func (c *cloud) want(status int, project, method, path, body string) map[string]any {
	c.Helper()
	w := c.do(project, "3.70", method, path, body)
	if w.Code != status {
		c.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	var v map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			c.Fatal(err)
		}
	}
	for name, inner := range v {
		if m, ok := inner.(map[string]any); ok && len(v) == 1 {
			return m
		} else if !ok && strings.HasSuffix(name, "s") {
			return v
		}
	}
	return v
}

func (c *cloud) pass(d time.Duration) { c.now = c.now.Add(d) }

// made makes a volume and waits for it.
func (c *cloud) made(members string) string {
	c.Helper()
	id := c.want(202, mine, "POST", "/v3/volumes", `{"volume":{`+members+`}}`)["id"].(string)
	c.pass(2 * time.Second)
	return id
}

func (c *cloud) status(path, want string) {
	c.Helper()
	if got := c.want(200, mine, "GET", path, "")["status"]; got != want {
		c.Errorf("%s is %v, want %s", path, got, want)
	}
}

func TestVersionDocumentNeedsNoToken(t *testing.T) {
	c := newCloud(t, volume.Config{PublicURL: "http://cloud.example/GRA1/volume"})
	for path, status := range map[string]int{"/": 300, "/v3/": 200, "/v3": 200} {
		w := c.do("", "", "GET", path, "")
		if w.Code != status || !strings.Contains(w.Body.String(), `"href":"http://cloud.example/GRA1/volume/v3/"`) || !strings.Contains(w.Body.String(), `"3.70"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	c.want(401, "", "GET", "/v3/volumes", "")
}

func TestMicroversionsAreNegotiated(t *testing.T) {
	c := newCloud(t, volume.Config{})
	for version, want := range map[string]struct {
		status int
		echo   string
	}{"": {200, "volume 3.0"}, "3.59": {200, "volume 3.59"}, "latest": {200, "volume 3.70"}, "3.99": {406, ""}, "2.0": {406, ""}, "three": {400, ""}, "3.1.0": {400, ""}} {
		w := c.do(mine, version, "GET", "/v3/"+mine+"/volumes", "")
		if w.Code != want.status || w.Header().Get("OpenStack-API-Version") != want.echo {
			t.Errorf("%q: %d %q", version, w.Code, w.Header().Get("OpenStack-API-Version"))
		}
	}
	id := c.made(`"size":1`)
	for version, has := range map[string]bool{"3.0": false, "3.63": true} {
		if w := c.do(mine, version, "GET", "/v3/volumes/"+id, ""); strings.Contains(w.Body.String(), "volume_type_id") != has {
			t.Errorf("%s: volume_type_id there: %v", version, !has)
		}
	}
}

func TestAVolumeLives(t *testing.T) {
	c := newCloud(t, volume.Config{})
	v := c.want(202, mine, "POST", "/v3/"+mine+"/volumes", `{"volume":{"size":"10","name":"vol1","metadata":{"a":"b"},"volume_type":null}}`)
	path := "/v3/volumes/" + v["id"].(string)
	if v["status"] != "creating" || v["size"] != 10.0 || v["volume_type"] != "classic" {
		t.Errorf("%v", v)
	}
	c.pass(2 * time.Second)
	c.status(path, "available")
	c.want(202, mine, "POST", path+"/action", `{"os-extend":{"new_size":20}}`)
	c.status(path, "extending")
	c.pass(time.Second)
	c.want(200, mine, "POST", path+"/action", `{"os-set_bootable":{"bootable":true}}`)
	c.want(202, mine, "POST", path+"/action", `{"os-retype":{"new_type":"high-speed","migration_policy":"never"}}`)
	c.pass(time.Second)
	if v := c.want(200, mine, "PUT", path, `{"volume":{"name":"other"}}`); v["name"] != "other" || v["size"] != 20.0 || v["bootable"] != "true" || v["volume_type"] != "high-speed" {
		t.Errorf("%v", v)
	}
	c.want(404, theirs, "GET", path, "")
	c.want(404, theirs, "DELETE", path, "")
	c.want(202, mine, "DELETE", path, "")
	c.status(path, "deleting")
	c.pass(time.Second)
	c.want(404, mine, "GET", path, "")
}

func TestVolumesComeFromImagesSnapshotsAndVolumes(t *testing.T) {
	c := newCloud(t, volume.Config{})
	debian, _ := c.images.Public("Debian 12")
	boot := c.made(`"size":5,"imageRef":"` + debian.ID + `"`)
	if v := c.want(200, mine, "GET", "/v3/volumes/"+boot, ""); v["bootable"] != "true" || v["volume_image_metadata"].(map[string]any)["image_name"] != "Debian 12" {
		t.Errorf("%v", v)
	}
	c.want(400, mine, "POST", "/v3/volumes", `{"volume":{"size":5,"imageRef":"nope"}}`)
	snap := c.want(202, mine, "POST", "/v3/snapshots", `{"snapshot":{"volume_id":"`+boot+`","name":"s","metadata":null,"description":null}}`)["id"].(string)
	c.pass(time.Second)
	for _, source := range []string{`"snapshot_id":"` + snap + `"`, `"source_volid":"` + boot + `"`} {
		if v := c.want(202, mine, "POST", "/v3/volumes", `{"volume":{"size":null,`+source+`}}`); v["size"] != 5.0 || v["bootable"] != "true" {
			t.Errorf("%s: %v", source, v)
		}
		c.want(400, mine, "POST", "/v3/volumes", `{"volume":{"size":4,`+source+`}}`)
		c.want(404, theirs, "POST", "/v3/volumes", `{"volume":{"size":9,`+source+`}}`)
	}
	c.want(400, mine, "DELETE", "/v3/volumes/"+boot, "") // has a snapshot
	c.want(202, mine, "DELETE", "/v3/snapshots/"+snap, "")
	c.pass(time.Second)
	c.want(404, mine, "GET", "/v3/snapshots/"+snap, "")
	up := c.want(202, mine, "POST", "/v3/volumes/"+boot+"/action", `{"os-volume_upload_image":{"image_name":"i","disk_format":"raw","container_format":"bare"}}`)
	c.status("/v3/volumes/"+boot, "uploading")
	c.pass(2 * time.Second)
	if img, ok := c.images.Get(mine, up["image_id"].(string)); !ok || img.Status != image.Active {
		t.Errorf("uploaded image: %v", img)
	}
}

func TestAServerHoldsItsVolume(t *testing.T) {
	c := newCloud(t, volume.Config{})
	id := c.made(`"size":1`)
	path := "/v3/volumes/" + id
	at, err := c.s.Attach(mine, id, "server-1", "/dev/sdb")
	if err != nil {
		t.Fatal(err)
	}
	c.status(path, "in-use")
	if _, err := c.s.Attach(mine, id, "server-2", "/dev/sdb"); err == nil {
		t.Error("attached twice")
	}
	c.want(400, mine, "DELETE", path, "")
	c.want(200, mine, "GET", "/v3/attachments/"+at.ID, "")
	c.want(400, mine, "POST", "/v3/backups", `{"backup":{"volume_id":"`+id+`"}}`)
	if err := c.s.Detach(theirs, id, "server-1"); err == nil {
		t.Error("detached by another project")
	}
	if err := c.s.Detach(mine, id, "server-1"); err != nil {
		t.Error(err)
	}
	c.status(path, "available")
	c.want(202, mine, "POST", path+"/action", `{"os-reserve":{}}`)
	c.status(path, "attaching")
	c.want(202, mine, "POST", path+"/action", `{"os-attach":{"instance_uuid":"s","mountpoint":"/dev/vdb"}}`)
	c.want(202, mine, "POST", path+"/action", `{"os-detach":{}}`)
	a := c.want(200, mine, "POST", "/v3/attachments", `{"attachment":{"volume_uuid":"`+id+`","instance_uuid":"s"}}`)
	c.status(path, "reserved")
	c.want(200, mine, "PUT", "/v3/attachments/"+a["id"].(string), `{"attachment":{"connector":{"host":"h"}}}`)
	c.status(path, "in-use")
	c.want(200, mine, "DELETE", "/v3/attachments/"+a["id"].(string), "")
	c.status(path, "available")
}

func TestABackupOutlivesItsVolume(t *testing.T) {
	c := newCloud(t, volume.Config{})
	id := c.made(`"size":3,"name":"v"`)
	c.want(400, mine, "POST", "/v3/backups", `{"backup":{"volume_id":"`+id+`","incremental":true}}`)
	b := c.want(202, mine, "POST", "/v3/backups", `{"backup":{"volume_id":"`+id+`","name":"b","container":null,"force":false,"incremental":false}}`)["id"].(string)
	c.status("/v3/volumes/"+id, "backing-up")
	c.want(400, mine, "POST", "/v3/backups/"+b+"/restore", `{"restore":{}}`)
	c.pass(2 * time.Second)
	c.status("/v3/backups/"+b, "available")
	more := c.want(202, mine, "POST", "/v3/backups", `{"backup":{"volume_id":"`+id+`","incremental":true}}`)["id"].(string)
	c.pass(2 * time.Second)
	c.want(400, mine, "DELETE", "/v3/backups/"+b, "")
	c.want(202, mine, "DELETE", "/v3/backups/"+more, "")
	c.pass(time.Second)
	c.want(202, mine, "DELETE", "/v3/volumes/"+id, "")
	c.pass(time.Second)
	small := c.made(`"size":1`)
	c.want(400, mine, "POST", "/v3/backups/"+b+"/restore", `{"restore":{"volume_id":"`+small+`"}}`)
	restored := c.want(202, mine, "POST", "/v3/backups/"+b+"/restore", `{"restore":{"name":"again"}}`)
	c.status("/v3/volumes/"+restored["volume_id"].(string), "restoring-backup")
	c.pass(2 * time.Second)
	c.want(202, mine, "DELETE", "/v3/backups/"+b, "")
	c.pass(time.Second)
	c.want(404, mine, "GET", "/v3/backups/"+b, "")
}

func TestAVolumeIsTransferredToWhoKnowsTheKey(t *testing.T) {
	c := newCloud(t, volume.Config{})
	id := c.made(`"size":1`)
	tr := c.want(202, mine, "POST", "/v3/volume-transfers", `{"transfer":{"volume_id":"`+id+`","name":null}}`)
	accept := "/v3/os-volume-transfer/" + tr["id"].(string) + "/accept"
	c.status("/v3/volumes/"+id, "awaiting-transfer")
	c.want(400, theirs, "POST", accept, `{"accept":{"auth_key":"guess"}}`)
	c.want(202, theirs, "POST", accept, `{"accept":{"auth_key":"`+tr["auth_key"].(string)+`"}}`)
	c.want(404, mine, "GET", "/v3/volumes/"+id, "")
	c.want(200, theirs, "GET", "/v3/volumes/"+id, "")
}

func TestListsAreNarrowedSortedAndPaged(t *testing.T) {
	c := newCloud(t, volume.Config{})
	c.made(`"size":1,"name":"a","metadata":{"k":"v"}`)
	c.made(`"size":10,"name":"b"`)
	c.made(`"size":2,"name":"c"`)
	for query, want := range map[string]string{
		"": "c,b,a", "sort=name:asc": "a,b,c", "sort=size:desc": "b,c,a", "name=b": "b", "status=available&limit=1": "c", "status=error": "",
		"metadata=%7B%22k%22:%22v%22%7D": "a", "metadata=%7B'k':'v'%7D": "a", "name~=b": "b", "limit=0": "", "all_tenants=True": "c,b,a",
	} {
		var got []string
		for _, v := range c.want(200, mine, "GET", "/v3/"+mine+"/volumes/detail?"+query, "")["volumes"].([]any) {
			got = append(got, v.(map[string]any)["name"].(string))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	v := c.want(200, mine, "GET", "/v3/volumes?limit=2", "")
	next := v["volumes_links"].([]any)[0].(map[string]any)["href"].(string)
	if got := fmt.Sprint(c.want(200, mine, "GET", strings.TrimPrefix(next, "http://example.com"), "")["volumes"]); !strings.Contains(got, "name:a") {
		t.Errorf("second page: %s", got)
	}
	if got := c.want(200, theirs, "GET", "/v3/volumes?all_tenants=1", "")["volumes"].([]any); len(got) != 0 {
		t.Errorf("another project lists %v", got)
	}
}

func TestMetadata(t *testing.T) {
	c := newCloud(t, volume.Config{})
	path := "/v3/volumes/" + c.made(`"size":1,"metadata":{"a":"1"}`) + "/metadata"
	c.want(200, mine, "POST", path, `{"metadata":{"b":"2"}}`)
	c.want(200, mine, "PUT", path+"/c", `{"meta":{"c":"3"}}`)
	c.want(400, mine, "PUT", path+"/c", `{"meta":{"d":"3"}}`)
	c.want(200, mine, "DELETE", path+"/a", "")
	c.want(404, mine, "DELETE", path+"/a", "")
	if got := fmt.Sprint(c.want(200, mine, "GET", path, "")); got != "map[b:2 c:3]" {
		t.Error(got)
	}
	c.want(200, mine, "PUT", path, `{"metadata":{}}`)
	if got := fmt.Sprint(c.want(200, mine, "GET", path, "")); got != "map[]" {
		t.Error(got)
	}
}

func TestQuotasAreEnforced(t *testing.T) {
	c := newCloud(t, volume.Config{Quota: volume.Quota{Volumes: 2, Gigabytes: 10, Snapshots: 1, Backups: 1, BackupGigabytes: 10}})
	id := c.made(`"size":3`)
	refused := func(name, path, body string) {
		t.Helper()
		w := c.do(mine, "3.70", "POST", path, body)
		if w.Code != 413 || !strings.Contains(w.Body.String(), `"overLimit"`) || !strings.Contains(w.Body.String(), name) {
			t.Errorf("%d %s, want %s", w.Code, w.Body, name)
		}
	}
	refused("VolumeSizeExceedsAvailableQuota", "/v3/volumes", `{"volume":{"size":8}}`)
	c.want(202, mine, "POST", "/v3/snapshots", `{"snapshot":{"volume_id":"`+id+`"}}`)
	refused("SnapshotLimitExceeded", "/v3/snapshots", `{"snapshot":{"volume_id":"`+id+`"}}`)
	c.want(202, mine, "POST", "/v3/backups", `{"backup":{"volume_id":"`+id+`"}}`)
	c.pass(2 * time.Second)
	refused("BackupLimitExceeded", "/v3/backups", `{"backup":{"volume_id":"`+id+`"}}`)
	c.made(`"size":1`)
	refused("VolumeLimitExceeded", "/v3/volumes", `{"volume":{"size":1}}`)
	refused("exceeds allowed", "/v3/volumes/"+id+"/action", `{"os-extend":{"new_size":100}}`)
	used := c.want(200, mine, "GET", "/v3/os-quota-sets/"+mine+"?usage=True", "")
	if got := fmt.Sprint(used["gigabytes"]); got != "map[allocated:0 in_use:7 limit:10 reserved:0]" {
		t.Error(got)
	}
	c.want(403, mine, "GET", "/v3/os-quota-sets/"+theirs, "")
}

func TestBadRequestsChangeNothing(t *testing.T) {
	c := newCloud(t, volume.Config{})
	id := c.made(`"size":2`)
	v := "/v3/volumes/" + id
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"another project in the path", "GET", "/v3/" + theirs + "/volumes", "", 400},
		{"a path that is not there", "GET", "/v3/nope", "", 404},
		{"another version", "GET", "/v2/volumes", "", 404},
		{"a method that is not there", "PATCH", v, "", 405},
		{"a volume that is not there", "GET", "/v3/volumes/nope", "", 404},
		{"broken JSON", "POST", "/v3/volumes", `{"volume":`, 400},
		{"duplicate members", "POST", "/v3/volumes", `{"volume":{"size":1,"size":2}}`, 400},
		{"no volume", "POST", "/v3/volumes", `{}`, 400},
		{"no size", "POST", "/v3/volumes", `{"volume":{}}`, 400},
		{"size nothing", "POST", "/v3/volumes", `{"volume":{"size":0}}`, 400},
		{"size less than nothing", "POST", "/v3/volumes", `{"volume":{"size":-1}}`, 400},
		{"size no number", "POST", "/v3/volumes", `{"volume":{"size":"big"}}`, 400},
		{"a size that would overflow", "POST", "/v3/volumes", `{"volume":{"size":9223372036854775807}}`, 413},
		{"an unknown type", "POST", "/v3/volumes", `{"volume":{"size":1,"volume_type":"tape"}}`, 404},
		{"an unknown zone", "POST", "/v3/volumes", `{"volume":{"size":1,"availability_zone":"mars"}}`, 400},
		{"a name too long", "POST", "/v3/volumes", `{"volume":{"size":1,"name":"` + strings.Repeat("n", 256) + `"}}`, 400},
		{"no action", "POST", v + "/action", `{}`, 400},
		{"two actions", "POST", v + "/action", `{"os-extend":{"new_size":3},"os-detach":{}}`, 400},
		{"an unknown action", "POST", v + "/action", `{"os-explode":{}}`, 400},
		{"the administrator's action", "POST", v + "/action", `{"os-reset_status":{"status":"error"}}`, 403},
		{"shrinking", "POST", v + "/action", `{"os-extend":{"new_size":1}}`, 400},
		{"detaching what is not attached", "POST", v + "/action", `{"os-detach":{}}`, 400},
		{"retyping to the same", "POST", v + "/action", `{"os-retype":{"new_type":"classic"}}`, 400},
		{"a public image of it", "POST", v + "/action", `{"os-volume_upload_image":{"image_name":"i","visibility":"public"}}`, 403},
		{"deleting by force", "DELETE", v + "?force=true", "", 403},
		{"a snapshot of nothing", "POST", "/v3/snapshots", `{"snapshot":{"volume_id":"nope"}}`, 404},
		{"a backup of nothing", "POST", "/v3/backups", `{"backup":{"volume_id":"nope"}}`, 404},
		{"a restore of nothing", "POST", "/v3/backups/nope/restore", `{"restore":{}}`, 404},
		{"an unknown order", "GET", "/v3/volumes?sort=shoe", "", 400},
		{"a limit that is no number", "GET", "/v3/volumes?limit=x", "", 400},
		{"a type that is not there", "GET", "/v3/types/nope", "", 404},
		{"the administrator's list", "GET", "/v3/os-services", "", 403},
		{"changing one's quota", "PUT", "/v3/os-quota-sets/" + mine, `{"quota_set":{"volumes":99}}`, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := c.do(mine, "3.70", tc.method, tc.path, tc.body); w.Code != tc.status || !strings.Contains(w.Body.String(), `"message":`) {
				t.Errorf("%d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
	if v := c.want(200, mine, "GET", "/v3/volumes/summary", ""); v["total_count"] != 1.0 || v["total_size"] != 2.0 {
		t.Errorf("%v", v)
	}
}

func TestARestartKeepsTheState(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, volume.Config{Dir: dir})
	id := c.made(`"size":1,"name":"kept"`)
	if _, err := c.s.Attach(mine, id, "server", "/dev/sdb"); err != nil {
		t.Fatal(err)
	}
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c = newCloud(t, volume.Config{Dir: dir})
	c.pass(time.Minute)
	if v, ok := c.s.Get(mine, id); !ok || v.Name != "kept" || v.Status != "in-use" {
		t.Errorf("%+v", v)
	}
}
