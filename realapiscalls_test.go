package stackgate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A listed is a call as `stackgate operation list` has it.
type listed struct {
	Service, Method, Path, Action, Access string
	Prefixes, When                        []string
}

// segments are the services of a rack, by their names in the table and by those in our paths, and the microversions that a call may need: some
// are there since the first, some only up to it.
var segments = map[string]struct {
	path     string
	versions []string
}{
	"compute":       {"compute", []string{"compute 2.93", "compute 2.35", "compute 2.1"}},
	"block-storage": {"volume", []string{"volume 3.70"}},
	"network":       {"network", []string{"network 2.0"}},
	"image":         {"image", []string{"image 2.0"}},
}

// granted are the calls of the table, of the services of a rack, that do not depend on what is in them.
func (r *rack) granted(t *testing.T) (list []listed) {
	t.Helper()
	var table []listed
	if err := json.Unmarshal([]byte(r.ok("", "stackgate operation list -o json")), &table); err != nil {
		t.Fatal(err)
	}
	for _, o := range table {
		if segments[o.Service].path != "" && (o.Access == "roles" || o.Access == "any") && len(o.When) == 0 {
			list = append(list, o)
		}
	}
	return list
}

// path is where a call of the table is, of things that are not there.
func (r *rack) path(o listed) string {
	path := strings.ReplaceAll(o.Prefixes[0]+o.Path, "{project}", r.project)
	path = strings.ReplaceAll(path, "{member}", r.project) // the one project whose membership is one's own
	return "/GRA1/" + segments[o.Service].path + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b")
}

// routeless is what the services say of a path that they do not have; of a thing that they do not have they say which.
const routeless = "The resource could not be found."

// try makes a call with a microversion that has it.
func (r *rack) try(token string, o listed) (status int, body string) {
	sent := ""
	if o.Method == "POST" || o.Method == "PUT" || o.Method == "PATCH" {
		if sent = "{}"; o.Action != "" {
			sent = fmt.Sprintf(`{%q: {}}`, o.Action)
		}
	}
	for _, v := range segments[o.Service].versions {
		status, body = r.call(token, o.Method, r.path(o), sent, "OpenStack-API-Version: "+v, "Content-Type: application/json")
		if status != 404 || !strings.Contains(body, routeless) {
			break
		}
	}
	return status, body
}

// reads makes every read of the table that needs nothing to be there: what we grant, a member of the cloud's may.
func (r *rack) reads(t *testing.T) {
	token := strings.TrimSpace(r.ok("all", "openstack token issue -f value -c id"))
	asked := map[string]int{}
	for _, o := range r.granted(t) {
		if o.Method != "GET" || strings.Contains(strings.ReplaceAll(o.Path, "{project}", ""), "{") || strings.HasPrefix(o.Path, "/auto-allocated-topology/") {
			continue
		}
		asked[o.Service]++
		if status, body := r.try(token, o); status/100 != 2 && !(status == 404 && isNotThere(o.Path)) {
			t.Errorf("%s %s: %d %.200s", o.Service, o.Path, status, body)
		}
	}
	if asked["compute"] < 20 || asked["block-storage"] < 20 || asked["network"] < 30 || asked["image"] < 15 {
		t.Errorf("too few were asked: %v", asked)
	}
}

// calls makes every other call that we grant, of things that are not there and without saying what of them: the service has the path, and does not
// say that a member may not.
func (r *rack) calls(t *testing.T) {
	token := strings.TrimSpace(r.ok("all", "openstack token issue -f value -c id"))
	asked := 0
	for _, o := range r.granted(t) {
		if isNotThere(o.Path) || o.Method+o.Path == "DELETE/groups/{group}" { // which fails without a body of its own
			continue
		}
		asked++
		status, body := r.try(token, o)
		if status == 403 || status == 405 || status >= 500 || status == 404 && strings.Contains(body, routeless) {
			t.Errorf("%s %s %s %s: %d %.300s", o.Service, o.Method, o.Path, o.Action, status, body)
		}
	}
	if asked < 350 {
		t.Errorf("only %d were asked", asked)
	}
}

