package volume

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A snapshot is a volume as it was.
type snapshot struct {
	ID, Project, User, VolumeID string
	Name, Description, Type     string
	Size                        int
	Bootable                    bool
	Metadata, ImageMetadata     map[string]string
	CreatedAt, UpdatedAt        time.Time
	Life                        life
}

func (s *Service) snapshotLocked(project, id string) (*snapshot, error) {
	x, ok := s.state.Snapshots[id]
	if !ok || x.Project != project {
		return nil, notFound("Snapshot %s could not be found.", id)
	}
	return x, nil
}

func (s *Service) latestSnapshot(volume string) string {
	var latest *snapshot
	for _, x := range s.state.Snapshots {
		if x.VolumeID == volume && (latest == nil || x.CreatedAt.After(latest.CreatedAt)) {
			latest = x
		}
	}
	if latest == nil {
		return ""
	}
	return latest.ID
}

func (s *Service) snapshotView(r *rest.Request, x *snapshot) map[string]any {
	view := map[string]any{
		"id": x.ID, "name": x.Name, "description": orNull(x.Description), "volume_id": x.VolumeID, "size": x.Size, "metadata": orEmpty(x.Metadata),
		"status": x.Life.status(s.c.Now(), "available"), "created_at": rest.TimeMicro(x.CreatedAt), "updated_at": rest.TimeMicro(x.UpdatedAt),
		"os-extended-snapshot-attributes:project_id": x.Project, "os-extended-snapshot-attributes:progress": "100%",
	}
	if minor(r) >= 14 {
		view["group_snapshot_id"] = nil
	}
	if minor(r) >= 41 {
		view["user_id"] = x.User
	}
	if minor(r) >= 65 {
		view["consumes_quota"] = true
	}
	return view
}

func (s *Service) listSnapshots(w http.ResponseWriter, r *rest.Request) error {
	var items []item
	for _, x := range s.state.Snapshots {
		if x.Project == r.ProjectID {
			items = append(items, item{x.ID, x.CreatedAt, map[string]string{
				"id": x.ID, "name": x.Name, "display_name": x.Name, "status": x.Life.status(s.c.Now(), "available"), "volume_id": x.VolumeID,
				"size": strconv.Itoa(x.Size), "description": x.Description,
			}, x.Metadata, s.snapshotView(r, x)})
		}
	}
	return s.writeSnapshots(w, r, items)
}

// writeSnapshots is writeList with what a brief list of snapshots has and other brief lists have not.
func (s *Service) writeSnapshots(w http.ResponseWriter, r *rest.Request, items []item) error {
	whole := r.Request.Clone(r.Context())
	if p := whole.URL.Path; p[len(p)-1] == 's' {
		whole.URL.Path += "/detail"
		for _, i := range items {
			delete(i.view, "os-extended-snapshot-attributes:project_id")
			delete(i.view, "os-extended-snapshot-attributes:progress")
		}
	}
	detailed := *r
	detailed.Request = whole
	return s.writeList(w, &detailed, "snapshots", items)
}

func (s *Service) createSnapshot(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Snapshot *struct {
			VolumeID    string            `json:"volume_id"`
			Name        *string           `json:"name"`
			DisplayName *string           `json:"display_name"`
			Description *string           `json:"description"`
			Force       *rest.Bool        `json:"force"`
			Metadata    map[string]string `json:"metadata"`
		} `json:"snapshot"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	in := body.Snapshot
	if in == nil {
		return invalid("Missing required element 'snapshot' in request body.")
	}
	if err := checkTexts(first(in.Name, in.DisplayName), first(in.Description), in.Metadata); err != nil {
		return err
	}
	v, err := s.volumeLocked(r.ProjectID, in.VolumeID)
	if err != nil {
		return err
	}
	force := in.Force != nil && bool(*in.Force)
	if minor(r) >= 66 && in.Force != nil && !force {
		return invalid("Invalid input for field/attribute force. Value: False. Since microversion 3.66 the 'force' option is invalid for this request.")
	}
	status := v.status(s.c.Now())
	if status != "available" && (status != "in-use" || !force && minor(r) < 66) {
		return invalid("Invalid volume: Volume %s status must be available, but current status is: %s.", v.ID, status)
	}
	if err := s.snapshotRoomLocked(r.ProjectID, v.Size); err != nil {
		return err
	}
	now := s.c.Now()
	x := &snapshot{
		ID: rest.NewID(), Project: r.ProjectID, User: r.UserID, VolumeID: v.ID, Name: first(in.Name, in.DisplayName), Description: first(in.Description),
		Type: v.Type, Size: v.Size, Bootable: v.Bootable, Metadata: in.Metadata, ImageMetadata: maps.Clone(v.ImageMetadata), CreatedAt: now, UpdatedAt: now,
	}
	x.Life.begin("creating", s.after(short))
	s.state.Snapshots[x.ID] = x
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"snapshot": s.snapshotView(r, x)})
}

func (s *Service) showSnapshot(w http.ResponseWriter, r *rest.Request) error {
	x, err := s.snapshotLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"snapshot": s.snapshotView(r, x)})
}

func (s *Service) updateSnapshot(w http.ResponseWriter, r *rest.Request) error {
	x, err := s.snapshotLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	u, err := readUpdate(w, r, "snapshot")
	if err != nil {
		return err
	}
	u.apply(&x.Name, &x.Description, nil)
	x.UpdatedAt = s.c.Now()
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"snapshot": s.snapshotView(r, x)})
}

func (s *Service) deleteSnapshot(w http.ResponseWriter, r *rest.Request) error {
	x, err := s.snapshotLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	if status := x.Life.status(s.c.Now(), "available"); status != "available" {
		return invalid("Invalid snapshot: Snapshot status must be one of available, error, and must not be part of a group.")
	}
	x.Life.end(s.after(short))
	return rest.NoContent(w, r, http.StatusAccepted)
}
