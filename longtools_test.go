package stackgate

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// entries makes a service account with rights in dev and leaves, for each door, an openrc of its name: <name>-oidc and so on. It gives the account's id.
func (d *dev) entries(name string, rights ...string) string {
	d.t.Helper()
	return strings.TrimSpace(d.ok("admin.env", `
		id=$(stackgate -o json service-account create `+name+` | sed -n 's/.*"clientId": "\(.*\)",/\1/p')
		stackgate policy create --service-account $id --right `+strings.Join(rights, ",")+` --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f >/dev/null
		for as in oidc password application-credential; do
			stackgate openrc --service-account $id --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f --as $as --new-secret >`+name+`-$as
		done
		echo $id`))
}

// logins counts how often a service account has got a token for its project.
func (d *dev) logins(id string) (n int) {
	for line := range strings.Lines(d.log()) {
		if strings.Contains(line, "path=/v3/auth/tokens status=201") && strings.Contains(line, "oauth2-"+id+" ") {
			n++
		}
	}
	return n
}

// A way is how a tool comes by its login: an openrc for one of the doors, and what stands before the command. The last two are not for
// swift: with an application credential it takes the first region of the catalog, and gives up what it is doing when its token ends.
type way struct{ name, door, before string }

var ways = []way{
	{"password", "password", ""},
	{"exec, password", "oidc", "stackgate exec --no-cache --as password -- "},
	{"application credential", "application-credential", ""},
	{"exec, application credential", "oidc", "stackgate exec --no-cache -- "},
}

// longTools are scripts on a container that exists for them alone: what comes first, what is long, and what follows. $run is what stands before the command.
var longTools = []struct {
	name, life         string
	ways               []way
	first, long, after string
}{
	{"rclone", "72s", ways, "", `$run rclone sync --bwlimit 1200k --transfers 1 src ":swift:$box"`, `
		$run rclone check src ":swift:$box"
		$run rclone sync ":swift:$box" down
		diff -r src down
		rm down/*1
		$run rclone sync down ":swift:$box" # what is gone here is to go there
		is 3 sh -c "$run rclone lsf ':swift:$box' | wc -l | tr -d ' '"
		$run rclone purge ":swift:$box"`},
	{"restic", "72s", ways, "$run restic init >/dev/null", `$run restic backup --limit-upload 1200 src >/dev/null`, `
		has "no errors were found" $run restic check
		$run restic restore latest --target down >/dev/null
		diff -r src down/src
		$run restic forget --keep-last 1 --prune >/dev/null`},
	{"swift", "3s", ways[:2], "mkdir many; seq 2000 | while read i; do echo $i >many/$i; done", `$run swift upload --object-threads 1 "$box" many >/dev/null`, `
		$run swift download "$box" --prefix many/19 -D down >/dev/null
		for i in down/many/*; do cmp "$i" "${i#down/}"; done
		is 2000 sh -c "$run swift list $box | wc -l | tr -d ' '"
		$run swift delete "$box" >/dev/null`},
}

const longTool = waitFor + `
	export RCLONE_SWIFT_ENV_AUTH=true RCLONE_CONFIG=/dev/null RESTIC_PASSWORD=secret RESTIC_REPOSITORY="swift:$2:/" RESTIC_CACHE_DIR="$PWD/$2/cache"
	set -eu; run=$1 box=$2; mkdir -p "$box"; cd "$box"; [ -e src ] || cp -r ../src src; `

// TestLongTransfers runs what moves objects for longer than its token is good for. rclone and restic take a token for worthless in its last minute,
// and get another when its last but one has begun: so these tokens live for a minute and a bit.
func TestLongTransfers(t *testing.T) {
	needed(t, programs("rclone", "restic"))
	swift, err := ansible()
	needed(t, err)
	t.Setenv("PATH", swift+":"+os.Getenv("PATH"))
	devs := map[string]*dev{}
	for _, tool := range longTools {
		if devs[tool.life] == nil {
			devs[tool.life] = startDev(t, t.TempDir(), "--token-life", tool.life, "--log-level", "info")
			devs[tool.life].makeFiles(t)
		}
	}
	var all sync.WaitGroup // they wait rather than work: two processors are enough for all at once
	for _, tool := range longTools {
		for _, w := range tool.ways {
			all.Go(func() {
				t.Run(tool.name+", "+w.name, func(t *testing.T) { devs[tool.life].runLong(t, w, tool.name, tool.first, tool.long, tool.after) })
			})
		}
	}
	all.Wait()
}

