package realcloud

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// APIConfig says which API is served, and how it lets in whom.
type APIConfig struct {
	Service    string // nova, cinder or neutron
	Port       int
	Middleware string // the section [keystone_authtoken], and others
	Policy     string // policy.yaml; "": only the release's defaults
}

// An API is the running API of Nova, Cinder or Neutron, on SQLite, with nobody behind it: what it hands on to other processes of its service stays
// undone. It answers one request at a time.
type API struct {
	*Process
	URL string // http://127.0.0.1:port
	dir string
}

// StartAPI makes the database and runs the API.
func StartAPI(t testing.TB, c APIConfig) *API {
	t.Helper()
	Need(t, "/usr/bin/python3")
	a := &API{URL: "http://" + address(c.Port), dir: t.TempDir()}
	for name, text := range map[string]string{
		"serve.py": apiServe, "resource_filters.json": cinderFilters, "paste.ini": apiPaste[c.Service], "policy.yaml": c.Policy,
		c.Service + ".conf": strings.ReplaceAll(apiConf[c.Service], "DIR", a.dir) + c.Middleware,
	} {
		write(t, filepath.Join(a.dir, name), text)
	}
	command := []string{"/usr/bin/python3", filepath.Join(a.dir, "serve.py"), c.Service, a.dir, strconv.Itoa(c.Port)}
	run(t, a.dir, command[0], append(command[1:], "init")...)
	a.Process = Start(t, Program{Name: c.Service + "-api", Command: command, Dir: a.dir, Listens: address(c.Port)})
	return a
}

// Database runs a statement on the database of a service, where a process that is not there would have gone on.
func (a *API) Database(t testing.TB, service, statement string) {
	t.Helper()
	run(t, a.dir, "/usr/bin/python3", "-c", fmt.Sprintf("import sqlite3\nwith sqlite3.connect(%q) as c: c.execute(%q)", service+".sqlite", statement))
}

//go:embed apis/serve.py
var apiServe string

//go:embed apis/nova.ini
var novaPaste string

//go:embed apis/cinder.ini
var cinderPaste string

//go:embed apis/neutron.ini
var neutronPaste string

var apiPaste = map[string]string{"nova": novaPaste, "cinder": cinderPaste, "neutron": neutronPaste}

// commonConf is in the configuration of each: nobody to send messages to, and nothing outside of DIR.
const commonConf = `[DEFAULT]
transport_url = fake:/
use_stderr = true
state_path = DIR
api_paste_config = DIR/paste.ini
auth_strategy = keystone
`

const commonSections = `
[oslo_policy]
policy_file = DIR/policy.yaml
policy_dirs = DIR/policy.d
[oslo_concurrency]
lock_path = DIR
`

// cinderFilters are those of Cinder's lists that a cloud allows, in a file of its own: without one, there is no looking for a volume by its name.
const cinderFilters = `{"volume": ["name", "status", "metadata", "bootable", "availability_zone", "group_id"], "snapshot": ["name", "status", "volume_id"],
"backup": ["name", "status", "volume_id"], "attachment": ["volume_id", "status"], "group": ["name"], "group_snapshot": ["name", "status"]}`

var apiConf = map[string]string{
	"nova": commonConf + "host = test" + commonSections + `
[database]
connection = sqlite:///DIR/nova.sqlite
[api_database]
connection = sqlite:///DIR/api.sqlite
`,
	"cinder": commonConf + "resource_query_filters_file = DIR/resource_filters.json" + commonSections + `
[database]
connection = sqlite:///DIR/cinder.sqlite
[coordination]
backend_url = file://DIR
`,
	"neutron": commonConf + `core_plugin = ml2
service_plugins = router,qos,trunk,segments,tag,flavors,auto_allocate,revisions,timestamp,port_forwarding,log
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
` + commonSections + `
[database]
connection = sqlite:///DIR/neutron.sqlite
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers = openvswitch
extension_drivers = port_security,qos,dns
`,
}
