// Package aitraining pretends to be OVHcloud's AI Training in one region: jobs, and beside them notebooks and apps.
//
// Nothing is trained. A job waits, starts, runs and ends by Config.Now alone: one with a command is done after ten seconds, one
// without runs until it is killed or its timeout comes.
package aitraining

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Config configures a Service.
type Config struct {
	Region    string           // names the region, in the addresses of what runs
	Dir       string           // where the state is kept; "": nowhere
	Now       func() time.Time // nil: time.Now
	PublicURL string           // the endpoint's root as clients know it; no answer needs it
	MaxGPUs   int              // what one project's running work may have; 0: 8
}

// A Service is the AI service of one region.
type Service struct {
	c      Config
	store  rest.Store
	router *rest.Router

	mu   sync.Mutex
	work map[kind]map[string]*workload // guarded by mu
}

// A kind is what the API has a collection of.
type kind string

const (
	job      kind = "job"
	notebook kind = "notebook"
	app      kind = "app"
)

// A workload is a job, a notebook or an app. Its state follows from when it was started and stopped.
type workload struct {
	ID, Project, User    string
	CreatedAt, UpdatedAt time.Time
	StartedAt            time.Time // when it was last queued
	StoppedAt            time.Time // when it was told to stop; zero: it was not
	Spec                 spec
}

// A spec is what a client asks for.
type spec struct {
	Name               string            `json:"name"`
	Image              string            `json:"image,omitempty"`
	Command            []string          `json:"command"`
	EnvVars            []envVar          `json:"envVars"`
	Env                map[string]any    `json:"env,omitempty"` // a notebook's framework and editor
	Labels             map[string]string `json:"labels"`
	Resources          resources         `json:"resources"`
	Volumes            []map[string]any  `json:"volumes"`
	SSHPublicKeys      []string          `json:"sshPublicKeys"`
	Timeout            int64             `json:"timeout"` // seconds
	TimeoutAutoRestart bool              `json:"timeoutAutoRestart"`
	UnsecureHTTP       bool              `json:"unsecureHttp"`
	DefaultHTTPPort    int               `json:"defaultHttpPort"`
	GRPCPort           int               `json:"grpcPort,omitzero"`
}

type envVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type resources struct {
	CPU              int    `json:"cpu"`
	GPU              int    `json:"gpu"`
	Memory           int64  `json:"memory,omitzero"`
	Flavor           string `json:"flavor"`
	EphemeralStorage int64  `json:"ephemeralStorage,omitzero"`
}

const (
	queued         = 1 * time.Second
	initializing   = 2 * time.Second
	running        = 10 * time.Second // of a job with a command
	interrupting   = 1 * time.Second
	defaultTimeout = 604800
	defaultPort    = 8080
)

// New opens the Service with what an earlier one left in Dir.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxGPUs == 0 {
		c.MaxGPUs = 8
	}
	s := &Service{c: c, store: rest.NewStore(c.Dir, "aitraining", c.Region), work: map[kind]map[string]*workload{}}
	if err := s.store.Load(&s.work); err != nil {
		return nil, err
	}
	for _, k := range []kind{job, notebook, app} {
		if s.work[k] == nil {
			s.work[k] = map[string]*workload{}
		}
	}
	s.router = s.routes()
	return s, nil
}

// Close saves the state.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Save(s.work)
}

// A step is a state and since when.
type step struct {
	State string    `json:"state"`
	Date  time.Time `json:"date"`
}

// history gives what a workload has gone through up to now, the last being its state.
func (w *workload) history(k kind, now time.Time) []step {
	begin := w.StartedAt
	all := []step{{"QUEUED", begin}, {"INITIALIZING", begin.Add(queued)}, {"RUNNING", begin.Add(initializing)}}
	stopping, stopped := "STOPPING", "STOPPED"
	if k == job {
		stopping, stopped = "INTERRUPTING", "INTERRUPTED"
		if len(w.Spec.Command) > 0 {
			all = append(all, step{"FINALIZING", begin.Add(initializing + running)}, step{"DONE", begin.Add(initializing + running + time.Second)})
		} else {
			all = append(all, step{"TIMEOUT", begin.Add(initializing + time.Duration(w.Spec.Timeout)*time.Second)})
		}
	}
	if k == notebook {
		all = []step{{"STARTING", begin}, {"RUNNING", begin.Add(initializing)}}
	}
	if !w.StoppedAt.IsZero() {
		all = slices.DeleteFunc(all, func(s step) bool { return s.Date.After(w.StoppedAt) })
		all = append(all, step{stopping, w.StoppedAt}, step{stopped, w.StoppedAt.Add(interrupting)})
	}
	return slices.DeleteFunc(all, func(s step) bool { return s.Date.After(now) })
}

func (w *workload) state(k kind, now time.Time) string {
	h := w.history(k, now)
	if len(h) == 0 {
		return "QUEUED"
	}
	return h[len(h)-1].State
}

// over reports whether a state is one that nothing but a new start leads out of.
func over(state string) bool {
	return slices.Contains([]string{"DONE", "INTERRUPTED", "TIMEOUT", "STOPPED"}, state)
}

func invalid(format string, args ...any) error {
	return rest.Errorf(http.StatusBadRequest, format, args...)
}

// findLocked gives a project's workload or a 404.
func (s *Service) findLocked(k kind, r *rest.Request) (*workload, error) {
	w, ok := s.work[k][r.Param("id")]
	if !ok || w.Project != r.ProjectID {
		return nil, rest.Errorf(http.StatusNotFound, "%s %s not found", k, r.Param("id"))
	}
	return w, nil
}

// gpusLocked counts the GPUs of a project's work that is not over.
func (s *Service) gpusLocked(project string) int {
	n, now := 0, s.c.Now()
	for k, all := range s.work {
		for _, w := range all {
			if w.Project == project && !over(w.state(k, now)) {
				n += w.Spec.Resources.GPU
			}
		}
	}
	return n
}

func (w *workload) view(k kind, region string, now time.Time) map[string]any {
	history := w.history(k, now)
	state := w.state(k, now)
	status := map[string]any{
		"state": state, "queuedAt": w.StartedAt.UTC(), "history": history, "startedAt": nil, "stoppedAt": nil, "exitCode": nil, "dataSync": []any{},
		"url": "https://" + w.ID + "." + string(k) + "." + region + ".ai.sandbox.invalid", "sshUrl": "ssh://" + w.ID + "@" + region + ".ai.sandbox.invalid",
		"infoUrl": "https://ui." + region + ".ai.sandbox.invalid/" + string(k) + "/" + w.ID, "info": map[string]string{"code": string(k) + "_" + state, "message": ""},
	}
	for _, h := range history {
		if h.State == "RUNNING" {
			status["startedAt"] = h.Date.UTC()
		}
		if over(h.State) {
			status["stoppedAt"] = h.Date.UTC()
		}
		if h.State == "DONE" {
			status["exitCode"] = 0
		}
	}
	spec := w.Spec
	spec.Labels = maps.Clone(spec.Labels)
	return map[string]any{
		"id": w.ID, "user": w.User, "createdAt": w.CreatedAt.UTC(), "updatedAt": w.UpdatedAt.UTC(), "spec": spec, "status": status,
	}
}
