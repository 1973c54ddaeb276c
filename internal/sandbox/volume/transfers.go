package volume

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A transfer is a volume on its way to whoever knows the key.
type transfer struct {
	ID, VolumeID, Project, Name, Key string
	CreatedAt                        time.Time
}

func (s *Service) transferView(r *rest.Request, t *transfer) map[string]any {
	return map[string]any{
		"id": t.ID, "name": t.Name, "volume_id": t.VolumeID, "created_at": rest.TimeMicro(t.CreatedAt), "links": s.links(r, "os-volume-transfer", t.ID),
	}
}

func (s *Service) transferLocked(project, id string) (*transfer, error) {
	t, ok := s.state.Transfers[id]
	if !ok || project != "" && t.Project != project {
		return nil, notFound("Transfer %s could not be found.", id)
	}
	return t, nil
}

func (s *Service) listTransfers(w http.ResponseWriter, r *rest.Request) error {
	var items []item
	for _, t := range s.state.Transfers {
		if t.Project == r.ProjectID {
			items = append(items, item{t.ID, t.CreatedAt, map[string]string{"id": t.ID, "name": t.Name, "volume_id": t.VolumeID}, nil, s.transferView(r, t)})
		}
	}
	return s.writeList(w, r, "transfers", items)
}

func (s *Service) createTransfer(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Transfer struct {
			VolumeID string  `json:"volume_id"`
			Name     *string `json:"name"`
		} `json:"transfer"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if err := checkTexts(first(body.Transfer.Name), "", nil); err != nil {
		return err
	}
	v, err := s.volumeLocked(r.ProjectID, body.Transfer.VolumeID)
	if err != nil {
		return err
	}
	if v.status(s.c.Now()) != "available" {
		return invalid("Invalid volume: status must be available")
	}
	t := &transfer{rest.NewID(), v.ID, r.ProjectID, first(body.Transfer.Name), rand.Text()[:16], s.c.Now()}
	v.Hold = "awaiting-transfer"
	s.state.Transfers[t.ID] = t
	view := s.transferView(r, t)
	view["auth_key"] = t.Key // shown this once
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"transfer": view})
}

func (s *Service) showTransfer(w http.ResponseWriter, r *rest.Request) error {
	t, err := s.transferLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"transfer": s.transferView(r, t)})
}

func (s *Service) deleteTransfer(w http.ResponseWriter, r *rest.Request) error {
	t, err := s.transferLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	if v := s.state.Volumes[t.VolumeID]; v != nil {
		v.Hold = ""
	}
	delete(s.state.Transfers, t.ID)
	return rest.NoContent(w, r, http.StatusAccepted)
}

// acceptTransfer gives the volume to the project that asks, if it knows the key and has room.
func (s *Service) acceptTransfer(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Accept struct {
			Key string `json:"auth_key"`
		} `json:"accept"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	t, err := s.transferLocked("", r.Param("id"))
	if err != nil {
		return err
	}
	v := s.state.Volumes[t.VolumeID]
	if v == nil {
		return notFound("Volume %s could not be found.", t.VolumeID)
	}
	if subtle.ConstantTimeCompare([]byte(body.Accept.Key), []byte(t.Key)) != 1 {
		return invalid("Invalid auth key: Attempt to transfer %s with invalid auth key.", t.ID)
	}
	if err := s.roomLocked(r.ProjectID, 1, v.Size); err != nil {
		return err
	}
	v.Project, v.User, v.Hold, v.UpdatedAt = r.ProjectID, r.UserID, "", s.c.Now()
	for _, x := range s.state.Snapshots {
		if x.VolumeID == v.ID {
			x.Project = r.ProjectID
		}
	}
	delete(s.state.Transfers, t.ID)
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"transfer": s.transferView(r, t)})
}