// pages follows the lists of each service from page to page, and reads what they say of themselves, without ever being led past the gateway.
func (r *rack) pages(t *testing.T) {
	words := strings.Fields(r.ok("all", `set -e
		head -c 1000 /dev/zero >disk
		openstack image create disk --disk-format raw --container-format bare --file disk -f value -c id
		openstack token issue -f value -c id`))
	image, token := words[0], words[1]
	for range 3 {
		for path, body := range map[string]string{
			"/GRA1/network/v2.0/networks":               `{"network":{"name":"page"}}`,
			"/GRA1/volume/v3/" + r.project + "/volumes": `{"volume":{"name":"page","size":1}}`,
			"/GRA1/compute/v2.1/servers":                `{"server":{"name":"page","flavorRef":"1","imageRef":"` + image + `","networks":"none"}}`,
		} {
			if status, answer := r.call(token, "POST", path, body, "Content-Type: application/json", "X-OpenStack-Nova-API-Version: 2.37"); status/100 != 2 {
				t.Fatalf("%s: %d %s", path, status, answer)
			}
		}
	}
	for path, next := range map[string]string{
		"/GRA1/network/v2.0/networks?limit=1":                         `"networks_links": *\[\{"rel": *"next", *"href": *"([^"]*)"`,
		"/GRA1/volume/v3/" + r.project + "/volumes/detail?limit=1":    `"volumes_links": *\[\{"rel": *"next", *"href": *"([^"]*)"`,
		"/GRA1/compute/v2.1/servers?limit=1":                          `"servers_links": *\[\{"rel": *"next", *"href": *"([^"]*)"`,
		"/GRA1/compute/v2.1/" + r.project + "/servers/detail?limit=1": `"servers_links": *\[\{"rel": *"next", *"href": *"([^"]*)"`,
		"/GRA1/compute/v2.1/flavors?limit=1":                          `"flavors_links": *\[\{"rel": *"next", *"href": *"([^"]*)"`,
	} {
		seen := 0
		for path != "" && seen < 10 {
			status, body := r.get(token, path)
			if status != 200 || strings.Contains(body, `"http://`) && !strings.Contains(body, r.url) {
				t.Fatalf("%s: %d %s", path, status, body)
			}
			seen++
			path = r.followed(t, regexp.MustCompile(next).FindStringSubmatch(body))
		}
		if seen < 2 && !strings.Contains(next, "flavors") {
			t.Errorf("%s: %d pages", next, seen)
		}
	}
	r.documents(t, token)
}

// followed is the path of a link, which leads to the gateway.
func (r *rack) followed(t *testing.T, link []string) string {
	t.Helper()
	if link == nil {
		return ""
	}
	path, ours := strings.CutPrefix(link[1], r.url)
	if !ours {
		t.Fatalf("%s leads past the gateway", link[1])
	}
	return path
}

// documents are what the services say of their versions.
func (r *rack) documents(t *testing.T, token string) {
	t.Helper()
	for _, path := range []string{"/GRA1/compute/", "/GRA1/compute/v2.1/", "/GRA1/compute/v2.1", "/GRA1/volume/", "/GRA1/volume/v3/", "/GRA1/network/", "/GRA1/network/v2.0/",
		"/GRA1/image/", "/GRA1/image/versions"} {
		status, body := r.get(token, path)
		links := regexp.MustCompile(`"href": *"(http://[^"]*)"`).FindAllStringSubmatch(body, -1)
		if status/100 != 2 && status != 300 || len(links) == 0 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, l := range links {
			if !strings.HasPrefix(l[1], r.url+"/") && !strings.HasPrefix(l[1], "http://docs.openstack.org/") {
				t.Errorf("%s: %s leads past the gateway", path, l[1])
			}
		}
	}
}
