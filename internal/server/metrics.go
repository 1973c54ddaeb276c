package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stackgate/stackgate/internal/web"
)

// metrics are what Prometheus sees. Labels are bounded: the face, the method if it is a known one, the status.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stackgate_requests_total", Help: "Requests answered, by face, method and status.",
		}, []string{"face", "method", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stackgate_request_seconds", Help: "Time to answer a request, in seconds, by face.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 10},
		}, []string{"face"}),
	}
	m.registry.MustRegister(m.requests, m.latency, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(e *web.Event) {
	face := faceOf(e.Path)
	m.requests.WithLabelValues(face, methodOf(e.Method), strconv.Itoa(e.Status)).Inc()
	m.latency.WithLabelValues(face).Observe(time.Since(e.Start).Seconds())
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

func faceOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "role-adapter", "auth":
		return "oidc"
	case "v1", "v2", "1.0":
		return "api"
	case "v3", "OS-FEDERATION", "":
		return "keystone"
	case "healthz", "readyz":
		return "health"
	}
	return "gateway"
}

func methodOf(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "COPY", "OPTIONS":
		return m
	}
	return "other"
}
