package volume

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// usedLocked counts a project's volumes, the GiB of its volumes and snapshots, and its snapshots.
func (s *Service) usedLocked(project string) (volumes, gigabytes, snapshots int) {
	for _, v := range s.state.Volumes {
		if v.Project == project {
			volumes, gigabytes = volumes+1, gigabytes+v.Size
		}
	}
	for _, x := range s.state.Snapshots {
		if x.Project == project {
			snapshots, gigabytes = snapshots+1, gigabytes+x.Size
		}
	}
	return volumes, gigabytes, snapshots
}

func (s *Service) usedBackups(project string) (n, gigabytes int) {
	for _, b := range s.state.Backups {
		if b.Project == project {
			n, gigabytes = n+1, gigabytes+b.Size
		}
	}
	return n, gigabytes
}

// roomLocked checks that a project may have so many more volumes and GiB.
func (s *Service) roomLocked(project string, volumes, gigabytes int) error {
	n, used, _ := s.usedLocked(project)
	if gigabytes > s.c.Quota.Gigabytes-used {
		return overLimit("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested %dG, quota is %dG "+
			"and %dG has been consumed.", gigabytes, s.c.Quota.Gigabytes, used)
	}
	if n+volumes > s.c.Quota.Volumes {
		return overLimit("VolumeLimitExceeded: Maximum number of volumes allowed (%d) exceeded for quota 'volumes'.", s.c.Quota.Volumes)
	}
	return nil
}

func (s *Service) snapshotRoomLocked(project string, gigabytes int) error {
	if _, _, n := s.usedLocked(project); n >= s.c.Quota.Snapshots {
		return overLimit("SnapshotLimitExceeded: Maximum number of snapshots allowed (%d) exceeded", s.c.Quota.Snapshots)
	}
	return s.roomLocked(project, 0, gigabytes)
}

func (s *Service) backupRoomLocked(project string, gigabytes int) error {
	n, used := s.usedBackups(project)
	if n >= s.c.Quota.Backups {
		return overLimit("BackupLimitExceeded: Maximum number of backups allowed (%d) exceeded", s.c.Quota.Backups)
	}
	if gigabytes > s.c.Quota.BackupGigabytes-used {
		return overLimit("VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested %dG, quota is %dG "+
			"and %dG has been consumed.", gigabytes, s.c.Quota.BackupGigabytes, used)
	}
	return nil
}

func (s *Service) limits(w http.ResponseWriter, r *rest.Request) error {
	volumes, gigabytes, snapshots := s.usedLocked(r.ProjectID)
	backups, backupGigabytes := s.usedBackups(r.ProjectID)
	q := s.c.Quota
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": map[string]int{
		"maxTotalVolumes": q.Volumes, "maxTotalVolumeGigabytes": q.Gigabytes, "maxTotalSnapshots": q.Snapshots, "maxTotalBackups": q.Backups,
		"maxTotalBackupGigabytes": q.BackupGigabytes, "totalVolumesUsed": volumes, "totalGigabytesUsed": gigabytes, "totalSnapshotsUsed": snapshots,
		"totalBackupsUsed": backups, "totalBackupGigabytesUsed": backupGigabytes,
	}}})
}

// quotaSet shows the project's own quota; another's is the administrator's to see.
func (s *Service) quotaSet(w http.ResponseWriter, r *rest.Request) error {
	project := r.Param("id")
	if project != r.ProjectID {
		return adminOnly(w, r)
	}
	volumes, gigabytes, snapshots := s.usedLocked(project)
	backups, backupGigabytes := s.usedBackups(project)
	q := s.c.Quota
	usage, _ := strconv.ParseBool(r.URL.Query().Get("usage"))
	set := map[string]any{"id": project}
	put := func(name string, limit, used int) {
		set[name] = limit
		if usage {
			set[name] = map[string]int{"limit": limit, "in_use": used, "reserved": 0, "allocated": 0}
		}
	}
	put("volumes", q.Volumes, volumes)
	put("gigabytes", q.Gigabytes, gigabytes)
	put("snapshots", q.Snapshots, snapshots)
	put("backups", q.Backups, backups)
	put("backup_gigabytes", q.BackupGigabytes, backupGigabytes)
	put("per_volume_gigabytes", -1, 0)
	put("groups", 10, 0)
	for _, t := range s.types() {
		n, size, snaps := s.usedOfType(project, t.Name)
		put("volumes_"+t.Name, -1, n)
		put("gigabytes_"+t.Name, -1, size)
		put("snapshots_"+t.Name, -1, snaps)
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"quota_set": set})
}

func (s *Service) usedOfType(project, name string) (volumes, gigabytes, snapshots int) {
	for _, v := range s.state.Volumes {
		if v.Project == project && v.Type == name {
			volumes, gigabytes = volumes+1, gigabytes+v.Size
		}
	}
	for _, x := range s.state.Snapshots {
		if x.Project == project && x.Type == name {
			snapshots, gigabytes = snapshots+1, gigabytes+x.Size
		}
	}
	return volumes, gigabytes, snapshots
}