func (d *dev) makeFiles(t *testing.T) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(d.dir, "src"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f1", "f2", "f3", "f4"} {
		data := make([]byte, 5_000_000)
		_, _ = rand.Read(data)
		write(t, filepath.Join(d.dir, "src", name), string(data))
	}
}

// runLong runs the three scripts one way. A tool logs in once when it starts: more is because its token has ended.
func (d *dev) runLong(t *testing.T, w way, tool, first, long, after string) {
	name := strings.NewReplacer(" ", "-", ",", "").Replace(tool + "-" + w.name)
	id := d.entries(name, "objectstoreOperator")
	for _, script := range []string{first, long, after} {
		before := d.logins(id)
		if out, err := d.sh(name+"-"+w.door, longTool+script, w.before, name); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if n := d.logins(id) - before; script == long && n < 2 {
			t.Errorf("%d logins: it was not longer than its token", n)
		}
	}
}

// terraform sends with curl what Terraform's provider was recorded to send: a login, a look-up, and both again when its token has ended.
const terraform = waitFor + `
	set -eu; mkdir "$2"; cd "$2"
	call() { curl -sS -A "HashiCorp Terraform/1.11.4 (+https://www.terraform.io) Terraform Plugin SDK/v2.40.1 Terraform Provider OpenStack/dev gophercloud/v2.13.0" -H "Accept: application/json" "$@"; }
	case $OS_AUTH_TYPE in
	v3password) body='{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"'$OS_USER_DOMAIN_NAME'"},"name":"'$OS_USERNAME'","password":"'$OS_PASSWORD'"}}},"scope":{"project":{"id":"'$OS_PROJECT_ID'"}}}}' ;;
	*) body='{"auth":{"identity":{"application_credential":{"id":"'$OS_APPLICATION_CREDENTIAL_ID'","secret":"'$OS_APPLICATION_CREDENTIAL_SECRET'"},"methods":["application_credential"]}}}' ;;
	esac
	login() {
		is 201 call -D head -o answer -w '%{http_code}' -H "Content-Type: application/json" -d "$body" "$OS_AUTH_URL/auth/tokens"
		token=$(tr -d '\r' <head | sed -n 's/^X-Subject-Token: //Ip')
		url=$(python3 -c 'import json, os; print([e["url"] for s in json.load(open("answer"))["token"]["catalog"] if s["type"] == "network"
			for e in s["endpoints"] if e["region"] == os.environ["OS_REGION_NAME"] and e["interface"] == "public"][0])')
	}
	look() { call -o networks -w '%{http_code}' -H "X-Auth-Token: $token" "$url/v2.0/networks?name=Ext-Net"; }
	login; is 200 look; sleep 3; until_is 401 look
	login; is 200 look; has Ext-Net cat networks`

// TestTerraformsRun is the provider's requests, directly and through exec. The provider itself is in no registry.
func TestTerraformsRun(t *testing.T) {
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	d.entries("terraform", "infrastructureSupervisor")
	write(t, filepath.Join(d.dir, "terraform.sh"), terraform)
	var all sync.WaitGroup
	for _, w := range ways {
		all.Go(func() {
			if out, err := d.sh("terraform-"+w.door, w.before+`sh -c "$(cat terraform.sh)" sh x "$1"`, strings.NewReplacer(" ", "-", ",", "").Replace(w.name)); err != nil {
				t.Errorf("%s: %v\n%s", w.name, err, out)
			}
		})
	}
	all.Wait()
}

// TestAnsible runs the playbook of docs/tools.md with the lines that stand there, with tokens that end before it does.
func TestAnsible(t *testing.T) {
	t.Parallel()
	bin, err := ansible()
	needed(t, err)
	page, err := os.ReadFile("docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(head string) string {
		_, rest, ok := strings.Cut(string(page), "```"+head+"\n")
		text, _, end := strings.Cut(rest, "```")
		if !ok || !end {
			t.Fatal("there is no block ", head)
		}
		return text
	}
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	write(t, filepath.Join(d.dir, "playbook.yml"), block("yaml\n# playbook.yml"))
	out, err := d.sh("admin.env", "set -e; PATH=$PATH:"+bin+"; P=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f; export XDG_RUNTIME_DIR=$PWD\n"+block("sh ansible"))
	if err != nil || strings.Count(out, "ok=11   changed=9    unreachable=0    failed=0") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// ansible gives the folder of Ansible and the swift command from PyPI. Ansible's collection openstack.cloud 2.5 needs an openstacksdk that imports
// its own version.
var ansible = sync.OnceValues(func() (string, error) {
	return venv("ansible", "ansible", "openstacksdk<4.15", "python-swiftclient", "python-keystoneclient")
})
