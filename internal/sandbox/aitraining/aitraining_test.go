package aitraining_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/aitraining"
)

const (
	mine   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	theirs = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
)

type cloud struct {
	*testing.T
	s   *aitraining.Service
	now time.Time
}

func newCloud(t *testing.T, c aitraining.Config) *cloud {
	t.Helper()
	cl := &cloud{T: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	c.Region, c.Now = "GRA1", func() time.Time { return cl.now }
	s, err := aitraining.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cl.s = s
	return cl
}

func (c *cloud) do(project, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Project-Id", project)
	r.Header.Set("X-Roles", "compute_read,ai_training_all")
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w
}

func (c *cloud) want(status int, method, path, body string) map[string]any {
	c.Helper()
	w := c.do(mine, method, path, body)
	if w.Code != status {
		c.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	var v map[string]any
	if w.Body.Len() > 0 && strings.HasPrefix(w.Body.String(), "{") {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			c.Fatal(err)
		}
	}
	return v
}

func (c *cloud) state(path string) string {
	c.Helper()
	return c.want(200, "GET", path, "")["status"].(map[string]any)["state"].(string)
}

func TestAJobRunsItsCourse(t *testing.T) {
	c := newCloud(t, aitraining.Config{})
	v := c.want(200, "POST", "/v1/job", `{"image":"ovhcom/ai-training-pytorch","command":["python","train.py"],"resources":{"gpu":1},"labels":{"team":"a"}}`)
	path := "/v1/job/" + v["id"].(string)
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "QUEUED"}, {time.Second, "INITIALIZING"}, {time.Second, "RUNNING"}, {10 * time.Second, "FINALIZING"}, {time.Second, "DONE"}} {
		c.now = c.now.Add(step.after)
		if got := c.state(path); got != step.want {
			t.Errorf("after %v: %s, want %s", step.after, got, step.want)
		}
	}
	status := c.want(200, "GET", path, "")["status"].(map[string]any)
	if status["exitCode"] != 0.0 || len(status["history"].([]any)) != 5 || status["startedAt"] != "2026-09-01T12:00:02Z" {
		t.Errorf("%v", status)
	}
	if w := c.do(mine, "GET", path+"/log", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "job done") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	c.want(400, "PUT", path+"/kill", "")
	c.want(200, "PUT", path+"/start", "")
	if got := c.state(path); got != "QUEUED" {
		t.Errorf("started again: %s", got)
	}
	c.want(400, "DELETE", path, "")
	c.want(200, "PUT", path+"/kill", "")
	c.now = c.now.Add(time.Second)
	if got := c.state(path); got != "INTERRUPTED" {
		t.Errorf("killed: %s", got)
	}
	c.want(204, "DELETE", path, "")
	c.want(404, "GET", path, "")
}

func TestNotebooksAndAppsAreThere(t *testing.T) {
	c := newCloud(t, aitraining.Config{})
	for kind, body := range map[string]string{"notebook": `{"env":{"frameworkId":"pytorch","editorId":"vscode"}}`, "app": `{"image":"x"}`} {
		path := "/v1/" + kind + "/" + c.want(200, "POST", "/v1/"+kind, body)["id"].(string)
		c.now = c.now.Add(2 * time.Second)
		if got := c.state(path); got != "RUNNING" {
			t.Errorf("%s: %s", kind, got)
		}
		if v := c.want(200, "GET", "/v1/"+kind, ""); v["total"] != 1.0 {
			t.Errorf("%v", v)
		}
		c.want(200, "PUT", path+"/stop", "")
		c.now = c.now.Add(time.Second)
		c.want(204, "DELETE", path, "")
	}
}

