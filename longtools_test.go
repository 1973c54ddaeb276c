package stackgate

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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

// logins counts how often a service account has got a token for its project. What is logged may be written a moment later.
func (d *dev) logins(id string) (n int) {
	time.Sleep(time.Second)
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

// file is the way's name, for files and folders.
func (w way) file() string { return strings.NewReplacer(" ", "-", ",", "", "=", "").Replace(w.name) }

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
	name := tool + "-" + w.file()
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

// TestAnsible runs the playbook of docs/tools.md with the lines that stand there, with tokens that end before it does.
func TestAnsible(t *testing.T) {
	t.Parallel()
	bin, err := ansible()
	needed(t, err)
	page, err := os.ReadFile("docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	write(t, filepath.Join(d.dir, "playbook.yml"), block(t, string(page), "yaml\n# playbook.yml"))
	out, err := d.sh("admin.env", "set -e; PATH=$PATH:"+bin+"; P=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f; export XDG_RUNTIME_DIR=$PWD\n"+block(t, string(page), "sh ansible"))
	if err != nil || strings.Count(out, "ok=11   changed=9    unreachable=0    failed=0") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// block is what a page has between ``` and ```, without the line that it starts with.
func block(t *testing.T, page, head string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "```"+head+"\n")
	text, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("there is no block ", head)
	}
	return text
}

// ansible gives the folder of Ansible and the swift command from PyPI. Ansible's collection openstack.cloud 2.5 needs an openstacksdk that imports
// its own version.
var ansible = sync.OnceValues(func() (string, error) {
	return venv("ansible", "ansible", "openstacksdk<4.15", "python-swiftclient", "python-keystoneclient")
})
