package server_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
)

// An upload is an object that is being sent, piece by piece.
type upload struct {
	*io.PipeWriter
	answer chan string // the status, or what broke
}

func startUpload(t *testing.T, s *servertest.Server, token string) upload {
	t.Helper()
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/GRA1/object-store/v1/AUTH_"+project+"/box/object", r)
	must(t, err)
	req.Header.Set("X-Auth-Token", token)
	u := upload{w, make(chan string, 1)}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			u.answer <- err.Error()
			return
		}
		_ = resp.Body.Close()
		u.answer <- resp.Status
	}()
	_, err = io.WriteString(w, strings.Repeat("x", 16<<20)) // more than waits on its way: the server is reading
	must(t, err)
	return u
}

// looks is time enough for the gateway to look at a call under way more than once.
const looks = 2500 * time.Millisecond

// TestATransferOutlastsItsTokenButNotItsAccount: a large object may take longer than a token lives, and real services let it; but who is out is out.
func TestATransferOutlastsItsTokenButNotItsAccount(t *testing.T) {
	var ahead atomic.Int64
	s := servertest.Start(t, func(c *server.Config) {
		c.TokenLife, c.MinTokenLife = 2*time.Minute, time.Minute
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	c := s.ServiceAccount("storage", "publicCloudProject:openstack:objectstoreOperator")
	token := s.Scoped(c)
	container := "/GRA1/object-store/v1/AUTH_" + project + "/box"
	if a := s.Do("PUT", container, "", "X-Auth-Token: "+token); a.Status != http.StatusCreated {
		t.Fatalf("%+v", a)
	}
	u := startUpload(t, s, token)
	ahead.Add(int64(3 * time.Minute))
	if a := s.Do("HEAD", container, "", "X-Auth-Token: "+token); a.Status != http.StatusUnauthorized {
		t.Fatalf("the token has not expired: %+v", a)
	}
	time.Sleep(looks)
	_, err := io.WriteString(u, " and ended")
	must(t, err)
	must(t, u.Close())
	if got := <-u.answer; got != "201 Created" {
		t.Errorf("after its token: %s", got)
	}
	u = startUpload(t, s, s.Scoped(c))
	must(t, s.Registry().SetServiceAccountDisabled(t.Context(), s.Operator, c.ID, true))
	time.Sleep(looks)
	for range 100 { // what is on its way may still be taken
		if _, err = io.WriteString(u, strings.Repeat("x", 1<<20)); err != nil {
			break
		}
	}
	must(t, u.Close())
	if got := <-u.answer; err == nil || strings.HasPrefix(got, "20") {
		t.Errorf("after its account: %s %v", got, err)
	}
}
