package aitraining

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	maxBody  = 1 << 20
	maxWork  = 1000 // of one project and kind
	maxItems = 1000 // of a map or list in a spec
	maxText  = 4096
	maxPage  = 1000
)

// ServeHTTP answers one call. Paths are those behind the endpoint's root.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := web.ReadBody(w, r, maxBody)
	if err != nil {
		rest.JSONError(w, r, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // read before the lock is taken, so that a slow client holds up nobody
	s.router.ServeHTTP(w, r)
}

func (s *Service) routes() *rest.Router {
	rt := rest.NewRouter(rest.JSONError)
	handle := func(pattern string, h rest.Handler) { rt.Handle(pattern, s.locked(h)) }
	for _, k := range []kind{job, notebook, app} {
		path, stop := "/v1/"+string(k), "/stop"
		if k == job {
			stop = "/kill"
		}
		handle("GET "+path, s.list(k))
		handle("POST "+path, s.create(k))
		handle("GET "+path+"/{id}", s.show(k))
		handle("PUT "+path+"/{id}", s.update(k))
		handle("DELETE "+path+"/{id}", s.delete(k))
		handle("PUT "+path+"/{id}"+stop, s.stop(k))
		handle("PUT "+path+"/{id}/start", s.start(k))
		handle("PUT "+path+"/{id}/label", s.label(k))
		handle("POST "+path+"/{id}/datasync", s.dataSync(k))
		if k != notebook {
			handle("GET "+path+"/{id}/log", s.log(k))
		}
	}
	handle("POST /v1/job/command", s.command)
	handle("GET /v1/me", s.me)
	handle("GET /v1/capabilities/flavor", plain(flavors()))
	handle("GET /v1/capabilities/flavor/{id}", s.flavor)
	handle("GET /v1/capabilities/preset", plain([]any{}))
	handle("GET /v1/capabilities/quota", s.quota)
	handle("GET /v1/capabilities/job/image", plain(images()))
	handle("GET /v1/capabilities/app/image", plain(images()))
	handle("GET /v1/capabilities/notebook/editor", plain([]map[string]any{{"id": "jupyterlab", "name": "JupyterLab"}, {"id": "vscode", "name": "VS Code"}}))
	handle("GET /v1/capabilities/notebook/framework", plain([]map[string]any{{"id": "pytorch", "name": "PyTorch", "versions": []string{"2.4"}}, {"id": "tensorflow", "name": "TensorFlow", "versions": []string{"2.17"}}}))
	handle("GET /v1/volume", plain([]any{}))
	handle("GET /v1/registry", plain([]any{}))
	handle("GET /v1/token", plain(map[string]any{"items": []any{}, "total": 0}))
	return rt
}

// locked refuses who has not said who it is and runs a handler with the mutex held.
func (s *Service) locked(h rest.Handler) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		if r.ProjectID == "" {
			return rest.Errorf(http.StatusUnauthorized, "Authentication is required")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return h(w, r)
	}
}

func plain(v any) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error { return rest.WriteJSON(w, r, http.StatusOK, v) }
}

func (s *Service) list(k kind) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		q, now := r.URL.Query(), s.c.Now()
		var all []*workload
		for _, x := range s.work[k] {
			if x.Project == r.ProjectID {
				all = append(all, x)
			}
		}
		all, err := narrowed(all, k, q, now)
		if err != nil {
			return err
		}
		if err := sorted(all, k, q, now); err != nil {
			return err
		}
		page, size, err := paging(q)
		if err != nil {
			return err
		}
		items := []any{}
		for _, x := range all[min(len(all), (page-1)*size):min(len(all), page*size)] {
			items = append(items, x.view(k, s.c.Region, now))
		}
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"items": items, "total": len(all)})
	}
}

