package volume

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

const maxText = 255

func (s *Service) view(r *rest.Request, v *Volume) map[string]any {
	now := s.c.Now()
	t, _ := s.typeOf(v.Type) // types are never taken away
	attachments := []any{}
	for _, a := range v.Attachments {
		attachments = append(attachments, map[string]any{
			"id": v.ID, "attachment_id": a.ID, "volume_id": v.ID, "server_id": a.ServerID, "host_name": nil, "device": a.Device,
			"attached_at": rest.TimeMicro(a.AttachedAt),
		})
	}
	view := map[string]any{
		"id": v.ID, "name": v.Name, "description": orNull(v.Description), "size": v.Size, "status": v.status(now), "attachments": attachments,
		"availability_zone": v.Zone, "bootable": strconv.FormatBool(v.Bootable), "encrypted": false, "multiattach": v.Multiattach,
		"metadata": orEmpty(v.Metadata), "snapshot_id": orNull(v.SnapshotID), "source_volid": orNull(v.SourceID), "volume_type": v.Type,
		"user_id": v.User, "created_at": rest.TimeMicro(v.CreatedAt), "updated_at": rest.TimeMicro(v.UpdatedAt), "consistencygroup_id": nil,
		"replication_status": nil, "os-vol-tenant-attr:tenant_id": v.Project, "links": s.links(r, "volumes", v.ID),
	}
	if len(v.ImageMetadata) > 0 {
		view["volume_image_metadata"] = v.ImageMetadata
	}
	if minor(r) >= 13 {
		view["group_id"] = nil
	}
	if minor(r) >= 48 {
		view["service_uuid"], view["shared_targets"] = nil, false
	}
	if minor(r) >= 63 {
		view["volume_type_id"] = t.ID
	}
	if minor(r) >= 65 {
		view["consumes_quota"] = true
	}
	return view
}

func (s *Service) links(r *rest.Request, kind, id string) []any {
	root := s.root(r.Request)
	return []any{
		map[string]string{"rel": "self", "href": rest.ExternalURL(root, "v3/"+r.ProjectID+"/"+kind+"/"+id)},
		map[string]string{"rel": "bookmark", "href": rest.ExternalURL(root, r.ProjectID+"/"+kind+"/"+id)},
	}
}

func (s *Service) listVolumes(w http.ResponseWriter, r *rest.Request) error {
	var items []item
	for _, v := range s.state.Volumes {
		if v.Project == r.ProjectID {
			items = append(items, item{v.ID, v.CreatedAt, map[string]string{
				"id": v.ID, "name": v.Name, "display_name": v.Name, "status": v.status(s.c.Now()), "size": strconv.Itoa(v.Size), "volume_type": v.Type,
				"bootable": strconv.FormatBool(v.Bootable), "availability_zone": v.Zone, "description": v.Description,
			}, v.Metadata, s.view(r, v)})
		}
	}
	return s.writeList(w, r, "volumes", items)
}

func (s *Service) summary(w http.ResponseWriter, r *rest.Request) error {
	n, size, _ := s.usedLocked(r.ProjectID)
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume-summary": map[string]any{"total_count": n, "total_size": size, "metadata": map[string]any{}}})
}

