package realcloud

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Keystone is a real Keystone in an Apache with mod_auth_openidc, on SQLite. It starts with what every Keystone starts with: a user
// admin of the domain Default with the role admin, and its service catalog.
type Keystone struct {
	*Process
	URL      string // of Identity v3
	Password string // of admin
	dir      string
}

// KeystoneConfig is what a Keystone is started with.
type KeystoneConfig struct {
	Port      int    // where it listens; 0: somewhere
	Apache    string // directives of its virtual host, beside those that run Keystone
	Conf      string // a second configuration file, read after the first
	Authority string // a file with the certificate of whom mod_auth_openidc trusts; "": those that the machine trusts
}

// StartKeystone makes a Keystone and runs it until the test ends.
func StartKeystone(t testing.TB, c KeystoneConfig) *Keystone {
	t.Helper()
	Need(t, "apache2", "keystone-manage", "keystone-wsgi-public")
	if c.Port == 0 {
		c.Port = FreePort(t)
	}
	k := &Keystone{URL: fmt.Sprintf("http://%s/v3", address(c.Port)), Password: "of-the-administrator", dir: folder(t)}
	for name, text := range map[string]string{"keystone.conf": k.conf(), "more.conf": c.Conf, "apache2.conf": k.apache(c)} {
		write(t, filepath.Join(k.dir, name), text)
	}
	if c.Authority != "" {
		text, err := os.ReadFile(c.Authority)
		must(t, err)
		write(t, k.authority(), string(text)) // where Apache can read it
	}
	k.prepare(t)
	k.Process = Start(t, Program{
		Name: "keystone", Dir: k.dir, Listens: address(c.Port), Env: []string{"OS_KEYSTONE_CONFIG_FILES=" + strings.Join(k.files(), ";")},
		Command: k.unprivileged("apache2", "-f", filepath.Join(k.dir, "apache2.conf"), "-DFOREGROUND"),
	})
	return k
}

// folder is a directory that whoever it is given to can reach: what is above t.TempDir is for the test's user alone.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keystone")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func (k *Keystone) authority() string { return filepath.Join(k.dir, "authority.pem") }

func (k *Keystone) files() []string {
	return []string{filepath.Join(k.dir, "keystone.conf"), filepath.Join(k.dir, "more.conf")}
}

// prepare makes schema, keys and the administrator.
func (k *Keystone) prepare(t testing.TB) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(k.dir, "run"), 0o700))
	for _, repository := range []string{"fernet", "credential"} {
		for _, name := range []string{"0", "1"} { // the next and the current one
			var key [32]byte
			_, _ = rand.Read(key[:])
			write(t, filepath.Join(k.dir, repository, name), base64.URLEncoding.EncodeToString(key[:]))
		}
	}
	if os.Getuid() == 0 {
		run(t, k.dir, "chown", "-R", nobody+":"+nobody, k.dir)
	}
	k.manage(t, "db_sync")
	// Keystone reads on one connection while it commits on another, which SQLite's older journal answers with "database is locked".
	wal := k.unprivileged("/usr/bin/python3", "-c", "import sqlite3; sqlite3.connect('keystone.sqlite').execute('pragma journal_mode=wal')")
	run(t, k.dir, wal[0], wal[1:]...)
	k.manage(t, "bootstrap", "--bootstrap-password", k.Password, "--bootstrap-region-id", "GRA1", "--bootstrap-public-url", k.URL,
		"--bootstrap-internal-url", k.URL)
}

func (k *Keystone) manage(t testing.TB, args ...string) {
	t.Helper()
	command := []string{"keystone-manage"}
	for _, f := range k.files() {
		command = append(command, "--config-file", f)
	}
	command = k.unprivileged(append(command, args...)...)
	run(t, k.dir, command[0], command[1:]...)
}

// nobody is whom Apache runs as where the test is root: mod_wsgi and Apache refuse root.
const nobody = "www-data"

// unprivileged makes a command that gives up root, if the test has it, and still ends with the test.
func (k *Keystone) unprivileged(command ...string) []string {
	if os.Getuid() != 0 {
		return command
	}
	return append([]string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", "--pdeathsig=TERM"}, command...)
}

func (k *Keystone) conf() string {
	return strings.ReplaceAll(`[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///DIR/keystone.sqlite
[token]
provider = fernet
[fernet_tokens]
key_repository = DIR/fernet
[fernet_receipts]
key_repository = DIR/fernet
[credential]
key_repository = DIR/credential
[identity]
password_hash_rounds = 4
`, "DIR", k.dir)
}

// apache is a whole configuration: nothing of /etc/apache2 is read.
func (k *Keystone) apache(c KeystoneConfig) string {
	var b strings.Builder
	for _, m := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "env", "setenvif", "wsgi", "auth_openidc"} {
		fmt.Fprintf(&b, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	b.WriteString(strings.NewReplacer("DIR", k.dir, "PORT", strconv.Itoa(c.Port)).Replace(`
ServerName 127.0.0.1
ServerRoot DIR
DefaultRuntimeDir DIR/run
PidFile DIR/run/apache2.pid
Listen 127.0.0.1:PORT
ErrorLog "|/bin/cat"
LogFormat "%h \"%r\" %>s %b" short
CustomLog DIR/run/access.log short
WSGISocketPrefix DIR/run/wsgi
<VirtualHost 127.0.0.1:PORT>
WSGIDaemonProcess keystone processes=1 threads=1 home=DIR/run
WSGIProcessGroup keystone
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias / /usr/bin/keystone-wsgi-public
WSGIPassAuthorization On
<Directory /usr/bin>
  Require all granted
</Directory>
`))
	if c.Authority != "" {
		fmt.Fprintf(&b, "OIDCCABundlePath %s\n", k.authority())
	}
	return b.String() + c.Apache + "\n</VirtualHost>\n"
}

// CloudsYAML is a clouds.yaml whose entry admin is the administrator.
func (k *Keystone) CloudsYAML() string {
	return fmt.Sprintf(`clouds:
  admin:
    auth_type: password
    region_name: GRA1
    identity_api_version: 3
    auth:
      auth_url: %s
      username: admin
      password: %s
      user_domain_name: Default
      project_name: admin
      project_domain_name: Default
`, k.URL, k.Password)
}