func paging(q url.Values) (page, size int, err error) {
	page, size = 1, 100
	for name, to := range map[string]*int{"page": &page, "size": &size} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > 1_000_000 || name == "size" && n > maxPage {
				return 0, 0, invalid("%s must be a whole number from 1, and size at most %d", name, maxPage)
			}
			*to = n
		}
	}
	return page, size, nil
}

// narrowed keeps what the query asks for: states, user, labels as key=value, and when it last changed.
func narrowed(all []*workload, k kind, q url.Values, now time.Time) ([]*workload, error) {
	times := map[string]time.Time{}
	for _, name := range []string{"updatedAfter", "updatedBefore"} {
		if text := q.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, invalid("%s must be a time such as 2026-09-01T12:00:00Z", name)
			}
			times[name] = t
		}
	}
	after, before := times["updatedAfter"], times["updatedBefore"]
	return slices.DeleteFunc(all, func(w *workload) bool {
		for item := range strings.SplitSeq(q.Get("labelSelector"), ",") {
			name, value, ok := strings.Cut(item, "=")
			if has, there := w.Spec.Labels[name]; ok && (!there || has != value) {
				return true
			}
		}
		states, user := q["statusState"], q.Get("userName")
		return len(states) > 0 && !slices.Contains(states, w.state(k, now)) || user != "" && w.User != user ||
			!after.IsZero() && !w.UpdatedAt.After(after) || !before.IsZero() && !w.UpdatedAt.Before(before)
	}), nil
}

func sorted(all []*workload, k kind, q url.Values, now time.Time) error {
	sign := map[string]int{"": -1, "desc": -1, "asc": 1}[strings.ToLower(q.Get("order"))]
	by, ok := map[string]func(a, b *workload) int{
		"":            func(a, b *workload) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"createdAt":   func(a, b *workload) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"updatedAt":   func(a, b *workload) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
		"name":        func(a, b *workload) int { return cmp.Compare(a.Spec.Name, b.Spec.Name) },
		"statusState": func(a, b *workload) int { return cmp.Compare(a.state(k, now), b.state(k, now)) },
	}[q.Get("sort")]
	if sign == 0 || !ok {
		return invalid("sort must be createdAt, updatedAt, name or statusState, and order asc or desc")
	}
	slices.SortFunc(all, func(a, b *workload) int { return cmp.Or(sign*by(a, b), cmp.Compare(a.ID, b.ID)) })
	return nil
}

// readSpec reads what a client asks for over what is there, and checks it.
func readSpec(w http.ResponseWriter, r *rest.Request, k kind, into *spec) error {
	if err := rest.Read(w, r, into); err != nil {
		return err
	}
	if k != notebook && into.Image == "" {
		return invalid("image is required")
	}
	if err := into.check(); err != nil {
		return err
	}
	into.fill()
	return nil
}

func (p *spec) check() error {
	if p.Resources.Flavor != "" && !slices.ContainsFunc(flavors(), func(f map[string]any) bool { return f["id"] == p.Resources.Flavor }) {
		return invalid("flavor %.100q does not exist", p.Resources.Flavor)
	}
	if p.Resources.CPU < 0 || p.Resources.CPU > 1000 || p.Resources.GPU < 0 || p.Resources.GPU > 1000 || p.Resources.Memory < 0 {
		return invalid("resources must be numbers from 0 to 1000")
	}
	if p.Timeout < 0 || p.Timeout > 10*defaultTimeout {
		return invalid("timeout must be from 0 to %d seconds", 10*defaultTimeout)
	}
	if p.DefaultHTTPPort < 0 || p.DefaultHTTPPort > 65535 || p.GRPCPort < 0 || p.GRPCPort > 65535 {
		return invalid("a port must be from 1 to 65535")
	}
	if utf8.RuneCountInString(p.Name) > 255 || len(p.Image) > maxText {
		return invalid("name and image must not be longer than 255 and %d characters", maxText)
	}
	if max(len(p.Command), len(p.EnvVars), len(p.Labels), len(p.Volumes), len(p.SSHPublicKeys)) > maxItems {
		return invalid("a list must not have more than %d entries", maxItems)
	}
	for _, e := range p.EnvVars {
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") {
			return invalid("the environment variable %.100q has no usable name", e.Name)
		}
	}
	return nil
}