func (s *Service) createVolume(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Volume *struct {
			Name        *string           `json:"name"`
			Description *string           `json:"description"`
			DisplayName *string           `json:"display_name"`
			Size        *rest.Int         `json:"size"`
			Type        *string           `json:"volume_type"`
			Zone        *string           `json:"availability_zone"`
			ImageRef    *string           `json:"imageRef"`
			ImageID     *string           `json:"image_id"`
			SnapshotID  *string           `json:"snapshot_id"`
			SourceID    *string           `json:"source_volid"`
			BackupID    *string           `json:"backup_id"`
			Multiattach *rest.Bool        `json:"multiattach"`
			Metadata    map[string]string `json:"metadata"`
		} `json:"volume"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	in := body.Volume
	if in == nil {
		return invalid("Missing required element 'volume' in request body.")
	}
	spec := Spec{
		Project: r.ProjectID, User: r.UserID, Name: first(in.Name, in.DisplayName), Description: first(in.Description), Type: first(in.Type),
		Zone: first(in.Zone), ImageID: first(in.ImageRef, in.ImageID), SnapshotID: first(in.SnapshotID), SourceID: first(in.SourceID),
		Multiattach: in.Multiattach != nil && bool(*in.Multiattach), Metadata: in.Metadata,
	}
	if in.Size != nil {
		spec.Size = int(*in.Size)
	}
	if err := checkTexts(spec.Name, spec.Description, spec.Metadata); err != nil {
		return err
	}
	var from *backup
	if id := first(in.BackupID); id != "" {
		b, err := s.backupLocked(r.ProjectID, id)
		if err != nil {
			return err
		}
		if spec.Size == 0 {
			spec.Size = b.Size
		}
		if spec.Size < b.Size {
			return invalid("Invalid input received: Volume size %dGB cannot be smaller than the backup size %dGB. It must be >= backup size.", spec.Size, b.Size)
		}
		from = b
	}
	v, err := s.createLocked(spec)
	if err != nil {
		return err
	}
	if from != nil {
		from.fill(v)
	}
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"volume": s.view(r, v)})
}

// first gives the first text that is there.
func first(texts ...*string) string {
	for _, t := range texts {
		if t != nil {
			return *t
		}
	}
	return ""
}

func checkTexts(name, description string, metadata map[string]string) error {
	for what, text := range map[string]string{"name": name, "description": description} {
		if utf8.RuneCountInString(text) > maxText {
			return invalid("Invalid input for field/attribute %s. '%s' is too long", what, text)
		}
	}
	if len(metadata) > 128 {
		return overLimit("MetadataItemsLimitExceeded: Maximum number of metadata items exceeds 128.")
	}
	for key, value := range metadata {
		if key == "" {
			return invalid("Invalid volume metadata: Metadata property key blank.")
		}
		if utf8.RuneCountInString(key) > maxText {
			return invalid("Invalid volume metadata size: Metadata property key greater than 255 characters.")
		}
		if utf8.RuneCountInString(value) > maxText {
			return invalid("Invalid volume metadata size: Metadata property value greater than 255 characters.")
		}
	}
	return nil
}

func (s *Service) showVolume(w http.ResponseWriter, r *rest.Request) error {
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume": s.view(r, v)})
}

// An update is what PUT may change of a volume, a snapshot or a backup.
type update struct {
	Name        *string           `json:"name"`
	Description *string           `json:"description"`
	Metadata    map[string]string `json:"metadata"`
}

func readUpdate(w http.ResponseWriter, r *rest.Request, kind string) (update, error) {
	var body map[string]jsontext.Value
	if err := rest.Read(w, r, &body); err != nil {
		return update{}, err
	}
	var u update
	if err := decodeMember(body, kind, &u); err != nil {
		return update{}, err
	}
	return u, checkTexts(first(u.Name), first(u.Description), u.Metadata)
}

// decodeMember reads one member of a body whose other members do not matter.
func decodeMember(body map[string]jsontext.Value, name string, dst any) error {
	raw, ok := body[name]
	if !ok {
		return invalid("Missing required element '%s' in request body.", name)
	}
	if err := json.Unmarshal(raw, dst); err != nil {
		return invalid("Invalid input for field/attribute %s. Value: %.200s.", name, raw)
	}
	return nil
}

func (u update) apply(name, description *string, metadata *map[string]string) {
	if u.Name != nil {
		*name = *u.Name
	}
	if u.Description != nil {
		*description = *u.Description
	}
	if u.Metadata != nil && metadata != nil {
		*metadata = u.Metadata
	}
}

func (s *Service) updateVolume(w http.ResponseWriter, r *rest.Request) error {
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	u, err := readUpdate(w, r, "volume")
	if err != nil {
		return err
	}
	u.apply(&v.Name, &v.Description, &v.Metadata)
	v.UpdatedAt = s.c.Now()
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume": s.view(r, v)})
}

func (s *Service) deleteVolume(w http.ResponseWriter, r *rest.Request) error {
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if force, _ := strconv.ParseBool(q.Get("force")); force {
		return adminOnly(w, r)
	}
	cascade, _ := strconv.ParseBool(q.Get("cascade"))
	if err := s.deleteLocked(v, cascade); err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusAccepted)
}

func (s *Service) encryption(w http.ResponseWriter, r *rest.Request) error {
	if _, err := s.volumeLocked(r.ProjectID, r.Param("id")); err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"encryption_key_id": nil})
}
