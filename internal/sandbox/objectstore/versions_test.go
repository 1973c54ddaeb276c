package objectstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/objectstore"
)

// versions lists what a container has under its names: content type or hash, and whether it is what one gets.
func (c *cloud) versions(box string) (ids []string, text string) {
	c.Helper()
	var rows []struct {
		Name, Hash string
		Version    string `json:"version_id"`
		Latest     bool   `json:"is_latest"`
		Type       string `json:"content_type"`
	}
	if err := json.Unmarshal(c.want(200, "GET", "/"+box+"?format=json&versions", "").Body.Bytes(), &rows); err != nil {
		c.Fatal(err)
	}
	for _, r := range rows {
		what := map[string]string{md5of("one"): "one", md5of("two"): "two", md5of("zero"): "zero", md5of(""): "nothing"}[r.Hash]
		if strings.HasPrefix(r.Type, "application/x-deleted") {
			what = "deleted"
		}
		text += fmt.Sprintf("%s:%s", r.Name, what)
		if r.Latest {
			text += "*"
		}
		text += " "
		ids = append(ids, r.Version)
	}
	return ids, strings.TrimSpace(text)
}

func TestAContainerKeepsVersions(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, objectstore.Config{Dir: dir})
	is := func(want string) []string {
		t.Helper()
		ids, got := c.versions("box")
		if got != want {
			t.Errorf("the versions are %s, want %s", got, want)
		}
		return ids
	}
	c.want(201, "PUT", "/box", "")
	if h := c.want(204, "HEAD", "/box", "").Header(); h.Get("X-Versions-Enabled") != "" {
		t.Error(h)
	}
	c.want(201, "PUT", "/box/a", "zero")
	c.want(204, "POST", "/box", "", "X-Versions-Enabled: true")
	if h := c.want(204, "HEAD", "/box", "").Header(); h.Get("X-Versions-Enabled") != "True" {
		t.Error(h)
	}
	if id := c.want(200, "GET", "/box/a", "").Header().Get("X-Object-Version-Id"); id != "null" {
		t.Error(id)
	}
	is("a:zero*")
	one := c.want(201, "PUT", "/box/a", "one").Header().Get("X-Object-Version-Id")
	c.now = c.now.Add(time.Second)
	c.want(202, "POST", "/box/a", "", "X-Object-Meta-Colour: red") // is no version
	two := c.want(201, "PUT", "/box/a", "two").Header().Get("X-Object-Version-Id")
	ids := is("a:two* a:one a:zero")
	if ids[0] != two || ids[1] != one {
		t.Error(ids, one, two)
	}
	old := c.want(200, "GET", "/box/a?version-id="+one, "")
	if old.Body.String() != "one" || old.Header().Get("X-Object-Meta-Colour") != "red" || old.Header().Get("X-Object-Version-Id") != one {
		t.Error(old)
	}
	c.want(404, "GET", "/box/a?version-id=1.00000", "")
	c.want(404, "GET", "/box/a?version-id=null", "")
	c.want(400, "PUT", "/box/a?version-id="+one, "x")
	c.want(400, "POST", "/box/a?version-id="+one, "")

	marker := c.want(204, "DELETE", "/box/a", "").Header().Get("X-Object-Version-Id")
	c.want(404, "GET", "/box/a", "")
	c.want(404, "GET", "/box/a?version-id="+marker, "")
	is("a:deleted* a:two a:one a:zero")
	c.want(409, "DELETE", "/box", "")
	c.want(201, "COPY", "/box/a?version-id="+one, "", "Destination: box/a")
	if got := c.want(200, "GET", "/box/a", "").Body.String(); got != "one" {
		t.Error(got)
	}
	is("a:one* a:deleted a:two a:one a:zero")

	if err := c.s.Close(); err != nil { // a restart keeps them all
		t.Fatal(err)
	}
	c = newCloud(t, objectstore.Config{Dir: dir})
	c.now = c.now.Add(time.Hour)
	if got := c.want(200, "GET", "/box/a?version-id="+two, "").Body.String(); got != "two" {
		t.Error(got)
	}
	c.want(204, "POST", "/box", "", "X-Versions-Enabled: false")
	c.want(201, "PUT", "/box/a", "zero")
	is("a:zero* a:one a:deleted a:two a:one a:zero")
	c.want(204, "DELETE", "/box/a?version-id=null", "")
	ids = is("a:one a:deleted a:two a:one a:zero")
	c.want(204, "POST", "/box", "", "X-Versions-Enabled: true")
	for _, id := range ids {
		c.want(204, "DELETE", "/box/a?version-id="+id, "")
	}
	is("")
	c.want(404, "DELETE", "/box/a?version-id="+two, "")
	c.want(204, "DELETE", "/box", "")
}

func TestTheOlderVersioningIsOff(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	for _, header := range []string{"X-Versions-Location: archive", "X-History-Location: archive"} {
		c.want(412, "PUT", "/box", "", header)
	}
	c.want(404, "GET", "/box", "")
	c.want(201, "PUT", "/box", "", "X-Versions-Enabled: true")
	c.want(201, "PUT", "/box/a", "one")
	if w := c.do(theirs, "DELETE", root+"/box/a?version-id=null", ""); w.Code != 403 {
		t.Error(w.Code)
	}
	c.want(200, "POST", "?bulk-delete", "box/a\n")
	if _, got := c.versions("box"); got != "a:deleted* a:one" {
		t.Error(got)
	}
}
