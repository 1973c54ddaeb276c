package realcloud

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// SwiftPrograms are what StartSwift needs.
var SwiftPrograms = []string{"swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server", "swift-ring-builder"}

// SwiftConfig says how Swift lets in whom.
type SwiftConfig struct {
	Port    int    // of the proxy
	Auth    string // filters of the proxy's pipeline, e.g. "authtoken keystoneauth"
	Filters string // their sections of proxy-server.conf
	Options string // lines of the proxy's own section; none
}

// A Swift is a running Swift with one copy of everything.
type Swift struct {
	Proxy, Account, Container, Object *Process
	URL                               string // http://127.0.0.1:port
}

// StartSwift runs the proxy and the three kinds of storage server.
func StartSwift(t testing.TB, c SwiftConfig) *Swift {
	t.Helper()
	Need(t, SwiftPrograms...)
	dir := storageDir(t)
	s := &Swift{URL: "http://" + address(c.Port)}
	for kind, p := range map[string]**Process{"account": &s.Account, "container": &s.Container, "object": &s.Object} {
		port := FreePort(t)
		ring(t, dir, kind, port)
		conf := write(t, filepath.Join(dir, kind+"-server.conf"), swiftDefaults(t, dir, port)+fmt.Sprintf(swiftStorage, kind, kind))
		*p = Start(t, Program{Name: "swift-" + kind, Command: []string{"swift-" + kind + "-server", conf, "-v"}, Dir: dir, Listens: address(port)})
	}
	conf := write(t, filepath.Join(dir, "proxy-server.conf"), swiftDefaults(t, dir, c.Port)+fmt.Sprintf(swiftProxy, c.Auth, c.Options)+c.Filters)
	s.Proxy = Start(t, Program{Name: "swift-proxy", Command: []string{"swift-proxy-server", conf, "-v"}, Dir: dir, Listens: address(c.Port)})
	return s
}

// storageDir is a directory of the test whose file system has extended attributes, where Swift keeps what it knows of an object.
func storageDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Setxattr(dir, "user.swift.metadata", make([]byte, 1024), 0); err != nil {
		t.Fatalf("%s has no extended attributes, which Swift needs (%v): set TMPDIR to a directory that has, on ext4 or xfs", dir, err)
	}
	must(t, syscall.Removexattr(dir, "user.swift.metadata"))
	return dir
}

// ring makes the ring of one kind with one device, and the device.
func ring(t testing.TB, dir, kind string, port int) {
	t.Helper()
	builder := kind + ".builder"
	run(t, dir, "mkdir", "-p", "devices/"+kind)
	run(t, dir, "swift-ring-builder", builder, "create", "4", "1", "1")
	run(t, dir, "swift-ring-builder", builder, "add", fmt.Sprintf("r1z1-127.0.0.1:%d/%s", port, kind), "1")
	run(t, dir, "swift-ring-builder", builder, "rebalance")
}

// swiftDefaults is what every server is told: one process, as whoever runs the test, logging where Process looks.
func swiftDefaults(t testing.TB, dir string, port int) string {
	t.Helper()
	me, err := user.Current()
	must(t, err)
	return "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = " + strconv.Itoa(port) + "\nworkers = 0\nuser = " + me.Username +
		"\nswift_dir = " + dir + "\ndevices = " + dir + "/devices\nmount_check = false\nfallocate_reserve = 0\nrecon_cache_path = " + dir +
		"\nlog_level = INFO\n"
}

const (
	swiftStorage = `
[pipeline:main]
pipeline = %s-server

[app:%[1]s-server]
use = egg:swift#%[2]s
`
	// The pipeline is that of Debian's file without what needs memcached or other clusters.
	swiftProxy = `
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging listing_formats bulk tempurl %s copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
%s

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink

`
)