func (t Type) view() map[string]any {
	return map[string]any{
		"id": t.ID, "name": t.Name, "description": t.Description, "is_public": true, "os-volume-type-access:is_public": true, "qos_specs_id": nil,
		"extra_specs": map[string]any{},
	}
}

func (s *Service) listTypes(w http.ResponseWriter, r *rest.Request) error {
	views := []any{}
	if only := r.URL.Query().Get("is_public"); only != "False" && only != "false" {
		for _, t := range s.types() {
			views = append(views, t.view())
		}
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume_types": views})
}

// typeByID is typeOf without its default: only an id, or the word default, names a type in a path.
func (s *Service) typeByID(id string) (Type, error) {
	if id == "default" {
		return s.types()[0], nil
	}
	t, ok := s.typeOf(id)
	if !ok || t.ID != id {
		return Type{}, notFound("Volume type %s could not be found.", id)
	}
	return t, nil
}

func (s *Service) showType(w http.ResponseWriter, r *rest.Request) error {
	t, err := s.typeByID(r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume_type": t.view()})
}

func (s *Service) extraSpecs(w http.ResponseWriter, r *rest.Request) error {
	if _, err := s.typeByID(r.Param("id")); err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extra_specs": map[string]any{}})
}

func (s *Service) zones(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"availabilityZoneInfo": []any{
		map[string]any{"zoneName": "nova", "zoneState": map[string]bool{"available": true}},
	}})
}

func known() []map[string]any {
	var all []map[string]any
	for _, e := range [][3]string{
		{"os-availability-zone", "AvailabilityZones", "Describe availability zones."}, {"backups", "Backups", "Back volumes up and restore them."},
		{"os-quota-sets", "Quotas", "See quotas."}, {"os-types-extra-specs", "TypesExtraSpecs", "See what a volume type stands for."},
		{"os-volume-actions", "VolumeActions", "Act on volumes."}, {"os-volume-transfer", "VolumeTransfer", "Give a volume to another project."},
		{"os-volume-image-metadata", "VolumeImageMetadata", "Show what a volume knows of its image."},
	} {
		all = append(all, map[string]any{"alias": e[0], "name": e[1], "description": e[2], "updated": "2013-04-18T00:00:00+00:00", "links": []any{}})
	}
	return all
}

func (s *Service) extensions(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extensions": known()})
}

func (s *Service) extension(w http.ResponseWriter, r *rest.Request) error {
	for _, e := range known() {
		if e["alias"] == r.Param("id") {
			return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extension": e})
		}
	}
	return notFound("The resource could not be found.")
}

// metadataOf gives where the metadata of a volume or snapshot is.
func (s *Service) metadataOf(kind string, r *rest.Request) (*map[string]string, error) {
	if kind == "snapshots" {
		x, err := s.snapshotLocked(r.ProjectID, r.Param("id"))
		if err != nil {
			return nil, err
		}
		return &x.Metadata, nil
	}
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return nil, err
	}
	return &v.Metadata, nil
}

func (s *Service) getMetadata(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"metadata": orEmpty(*m)})
	}
}

// setMetadata adds to the metadata, or replaces it.
func (s *Service) setMetadata(kind string, replace bool) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		var body struct {
			Metadata map[string]string `json:"metadata"`
		}
		if err := rest.Read(w, r, &body); err != nil {
			return err
		}
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		next := map[string]string{}
		if !replace {
			maps.Copy(next, *m)
		}
		maps.Copy(next, body.Metadata)
		if err := checkTexts("", "", next); err != nil {
			return err
		}
		*m = next
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"metadata": next})
	}
}

func (s *Service) getMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		value, ok := (*m)[r.Param("key")]
		if !ok {
			return noKey(kind, r)
		}
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"meta": map[string]string{r.Param("key"): value}})
	}
}

func noKey(kind string, r *rest.Request) error {
	return notFound("%s %s has no metadata with key %s.", map[string]string{"volumes": "Volume", "snapshots": "Snapshot"}[kind], r.Param("id"), r.Param("key"))
}

func (s *Service) setMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		var body struct {
			Meta map[string]string `json:"meta"`
		}
		if err := rest.Read(w, r, &body); err != nil {
			return err
		}
		value, ok := body.Meta[r.Param("key")]
		if !ok || len(body.Meta) != 1 {
			return invalid("Request body and URI mismatch")
		}
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		next := maps.Clone(orEmpty(*m))
		next[r.Param("key")] = value
		if err := checkTexts("", "", next); err != nil {
			return err
		}
		*m = next
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"meta": body.Meta})
	}
}

func (s *Service) deleteMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		if _, ok := (*m)[r.Param("key")]; !ok {
			return noKey(kind, r)
		}
		delete(*m, r.Param("key"))
		return rest.NoContent(w, r, http.StatusOK)
	}
}

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
