package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
)

// TestAnswersOfKnownLengthStream: what there is of an answer is with the client before the cloud goes on. Only the head of an answer that
// may come in one piece waits for the beginning of its body.
func TestAnswersOfKnownLengthStream(t *testing.T) {
	for name, parts := range map[string][]string{
		"short":              {"a", "b", "c"},
		"long":               {"a", strings.Repeat("b", 3*bufferSize), "c"},
		"long, its head":     {"", strings.Repeat("b", 3*bufferSize)},
		"as long as a part":  {strings.Repeat("a", bufferSize)},
		"more than one part": {strings.Repeat("a", bufferSize+1), "b"},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{})
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(strings.Join(parts, ""))))
				for _, part := range parts {
					_, _ = io.WriteString(w, part)
					_ = http.NewResponseController(w).Flush()
					select {
					case <-arrived:
					case <-r.Context().Done():
					}
				}
			}))
			defer up.Close()
			w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}}
			w.serve(t, proxied(t, ProxyConfig{URL: up.URL}))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // what does not stream never ends
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", w.gw.URL+"/GRA1/object-store/v1/AUTH_"+projectA+"/c/o", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Auth-Token", "all")
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			defer resp.Body.Close()
			for _, part := range parts {
				got := make([]byte, len(part))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != part {
					t.Fatalf("%.9q %v", got, err)
				}
				arrived <- struct{}{}
			}
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
				t.Errorf("%q %v", rest, err)
			}
		})
	}
}
