package server_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/servertest"
)

func TestMetricsCountByFaceMethodAndStatus(t *testing.T) {
	s := servertest.Start(t)
	s.Do("GET", "/v3", "")
	s.Do("GET", "/GRA1/compute/v2.1/servers/detail", "")
	s.Do("BREW", "/v1/me", "")
	rec := httptest.NewRecorder()
	s.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`stackgate_requests_total{face="keystone",method="GET",status="200"} 1`, `stackgate_requests_total{face="gateway",method="GET",status="401"} 1`,
		`stackgate_requests_total{face="api",method="other"`, `stackgate_request_seconds_count{face="keystone"} 1`, "go_goroutines",
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("/metrics is without %s", want)
		}
	}
	if a := s.Do("GET", "/metrics", ""); a.Status != 404 {
		t.Errorf("clients can read /metrics: %d", a.Status)
	}
}

func TestHealth(t *testing.T) {
	s := servertest.Start(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.Do("GET", path, ""); a.Status != 200 || a.Body != "ok\n" {
			t.Errorf("%s: %d %q", path, a.Status, a.Body)
		}
	}
	if err := s.Store().Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.Do("GET", "/readyz", ""); a.Status != 503 {
		t.Errorf("without a database /readyz is %d", a.Status)
	}
}

func TestTargetsThatAreNoPathsAreRefused(t *testing.T) {
	s := servertest.Start(t)
	for _, target := range []string{"http://other.example/v3", "*"} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RequestURI = target
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != 400 {
			t.Errorf("%s: %d", target, rec.Code)
		}
	}
}