func (p *spec) fill() {
	p.Timeout = cmp.Or(p.Timeout, defaultTimeout)
	p.DefaultHTTPPort = cmp.Or(p.DefaultHTTPPort, defaultPort)
	if p.Resources.CPU == 0 && p.Resources.GPU == 0 {
		p.Resources.CPU = 1
	}
	if p.Resources.Flavor == "" {
		p.Resources.Flavor = "ai1-1-cpu"
		if p.Resources.GPU > 0 {
			p.Resources.Flavor = "ai1-1-gpu"
		}
	}
}

func (s *Service) create(k kind) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		now := s.c.Now()
		x := &workload{ID: rest.NewID(), Project: r.ProjectID, User: user(r), CreatedAt: now, UpdatedAt: now, StartedAt: now}
		if err := readSpec(w, r, k, &x.Spec); err != nil {
			return err
		}
		x.Spec.Name = cmp.Or(x.Spec.Name, string(k)+"-"+x.ID[:8])
		n := 0
		for _, other := range s.work[k] {
			if other.Project == r.ProjectID {
				n++
			}
		}
		if n >= maxWork {
			return rest.Errorf(http.StatusForbidden, "Quota exceeded: a project has at most %d of its kind", maxWork)
		}
		if err := s.room(r.ProjectID, x.Spec.Resources.GPU); err != nil {
			return err
		}
		s.work[k][x.ID] = x
		return rest.WriteJSON(w, r, http.StatusOK, x.view(k, s.c.Region, now))
	}
}

func (s *Service) room(project string, gpus int) error {
	if used := s.gpusLocked(project); gpus > 0 && used+gpus > s.c.MaxGPUs {
		return rest.Errorf(http.StatusForbidden, "Quota exceeded: %d GPUs asked for, %d of %d in use", gpus, used, s.c.MaxGPUs)
	}
	return nil
}

// user names who asks as a person would be named here.
func user(r *rest.Request) string { return cmp.Or(r.Header.Get("X-User-Name"), r.UserID) }

// with finds the workload of the path and answers with it as it is after f.
func (s *Service) with(k kind, f func(w http.ResponseWriter, r *rest.Request, x *workload) error) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		x, err := s.findLocked(k, r)
		if err != nil {
			return err
		}
		if err := f(w, r, x); err != nil {
			return err
		}
		return rest.WriteJSON(w, r, http.StatusOK, x.view(k, s.c.Region, s.c.Now()))
	}
}

func (s *Service) show(k kind) rest.Handler {
	return s.with(k, func(http.ResponseWriter, *rest.Request, *workload) error { return nil })
}

// update replaces what is asked for; what runs must be stopped first.
func (s *Service) update(k kind) rest.Handler {
	return s.with(k, func(w http.ResponseWriter, r *rest.Request, x *workload) error {
		if state := x.state(k, s.c.Now()); !over(state) {
			return invalid("%s %s is %s: stop it first", k, x.ID, state)
		}
		next := spec{Name: x.Spec.Name, Image: x.Spec.Image}
		if err := readSpec(w, r, k, &next); err != nil {
			return err
		}
		x.Spec, x.UpdatedAt = next, s.c.Now()
		return nil
	})
}

func (s *Service) stop(k kind) rest.Handler {
	return s.with(k, func(_ http.ResponseWriter, _ *rest.Request, x *workload) error {
		state := x.state(k, s.c.Now())
		if over(state) || !x.StoppedAt.IsZero() {
			return invalid("%s %s is %s and cannot be stopped", k, x.ID, state)
		}
		x.StoppedAt, x.UpdatedAt = s.c.Now(), s.c.Now()
		return nil
	})
}

