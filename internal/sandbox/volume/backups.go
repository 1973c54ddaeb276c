package volume

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A backup is a copy of a volume that outlives it.
type backup struct {
	ID, Project, User          string
	VolumeID, SnapshotID, Type string
	Name, Description, Where   string
	Size                       int
	Incremental, Bootable      bool
	Metadata, ImageMetadata    map[string]string
	CreatedAt, UpdatedAt       time.Time
	Life                       life
	Parent                     string // the backup that an incremental one adds to
}

func (s *Service) backupLocked(project, id string) (*backup, error) {
	b, ok := s.state.Backups[id]
	if !ok || b.Project != project {
		return nil, notFound("Backup %s could not be found.", id)
	}
	return b, nil
}

// fill makes a volume hold what the backup does.
func (b *backup) fill(v *Volume) {
	v.Bootable, v.ImageMetadata = b.Bootable, maps.Clone(b.ImageMetadata)
}

func (s *Service) dependents(b *backup) bool {
	for _, x := range s.state.Backups {
		if x.Parent == b.ID && !x.Life.Gone {
			return true
		}
	}
	return false
}

func (s *Service) backupView(r *rest.Request, b *backup) map[string]any {
	view := map[string]any{
		"id": b.ID, "name": b.Name, "description": orNull(b.Description), "volume_id": b.VolumeID, "snapshot_id": orNull(b.SnapshotID), "size": b.Size,
		"status": b.Life.status(s.c.Now(), "available"), "container": b.Where, "availability_zone": "nova", "object_count": 1 + b.Size, "fail_reason": nil,
		"is_incremental": b.Incremental, "has_dependent_backups": s.dependents(b), "created_at": rest.TimeMicro(b.CreatedAt),
		"updated_at": rest.TimeMicro(b.UpdatedAt), "data_timestamp": rest.TimeMicro(b.CreatedAt), "links": s.links(r, "backups", b.ID),
	}
	if minor(r) >= 43 {
		view["metadata"] = orEmpty(b.Metadata)
	}
	if minor(r) >= 56 {
		view["user_id"] = b.User
	}
	if minor(r) >= 64 {
		view["encryption_key_id"] = nil
	}
	return view
}

func (s *Service) listBackups(w http.ResponseWriter, r *rest.Request) error {
	var items []item
	for _, b := range s.state.Backups {
		if b.Project == r.ProjectID {
			items = append(items, item{b.ID, b.CreatedAt, map[string]string{
				"id": b.ID, "name": b.Name, "status": b.Life.status(s.c.Now(), "available"), "volume_id": b.VolumeID, "size": strconv.Itoa(b.Size),
			}, b.Metadata, s.backupView(r, b)})
		}
	}
	return s.writeList(w, r, "backups", items)
}

