package compute

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Tags.

func (s *Service) listTags(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"tags": append([]string{}, v.Tags...)})
}

func checkTags(tags []string) error {
	if len(tags) > 50 {
		return rest.Errorf(http.StatusBadRequest, "The number of tags exceeded the per-server limit 50")
	}
	for _, t := range tags {
		if t == "" || len(t) > 60 || strings.ContainsAny(t, "/,") {
			return rest.Errorf(http.StatusBadRequest, "Tag '%s' is invalid. It must have 1 to 60 characters other than '/' and ','", t)
		}
	}
	return nil
}

func (s *Service) replaceTags(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var in struct {
		Tags []string `json:"tags"`
	}
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	slices.Sort(in.Tags)
	in.Tags = slices.Compact(in.Tags)
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	v.Tags = in.Tags
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"tags": append([]string{}, v.Tags...)})
}

func (s *Service) clearTags(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	v.Tags = nil
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}

func (s *Service) findTag(c *call) (*server, int, error) {
	v, err := s.find(c)
	if err != nil {
		return nil, 0, err
	}
	at := slices.Index(v.Tags, c.Param("tag"))
	if at < 0 {
		return nil, 0, rest.Errorf(http.StatusNotFound, "Server %s has no tag '%s'", v.ID, c.Param("tag"))
	}
	return v, at, nil
}

func (s *Service) hasTag(w http.ResponseWriter, c *call) error {
	if _, _, err := s.findTag(c); err != nil {
		return err
	}
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}

func (s *Service) addTag(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	if slices.Contains(v.Tags, c.Param("tag")) {
		return rest.NoContent(w, c.Request, http.StatusNoContent)
	}
	tags := append(slices.Clone(v.Tags), c.Param("tag"))
	if err := checkTags(tags); err != nil {
		return err
	}
	v.Tags = tags
	return rest.NoContent(w, c.Request, http.StatusCreated)
}

func (s *Service) dropTag(w http.ResponseWriter, c *call) error {
	v, at, err := s.findTag(c)
	if err != nil {
		return err
	}
	v.Tags = slices.Delete(v.Tags, at, at+1)
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}

// History and password.

func actionView(c *call, v *server, a action) map[string]any {
	m := map[string]any{"action": a.Name, "instance_uuid": v.ID, "message": nil, "project_id": v.ProjectID, "request_id": a.RequestID,
		"start_time": rest.TimeMicro(a.Start), "user_id": a.UserID}
	if c.version >= 58 {
		m["updated_at"] = rest.TimeMicro(a.Finish)
	}
	return m
}

func (s *Service) listActions(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, a := range slices.Backward(v.Actions) {
		views = append(views, actionView(c, v, a))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"instanceActions": views})
}

func (s *Service) showAction(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	for _, a := range v.Actions {
		if a.RequestID != c.Param("request") {
			continue
		}
		m := actionView(c, v, a)
		if c.version >= 51 {
			m["events"] = []map[string]any{{"event": "compute_" + a.Name, "start_time": rest.TimeMicro(a.Start), "finish_time": rest.TimeMicro(a.Finish),
				"result": "Success", "hostId": v.hostID()}}
		}
		return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"instanceAction": m})
	}
	return rest.Errorf(http.StatusNotFound, "Action for request_id %s on instance %s not found", c.Param("request"), v.ID)
}

func (s *Service) showPassword(w http.ResponseWriter, c *call) error {
	if _, err := s.find(c); err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]string{"password": ""})
}

func (s *Service) clearPassword(w http.ResponseWriter, c *call) error {
	if _, err := s.find(c); err != nil {
		return err
	}
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}
