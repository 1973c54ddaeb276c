package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

func TestEveryKindHasAStatus(t *testing.T) {
	for _, kind := range iam.Kinds() {
		if statuses[kind] < 400 {
			t.Errorf("%s has no status", kind)
		}
		wrapped := fmt.Errorf("while testing: %w", &iam.Error{Kind: kind, Message: "a sentence", Err: errors.New("a cause")})
		e := asRefusal(wrapped)
		if e.status != statuses[kind] || strings.Contains(e.message, "cause") || strings.Contains(e.message, "while testing") {
			t.Errorf("%s: %d %q", kind, e.status, e.message)
		}
	}
	if len(statuses) != len(iam.Kinds()) {
		t.Error("a status for a kind that is none")
	}
}

func TestErrorsWithoutAKindStayInside(t *testing.T) {
	e := asRefusal(errors.New("open /secret/file"))
	if e.status != http.StatusInternalServerError || e.message != msgInternal {
		t.Errorf("%d %q", e.status, e.message)
	}
	if e := asRefusal(fmt.Errorf("x: %w", &web.Error{Status: 413, Message: "too large"})); e.status != 413 || e.message != "too large" {
		t.Errorf("%d %q", e.status, e.message)
	}
	if b := appendError(nil, &refusal{status: 400, message: "\xff\"<"}); !strings.Contains(string(b), "\uFFFD\\\"<") {
		t.Errorf("%s", b)
	}
}