func (s *Service) createBackup(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Backup *struct {
			VolumeID    string            `json:"volume_id"`
			SnapshotID  *string           `json:"snapshot_id"`
			Name        *string           `json:"name"`
			Description *string           `json:"description"`
			Container   *string           `json:"container"`
			Force       *rest.Bool        `json:"force"`
			Incremental *rest.Bool        `json:"incremental"`
			Metadata    map[string]string `json:"metadata"`
		} `json:"backup"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	in := body.Backup
	if in == nil {
		return invalid("Missing required element 'backup' in request body.")
	}
	if err := checkTexts(first(in.Name), first(in.Description), in.Metadata); err != nil {
		return err
	}
	v, err := s.volumeLocked(r.ProjectID, in.VolumeID)
	if err != nil {
		return err
	}
	now := s.c.Now()
	b := &backup{
		ID: rest.NewID(), Project: r.ProjectID, User: r.UserID, VolumeID: v.ID, SnapshotID: first(in.SnapshotID), Type: v.Type, Name: first(in.Name),
		Description: first(in.Description), Where: first(in.Container), Size: v.Size, Bootable: v.Bootable, Metadata: in.Metadata,
		ImageMetadata: maps.Clone(v.ImageMetadata), CreatedAt: now, UpdatedAt: now,
	}
	if b.Where == "" {
		b.Where = "volumebackups"
	}
	if err := s.checkBackup(b, v, in.Force != nil && bool(*in.Force)); err != nil {
		return err
	}
	if in.Incremental != nil && bool(*in.Incremental) {
		if err := s.incremental(b); err != nil {
			return err
		}
	}
	if err := s.backupRoomLocked(r.ProjectID, b.Size); err != nil {
		return err
	}
	b.Life.begin("creating", s.after(long))
	if b.SnapshotID == "" {
		v.Life.begin("backing-up", s.after(long))
	}
	s.state.Backups[b.ID] = b
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"backup": s.backupView(r, b)})
}

// checkBackup checks that the volume, or its snapshot, can be backed up now.
func (s *Service) checkBackup(b *backup, v *Volume, force bool) error {
	if b.SnapshotID != "" {
		x, err := s.snapshotLocked(b.Project, b.SnapshotID)
		if err != nil {
			return err
		}
		if x.VolumeID != v.ID {
			return invalid("Invalid snapshot: Snapshot %s does not belong to volume %s.", x.ID, v.ID)
		}
		b.Size = x.Size
		return nil
	}
	switch status := v.status(s.c.Now()); {
	case status == "in-use" && !force:
		return invalid("Invalid volume: Backing up an in-use volume must use the force flag.")
	case status != "available" && status != "in-use":
		return invalid("Invalid volume: The volume to be backed up must be available or in-use, but the current status is \"%s\".", status)
	}
	return nil
}

func (s *Service) incremental(b *backup) error {
	var parent *backup
	for _, x := range s.state.Backups {
		ready := x.VolumeID == b.VolumeID && x.Project == b.Project && x.Life.status(s.c.Now(), "available") == "available"
		if ready && (parent == nil || x.CreatedAt.After(parent.CreatedAt)) {
			parent = x
		}
	}
	if parent == nil {
		return invalid("Invalid backup: No backups available to do an incremental backup.")
	}
	b.Incremental, b.Parent = true, parent.ID
	return nil
}

func (s *Service) showBackup(w http.ResponseWriter, r *rest.Request) error {
	b, err := s.backupLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"backup": s.backupView(r, b)})
}

func (s *Service) updateBackup(w http.ResponseWriter, r *rest.Request) error {
	b, err := s.backupLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	u, err := readUpdate(w, r, "backup")
	if err != nil {
		return err
	}
	u.apply(&b.Name, &b.Description, &b.Metadata)
	b.UpdatedAt = s.c.Now()
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"backup": s.backupView(r, b)})
}

func (s *Service) deleteBackup(w http.ResponseWriter, r *rest.Request) error {
	b, err := s.backupLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	if status := b.Life.status(s.c.Now(), "available"); status != "available" {
		return invalid("Invalid backup: Backup status must be available or error")
	}
	if s.dependents(b) {
		return invalid("Invalid backup: Incremental backups exist for this backup.")
	}
	b.Life.end(s.after(short))
	return rest.NoContent(w, r, http.StatusAccepted)
}

// restoreBackup fills the volume that is named, or a new one.
func (s *Service) restoreBackup(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Restore *struct {
			VolumeID *string `json:"volume_id"`
			Name     *string `json:"name"`
		} `json:"restore"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if body.Restore == nil {
		return invalid("Missing required element 'restore' in request body.")
	}
	b, err := s.backupLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	if status := b.Life.status(s.c.Now(), "available"); status != "available" {
		return invalid("Invalid backup: Backup status must be available")
	}
	v, err := s.restoreTarget(r, b, first(body.Restore.VolumeID), first(body.Restore.Name))
	if err != nil {
		return err
	}
	b.fill(v)
	v.Life.begin("restoring-backup", s.after(long))
	b.Life.begin("restoring", s.after(long))
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"restore": map[string]any{
		"backup_id": b.ID, "volume_id": v.ID, "volume_name": v.Name,
	}})
}

func (s *Service) restoreTarget(r *rest.Request, b *backup, id, name string) (*Volume, error) {
	if id == "" {
		if name == "" {
			name = "restore_backup_" + b.ID
		}
		return s.createLocked(Spec{Project: r.ProjectID, User: r.UserID, Name: name, Size: b.Size, Type: b.Type})
	}
	v, err := s.volumeLocked(r.ProjectID, id)
	if err != nil {
		return nil, err
	}
	if v.status(s.c.Now()) != "available" {
		return nil, invalid("Invalid volume: Volume to be restored to must be available")
	}
	if v.Size < b.Size {
		return nil, invalid("Invalid volume: volume size %d is too small to restore backup of size %d.", v.Size, b.Size)
	}
	return v, nil
}
