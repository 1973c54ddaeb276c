package gateway

import (
	"log/slog"
	"strings"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestServerListIsForwarded(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.ask(t, "GET", "/GRA1/compute/v2.1/servers/detail?deleted=False", "X-Auth-Token: reader")
	if got := w.last(); resp.StatusCode != 200 || !strings.HasPrefix(got, "GET /v2.1/servers/detail?deleted=False HTTP/1.1\r\n") {
		t.Fatalf("%d\n%s", resp.StatusCode, got)
	}
}

func TestSwiftIsRefused(t *testing.T) {
	w := newWorld(t)
	resp, body := w.ask(t, "GET", "/GRA1/object-store/v1/AUTH_"+projectA+"?format=json", "X-Auth-Token: reader")
	if resp.StatusCode != 403 || body != "<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
}
