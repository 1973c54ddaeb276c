package realcloud

import (
	"fmt"
	"path/filepath"
	"testing"
)

// GlancePrograms are what StartGlance needs.
var GlancePrograms = []string{"glance-api", "glance-manage"}

// GlanceConfig says how Glance lets in whom.
type GlanceConfig struct {
	Port       int
	Flavor     string // of the pipeline; "": keystone
	Middleware string // the section [keystone_authtoken], and others
	Policy     string // policy.yaml; "": none, only the release's defaults
}

// A Glance is a running image service, which keeps images in files and what it knows of them in SQLite.
type Glance struct {
	API *Process
	URL string // http://127.0.0.1:port
}

// StartGlance makes the database and runs the API.
func StartGlance(t testing.TB, c GlanceConfig) *Glance {
	t.Helper()
	Need(t, GlancePrograms...)
	dir := t.TempDir()
	if c.Flavor == "" {
		c.Flavor = "keystone"
	}
	for _, sub := range []string{"images", "staging", "tasks", "policy.d"} {
		run(t, dir, "mkdir", sub)
	}
	write(t, filepath.Join(dir, "policy.yaml"), c.Policy)
	conf := write(t, filepath.Join(dir, "glance-api.conf"), fmt.Sprintf(glanceConf, dir, c.Port, c.Flavor)+c.Middleware)
	run(t, dir, "glance-manage", "--config-file", conf, "db_sync")
	return &Glance{URL: "http://" + address(c.Port), API: Start(t, Program{
		Name: "glance-api", Command: []string{"glance-api", "--config-file", conf}, Dir: dir, Listens: address(c.Port),
	})}
}

// glanceConf has one process, no caches and nothing outside of the test's directory but the pipeline that Debian ships.
const glanceConf = `[DEFAULT]
bind_host = 127.0.0.1
bind_port = %[2]d
workers = 0
use_stderr = true
enabled_backends = file:file
enforce_secure_rbac = true

[database]
connection = sqlite:///%[1]s/glance.sqlite

[glance_store]
default_backend = file

[file]
filesystem_store_datadir = %[1]s/images

[os_glance_staging_store]
filesystem_store_datadir = %[1]s/staging

[os_glance_tasks_store]
filesystem_store_datadir = %[1]s/tasks

[paste_deploy]
flavor = %[3]s
config_file = /usr/share/glance-common/glance-api-paste.ini

[oslo_policy]
policy_file = %[1]s/policy.yaml
policy_dirs = %[1]s/policy.d
enforce_new_defaults = true
enforce_scope = true

[oslo_concurrency]
lock_path = %[1]s

`
