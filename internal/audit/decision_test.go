package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/urn"
)

func decisionOf(account, id string) audit.Decision {
	return audit.Decision{ID: id, OtherID: "other-" + id, Account: urn.Account{Partition: urn.EU, Name: account}, Path: "/" + id}
}

func TestPendingDecisionsAreBoundedAndTheOldestGoes(t *testing.T) {
	var p audit.Pending
	quiet := decisionOf("quiet", "q")
	p.Add(quiet)
	for i := range 100_000 {
		p.Add(decisionOf("loud", fmt.Sprint(i)))
	}
	loud := decisionOf("loud", "").Account
	if _, ok := p.Find(loud, "0"); ok {
		t.Error("the oldest is still there")
	}
	if d, ok := p.Find(loud, "other-99999"); !ok || d.ID != "99999" {
		t.Errorf("the newest is gone: %v", d)
	}
	if _, ok := p.Find(quiet.Account, "q"); !ok {
		t.Error("one account took the other's room")
	}
	list, dropped := p.Take()
	if len(list)+int(dropped) != 100_001 || len(list) > 1000 {
		t.Errorf("%d kept, %d dropped", len(list), dropped)
	}
}

func TestManyAccountsTogetherAreBounded(t *testing.T) {
	var p audit.Pending
	for i := range 50_000 {
		p.Add(decisionOf(fmt.Sprint("a", i%1000), fmt.Sprint(i)))
	}
	list, dropped := p.Take()
	if len(list) > 10_000 || len(list)+int(dropped) != 50_000 {
		t.Errorf("%d kept, %d dropped", len(list), dropped)
	}
}

// TestADecisionIsFoundWhileItIsWritten takes, looks, fails to write, looks again.
func TestADecisionIsFoundWhileItIsWritten(t *testing.T) {
	var p audit.Pending
	d := decisionOf("a", "1")
	p.Add(d)
	found := func(want bool, when string) {
		t.Helper()
		for _, id := range []string{"1", "other-1"} {
			if _, ok := p.Find(d.Account, id); ok != want {
				t.Errorf("%s: %s found: %v", when, id, ok)
			}
		}
	}
	found(true, "added")
	p.Take()
	found(true, "being written")
	p.Add(decisionOf("a", "2"))
	p.PutBack()
	found(true, "not written")
	if list, _ := p.Take(); len(list) != 2 || list[0].ID != "1" {
		t.Errorf("put back: %v", list)
	}
	p.Written()
	found(false, "written")
	if _, ok := p.Find(decisionOf("b", "").Account, "2"); ok {
		t.Error("another account finds it")
	}
	p.Add(audit.Decision{Account: d.Account})
	if _, ok := p.Find(d.Account, ""); ok {
		t.Error("no id is no id")
	}
}

func TestADecisionIsBoundedText(t *testing.T) {
	var p audit.Pending
	d := decisionOf("a", "1")
	d.Path, d.Method = strings.Repeat("ü", 100_000)+"\xff", "G\x00ET"
	p.Add(d)
	got, _ := p.Find(d.Account, "1")
	if len(got.Path) > 1024 || !utf8.ValidString(got.Path) || got.Method != "GET" {
		t.Errorf("%d bytes of path, method %q", len(got.Path), got.Method)
	}
}
