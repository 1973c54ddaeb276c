package stackgate

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestToolsPage runs what docs/tools.md says, line by line, in a folder with a fresh stackgate dev.
func TestToolsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	needed(t, programs("rclone", "restic", "swift"))
	script := "set -e\nagent=; trap 'kill $agent 2>/dev/null || :' EXIT\nexport XDG_RUNTIME_DIR=$PWD/run; mkdir -p run; chmod 700 run\n"
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		for line := range strings.Lines(b[1]) {
			if strings.TrimSpace(line) != "" {
				script += line
			}
		}
	}
	if len(blocks) < 5 {
		t.Fatal("no lines found")
	}
	eachClient(t, func(t *testing.T, c client) {
		t.Parallel()
		d := startDev(t, filepath.Join(t.TempDir(), ".stackgate"))
		d.dir = filepath.Dir(d.dir)
		path := "PATH=" + filepath.Dir(c.openstack) + ":$PATH\n" // its openstack, and its python3
		out, err := d.sh("", path+"set -x\n"+script)
		if err != nil || strings.Count(out, "name_vm") < 6 {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