func TestListsAreNarrowedAndPaged(t *testing.T) {
	c := newCloud(t, aitraining.Config{})
	for _, name := range []string{"a", "b", "c"} {
		c.want(200, "POST", "/v1/job", `{"image":"x","name":"`+name+`","labels":{"n":"`+name+`"}}`)
		c.now = c.now.Add(time.Second)
	}
	for query, want := range map[string]string{
		"": "c,b,a", "order=asc": "a,b,c", "labelSelector=n=b": "b", "statusState=RUNNING": "b,a", "page=2&size=2": "a", "sort=name&order=asc&size=1": "a",
		"updatedAfter=2026-09-01T12:00:01Z": "c", "page=9": "", "userName=x": "",
	} {
		var names []string
		for _, i := range c.want(200, "GET", "/v1/job?"+query, "")["items"].([]any) {
			names = append(names, i.(map[string]any)["spec"].(map[string]any)["name"].(string))
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if w := c.do(theirs, "GET", "/v1/job", ""); w.Body.String() != `{"items":[],"total":0}`+"\n" {
		t.Errorf("another project lists %s", w.Body)
	}
}

func TestCapabilitiesAndMe(t *testing.T) {
	c := newCloud(t, aitraining.Config{})
	for _, path := range []string{"flavor", "flavor/ai1-1-cpu", "preset", "quota", "job/image", "app/image", "notebook/editor", "notebook/framework"} {
		c.want(200, "GET", "/v1/capabilities/"+path, "")
	}
	if v := c.want(200, "GET", "/v1/me", ""); v["tenant"] != mine || v["role"] != "ai_training_operator" {
		t.Errorf("%v", v)
	}
	if v := c.want(200, "POST", "/v1/job/command", `{"image":"x","command":["ls"]}`); v["command"] != "ovhai job run x --flavor ai1-1-cpu --cpu 1 -- ls" {
		t.Errorf("%v", v)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	c := newCloud(t, aitraining.Config{MaxGPUs: 2})
	path := "/v1/job/" + c.want(200, "POST", "/v1/job", `{"image":"x","resources":{"gpu":2}}`)["id"].(string)
	for _, tc := range []struct {
		name, project, method, path, body string
		status                            int
	}{
		{"nobody", "", "GET", "/v1/job", "", 401},
		{"another project's job", theirs, "GET", path, "", 404},
		{"killing it", theirs, "PUT", path + "/kill", "", 404},
		{"deleting it", theirs, "DELETE", path + "?force=true", "", 404},
		{"no image", mine, "POST", "/v1/job", `{}`, 400},
		{"broken JSON", mine, "POST", "/v1/job", `{`, 400},
		{"duplicate members", mine, "POST", "/v1/job", `{"image":"x","image":"y"}`, 400},
		{"an unknown flavor", mine, "POST", "/v1/job", `{"image":"x","resources":{"flavor":"huge"}}`, 400},
		{"less than nothing", mine, "POST", "/v1/job", `{"image":"x","resources":{"gpu":-1}}`, 400},
		{"a timeout before the start", mine, "POST", "/v1/job", `{"image":"x","timeout":-1}`, 400},
		{"a port that is none", mine, "POST", "/v1/job", `{"image":"x","defaultHttpPort":70000}`, 400},
		{"a variable without a name", mine, "POST", "/v1/job", `{"image":"x","envVars":[{"name":"","value":"v"}]}`, 400},
		{"more GPUs than there are", mine, "POST", "/v1/job", `{"image":"x","resources":{"gpu":1}}`, 403},
		{"changing what runs", mine, "PUT", path, `{"image":"y"}`, 400},
		{"starting what runs", mine, "PUT", path + "/start", "", 400},
		{"deleting what runs", mine, "DELETE", path, "", 400},
		{"a label without a name", mine, "PUT", path + "/label", `{"value":"v"}`, 400},
		{"a page before the first", mine, "GET", "/v1/job?page=0", "", 400},
		{"an unknown order", mine, "GET", "/v1/job?sort=shoe", "", 400},
		{"a time that is none", mine, "GET", "/v1/job?updatedAfter=now", "", 400},
		{"a path that is not there", mine, "GET", "/v1/nope", "", 404},
		{"a flavor that is not there", mine, "GET", "/v1/capabilities/flavor/nope", "", 404},
		{"a method that is not there", mine, "PATCH", path, "", 405},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := c.do(tc.project, tc.method, tc.path, tc.body); w.Code != tc.status || !strings.HasPrefix(w.Body.String(), `{"message":"`) {
				t.Errorf("%d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
	if v := c.want(200, "GET", "/v1/job", ""); v["total"] != 1.0 {
		t.Errorf("%v", v["total"])
	}
}

func TestARestartKeepsJobs(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, aitraining.Config{Dir: dir})
	path := "/v1/job/" + c.want(200, "POST", "/v1/job", `{"image":"x","name":"kept"}`)["id"].(string)
	c.want(200, "PUT", path+"/label", `{"name":"k","value":"v"}`)
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c = newCloud(t, aitraining.Config{Dir: dir})
	c.now = c.now.Add(time.Minute)
	if got := c.state(path); got != "RUNNING" {
		t.Error(got)
	}
}
