package volume

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// attachmentLocked finds a project's attachment and its place in its volume.
func (s *Service) attachmentLocked(project, id string) (*Volume, int, error) {
	for _, v := range s.state.Volumes {
		if at := slices.IndexFunc(v.Attachments, func(a Attachment) bool { return a.ID == id }); at >= 0 && v.Project == project {
			return v, at, nil
		}
	}
	return nil, 0, notFound("Volume attachment could not be found with filter: attachment_id = %s.", id)
}

func (s *Service) attachmentView(v *Volume, a Attachment) map[string]any {
	view := map[string]any{
		"id": a.ID, "status": "attached", "instance": a.ServerID, "volume_id": v.ID, "attached_at": rest.TimeMicro(a.AttachedAt), "detached_at": nil,
		"attach_mode": a.Mode, "connection_info": s.connectionInfo(v)["data"],
	}
	if a.Reserved {
		view["status"], view["attached_at"], view["connection_info"] = "reserved", nil, map[string]any{}
	}
	return view
}

func (s *Service) listAttachments(w http.ResponseWriter, r *rest.Request) error {
	var items []item
	for _, v := range s.state.Volumes {
		for _, a := range v.Attachments {
			if v.Project == r.ProjectID {
				view := s.attachmentView(v, a)
				status, _ := view["status"].(string)
				items = append(items, item{a.ID, a.AttachedAt, map[string]string{
					"id": a.ID, "volume_id": v.ID, "instance_id": a.ServerID, "status": status,
				}, nil, view})
			}
		}
	}
	whole := *r
	whole.Request = r.Request.Clone(r.Context())
	whole.Request.URL = &url.URL{Path: "/v3/attachments/detail", RawQuery: r.URL.RawQuery}
	return s.writeList(w, &whole, "attachments", items)
}

func (s *Service) createAttachment(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Attachment struct {
			Volume    string         `json:"volume_uuid"`
			Server    *string        `json:"instance_uuid"`
			Connector map[string]any `json:"connector"`
			Mode      *string        `json:"mode"`
		} `json:"attachment"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	in := body.Attachment
	v, err := s.volumeLocked(r.ProjectID, in.Volume)
	if err != nil {
		return err
	}
	mode := "rw"
	if first(in.Mode) == "ro" {
		mode = "ro"
	}
	a, err := s.attachLocked(v, first(in.Server), "", mode)
	if err != nil {
		return err
	}
	last := &v.Attachments[len(v.Attachments)-1]
	last.Reserved = len(in.Connector) == 0
	a.Reserved = last.Reserved
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"attachment": s.attachmentView(v, a)})
}

func (s *Service) showAttachment(w http.ResponseWriter, r *rest.Request) error {
	v, at, err := s.attachmentLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"attachment": s.attachmentView(v, v.Attachments[at])})
}

func (s *Service) updateAttachment(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Attachment struct {
			Connector map[string]any `json:"connector"`
		} `json:"attachment"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if len(body.Attachment.Connector) == 0 {
		return invalid("Invalid input received: Volume attachment needs a connector.")
	}
	v, at, err := s.attachmentLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	v.Attachments[at].Reserved = false
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"attachment": s.attachmentView(v, v.Attachments[at])})
}

func (s *Service) deleteAttachment(w http.ResponseWriter, r *rest.Request) error {
	v, at, err := s.attachmentLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	v.Attachments = slices.Delete(v.Attachments, at, at+1)
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"attachments": []any{}})
}

func (s *Service) completeAttachment(w http.ResponseWriter, r *rest.Request) error {
	v, at, err := s.attachmentLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	v.Attachments[at].Reserved = false
	return rest.NoContent(w, r, http.StatusNoContent)
}