func (s *Service) start(k kind) rest.Handler {
	return s.with(k, func(_ http.ResponseWriter, r *rest.Request, x *workload) error {
		if state := x.state(k, s.c.Now()); !over(state) {
			return invalid("%s %s is %s and cannot be started", k, x.ID, state)
		}
		if err := s.room(r.ProjectID, x.Spec.Resources.GPU); err != nil {
			return err
		}
		x.StartedAt, x.StoppedAt, x.UpdatedAt = s.c.Now(), time.Time{}, s.c.Now()
		return nil
	})
}

// label sets a label, or removes it when there is no value.
func (s *Service) label(k kind) rest.Handler {
	return s.with(k, func(w http.ResponseWriter, r *rest.Request, x *workload) error {
		var body struct {
			Name  string  `json:"name"`
			Value *string `json:"value"`
		}
		if err := rest.Read(w, r, &body); err != nil {
			return err
		}
		if body.Name == "" || len(body.Name) > maxText || body.Value != nil && len(*body.Value) > maxText {
			return invalid("a label needs a name, and name and value at most %d bytes", maxText)
		}
		if body.Value == nil {
			delete(x.Spec.Labels, body.Name)
		} else {
			if len(x.Spec.Labels) >= maxItems {
				return invalid("there are %d labels already", maxItems)
			}
			if x.Spec.Labels == nil {
				x.Spec.Labels = map[string]string{}
			}
			x.Spec.Labels[body.Name] = *body.Value
		}
		x.UpdatedAt = s.c.Now()
		return nil
	})
}

func (s *Service) dataSync(k kind) rest.Handler {
	return s.with(k, func(_ http.ResponseWriter, _ *rest.Request, x *workload) error {
		if state := x.state(k, s.c.Now()); state != "RUNNING" {
			return invalid("%s %s is %s: data is synchronised while it runs", k, x.ID, state)
		}
		return nil
	})
}

func (s *Service) delete(k kind) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		x, err := s.findLocked(k, r)
		if err != nil {
			return err
		}
		force, _ := strconv.ParseBool(r.URL.Query().Get("force"))
		if state := x.state(k, s.c.Now()); !over(state) && !force {
			return invalid("%s %s is %s: stop it first", k, x.ID, state)
		}
		delete(s.work[k], x.ID)
		return rest.NoContent(w, r, http.StatusNoContent)
	}
}

// log tells what the pretence did, one line per state.
func (s *Service) log(k kind) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		x, err := s.findLocked(k, r)
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, h := range x.history(k, s.c.Now()) {
			fmt.Fprintf(&b, "%s %s %s\n", h.Date.UTC().Format(time.RFC3339), k, strings.ToLower(h.State))
			if h.State == "RUNNING" && len(x.Spec.Command) > 0 {
				fmt.Fprintf(&b, "%s the sandbox runs nothing; asked for: %q\n", h.Date.UTC().Format(time.RFC3339), x.Spec.Command)
			}
		}
		rest.SetRequestID(w, r.Request)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, b.String()) // a client that went away is no error of ours
		return nil
	}
}

// command prints what one would type to get the same job.
func (s *Service) command(w http.ResponseWriter, r *rest.Request) error {
	var p spec
	if err := readSpec(w, r, job, &p); err != nil {
		return err
	}
	line := []string{"ovhai", "job", "run", p.Image, "--flavor", p.Resources.Flavor}
	if p.Resources.GPU > 0 {
		line = append(line, "--gpu", strconv.Itoa(p.Resources.GPU))
	} else {
		line = append(line, "--cpu", strconv.Itoa(p.Resources.CPU))
	}
	if p.Name != "" {
		line = append(line, "--name", strconv.Quote(p.Name))
	}
	if len(p.Command) > 0 {
		line = append(line, "--")
		line = append(line, p.Command...)
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]string{"command": strings.Join(line, " ")})
}
