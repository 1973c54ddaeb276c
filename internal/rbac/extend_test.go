package rbac

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a table of a few lines, so that these tests do not depend on the real ones.
const small = `service compute
prefix /v2.1/{project} /v2.1
GET /servers !?all_tenants=true list compute_manage compute_read
GET /servers/{id} show compute_manage compute_read
POST /servers !server.host create compute_manage
PUT /servers/{id} update compute_manage
DELETE /servers/{id} delete nobody
GET /flavors flavors any
POST /servers/{id}/action [reboot] reboot compute_manage
POST /servers/{id}/action [migrate] !migrate.host migrate nobody
`

func extended(texts ...string) (*Table, error) {
	t := &Table{roots: map[Service]*node{}}
	if err := t.add(File{"small.txt", small}, nil); err != nil {
		return nil, err
	}
	x := &extension{}
	for _, text := range texts {
		if err := t.add(File{"more.txt", "service compute\nprefix /v2.1/{project} /v2.1\n" + text}, x); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func TestOperatorsAddAndNarrow(t *testing.T) {
	for _, c := range []struct {
		name, line, call, body string
		verdict                Verdict
		roles                  Roles
	}{
		{"a new call", "GET /os-new new compute_read", "GET /v2.1/os-new", "", Judged, RolesOf(ComputeRead)},
		{"a new call with the project in its path", "GET /os-new new compute_read", "GET /v2.1/" + own + "/os-new", "", Judged, RolesOf(ComputeRead)},
		{"a new call in another project", "GET /os-new new compute_read", "GET /v2.1/1e1e/os-new", "", OtherProject, 0},
		{"a new action", "POST /servers/{id}/action [shine] shine compute_manage", "POST /v2.1/servers/1/action", `{"shine":null}`, Judged, RolesOf(ComputeManage)},
		{"fewer roles", "GET /servers list compute_manage", "GET /v2.1/servers", "", Judged, RolesOf(ComputeManage)},
		{"fewer roles than any", "GET /flavors flavors compute_read", "GET /v2.1/flavors", "", Judged, RolesOf(ComputeRead)},
		{"nobody", "POST /servers create nobody", "POST /v2.1/servers", "{}", Judged, 0},
		{"what was refused stays refused", "GET /servers list compute_manage", "GET /v2.1/servers?all_tenants=1", "", AdminOnly, 0},
		{"what was refused in the body stays refused", "POST /servers create compute_manage", "POST /v2.1/servers", `{"server":{"host":"h"}}`, AdminOnly, 0},
		{"one more refusal", "POST /servers !server.user_data create compute_manage", "POST /v2.1/servers", `{"server":{"user_data":"x"}}`, AdminOnly, 0},
		{"one case of a call", "GET /servers [?deleted] list compute_manage", "GET /v2.1/servers?deleted=1", "", Judged, RolesOf(ComputeManage)},
		{"the other cases of that call", "GET /servers [?deleted] list compute_manage", "GET /v2.1/servers", "", Judged, RolesOf(ComputeManage, ComputeRead)},
		{"a case that is told by the body", "POST /servers [.server.min_count=2] create nobody", "POST /v2.1/servers", `{"server":{"min_count":2}}`, Judged, 0},
		{"one server of all", "GET /servers/precious show nobody", "GET /v2.1/servers/precious", "", Judged, 0},
		{"an action taken away", "POST /servers/{any}/action [reboot] reboot nobody", "POST /v2.1/servers/1/action", `{"reboot":{}}`, Judged, 0},
		{"an override that widens", "DELETE /servers/{id} delete compute_manage override: true", "DELETE /v2.1/servers/1", "", Judged, RolesOf(ComputeManage)},
		{"an override that drops a refusal", "POST /servers create compute_manage override: true", "POST /v2.1/servers", `{"server":{"host":"h"}}`, Judged, RolesOf(ComputeManage)},
		{"an override that makes public", "GET /flavors flavors public override: true", "GET /v2.1/flavors", "", Judged, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab, err := extended(c.line)
			if err != nil {
				t.Fatal(err)
			}
			d := ask(t, tab, Compute, c.call, c.body)
			if d.Verdict != c.verdict || d.Verdict == Judged && d.Operation.Needs() != c.roles {
				t.Errorf("verdict %s, operation %+v, field %q; want %s with %b", d.Verdict, d.Operation, d.Field, c.verdict, c.roles)
			}
		})
	}
}

func TestOperatorsCannotWidenByAccident(t *testing.T) {
	for name, texts := range map[string][]string{
		"one more role":                        {"GET /servers list compute_manage compute_read image_read"},
		"any instead of roles":                 {"GET /servers list any"},
		"roles instead of nobody":              {"DELETE /servers/{id} delete compute_manage"},
		"roles for an administrator's action":  {"POST /servers/{id}/action [migrate] migrate compute_manage"},
		"a word in a parameter's place":        {"DELETE /servers/mine delete compute_manage"},
		"a case of an administrator's call":    {"DELETE /servers/{id} [?force] delete compute_manage"},
		"a public call":                        {"GET /os-new new public"},
		"a call without a token":               {"GET /os-new new compute_read anonymous"},
		"all calls below a path":               {"GET /os-new/{rest...} new compute_read"},
		"a second file on the same call":       {"GET /servers list compute_manage", "GET /servers list compute_read"},
		"the same under other parameter names": {"GET /servers/{a} show compute_read", "GET /servers/{b} show compute_read"},
		"one prefix of two":                    {"prefix /v2.1\nGET /servers list compute_read"},
		"an override of the syntax":            {"GET /servers list compute_read override: yes"},
		"a service that is not there":          {"service identity\nGET /v3/users list compute_read"},
		"a parameter in a project's place":     {"prefix /v2.1\nGET /{id}/x x compute_read"},
		"all actions of one server":            {"POST /servers/mine/action act compute_manage"},
		"a project's id in a project's place":  {"prefix /v2.1/0f0f\nGET /servers list compute_manage"},
		"a new call of one project":            {"prefix /v2.1/0f0f\nGET /os-new new compute_manage"},
		"a plain line beside actions":          {"POST /servers/{id}/action act compute_manage"},
	} {
		if _, err := extended(texts...); err == nil || !strings.HasPrefix(err.Error(), "more.txt:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOurOwnFilesHaveNoOverride(t *testing.T) {
	tab := &Table{roots: map[Service]*node{}}
	if err := tab.add(File{"x.txt", "service compute\nGET /x x any override: true"}, nil); err == nil {
		t.Error("accepted")
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.txt": "b", "a.txt": "a", "note.md": "not ours"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFiles(dir)
	if err != nil || len(got) != 2 || got[0] != (File{"a.txt", "a"}) || got[1] != (File{"b.txt", "b"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadFiles(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a directory that is not there was accepted")
	}
}

func TestTheRealTableTakesMoreFiles(t *testing.T) {
	list := ask(t, table(t), Compute, "GET /v2.1/servers", "").Operation
	tab, err := NewTable(File{"more.txt", "service compute\nprefix " + strings.Join(list.Prefixes, " ") + "\nGET /servers list compute_manage"})
	if err != nil {
		t.Fatal(err)
	}
	if d := ask(t, tab, Compute, "GET /v2.1/servers?all_tenants=1", ""); d.Verdict != AdminOnly {
		t.Errorf("all_tenants: %s", d.Verdict)
	}
	if d := ask(t, tab, Compute, "GET /v2.1/servers", ""); d.Allows(RolesOf(ComputeRead)) || !d.Allows(RolesOf(ComputeManage)) {
		t.Errorf("%+v", d.Operation)
	}
}
