package volume

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// volumeAction does what the body's one member names.
func (s *Service) volumeAction(w http.ResponseWriter, r *rest.Request) error {
	var body map[string]jsontext.Value
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if len(body) != 1 {
		return invalid("There must be one action in the request body, not %d.", len(body))
	}
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	for name := range body {
		if slices.Contains([]string{"os-reset_status", "os-force_delete", "os-force_detach", "os-migrate_volume", "os-migrate_volume_completion",
			"os-unmanage"}, name) {
			return adminOnly(w, r)
		}
		act, ok := map[string]func(http.ResponseWriter, *rest.Request, *Volume, map[string]jsontext.Value) error{
			"os-extend": s.extend, "os-set_bootable": s.setBootable, "os-retype": s.retype, "os-update_readonly_flag": s.setReadOnly,
			"os-volume_upload_image": s.uploadImage, "os-attach": s.osAttach, "os-detach": s.osDetach, "os-reserve": s.hold("available", "attaching"),
			"os-unreserve": s.hold("attaching", ""), "os-begin_detaching": s.hold("in-use", "detaching"), "os-roll_detaching": s.hold("detaching", ""),
			"os-initialize_connection": s.connection, "os-terminate_connection": s.disconnection, "os-set_image_metadata": s.setImageMetadata,
			"os-unset_image_metadata": s.unsetImageMetadata, "os-show_image_metadata": s.showImageMetadata, "revert": s.revert,
		}[name]
		if !ok {
			return invalid("There is no such action: %s", name)
		}
		return act(w, r, v, body)
	}
	return nil
}

func (s *Service) accepted(w http.ResponseWriter, r *rest.Request, v *Volume) error {
	v.UpdatedAt = s.c.Now()
	return rest.NoContent(w, r, http.StatusAccepted)
}

func (s *Service) extend(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Size rest.Int `json:"new_size"`
	}
	if err := decodeMember(body, "os-extend", &in); err != nil {
		return err
	}
	status := v.status(s.c.Now())
	if status != "available" && (status != "in-use" || minor(r) < 42) {
		return invalid("Invalid volume: Volume %s status must be '{'available'}' to extend, currently %s.", v.ID, status)
	}
	if int(in.Size) <= v.Size {
		return invalid("Invalid input received: New size for extend must be greater than current size. (current: %d, extended: %d).", v.Size, in.Size)
	}
	if err := s.roomLocked(v.Project, 0, int(in.Size)-v.Size); err != nil {
		return err
	}
	v.Size = int(in.Size)
	v.Life.begin("extending", s.after(short))
	return s.accepted(w, r, v)
}

func (s *Service) setBootable(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Bootable *rest.Bool `json:"bootable"`
	}
	if err := decodeMember(body, "os-set_bootable", &in); err != nil {
		return err
	}
	if in.Bootable == nil {
		return invalid("Invalid input received: Invalid value for 'bootable': it is missing.")
	}
	v.Bootable, v.UpdatedAt = bool(*in.Bootable), s.c.Now()
	return rest.NoContent(w, r, http.StatusOK)
}

func (s *Service) setReadOnly(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		ReadOnly rest.Bool `json:"readonly"`
	}
	if err := decodeMember(body, "os-update_readonly_flag", &in); err != nil {
		return err
	}
	if status := v.status(s.c.Now()); status != "available" {
		return invalid("Invalid volume: Volume %s status must be available to update readonly flag, but current status is: %s.", v.ID, status)
	}
	v.ReadOnly = bool(in.ReadOnly)
	return s.accepted(w, r, v)
}

func (s *Service) retype(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Type string `json:"new_type"`
	}
	if err := decodeMember(body, "os-retype", &in); err != nil {
		return err
	}
	t, ok := s.typeOf(in.Type)
	if !ok || in.Type == "" {
		return notFound("Volume type with name %s could not be found.", in.Type)
	}
	if status := v.status(s.c.Now()); status != "available" && status != "in-use" {
		return invalid("Invalid volume: Unable to update type due to incorrect status: %s on volume: %s. Volume status must be available or in-use.", status, v.ID)
	}
	if t.Name == v.Type {
		return invalid("Invalid volume: New volume_type same as original: %s.", t.ID)
	}
	v.Type = t.Name
	v.Life.begin("retyping", s.after(short))
	return s.accepted(w, r, v)
}

func (s *Service) uploadImage(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Name       string     `json:"image_name"`
		Disk       string     `json:"disk_format"`
		Container  string     `json:"container_format"`
		Visibility string     `json:"visibility"`
		Protected  *rest.Bool `json:"protected"`
		Force      *rest.Bool `json:"force"`
	}
	if err := decodeMember(body, "os-volume_upload_image", &in); err != nil {
		return err
	}
	if in.Name == "" {
		return invalid("Invalid input for field/attribute os-volume_upload_image. 'image_name' is a required property")
	}
	if in.Visibility == "public" || s.c.Images == nil {
		return adminOnly(w, r)
	}
	status := v.status(s.c.Now())
	if status != "available" && (status != "in-use" || in.Force == nil || !bool(*in.Force)) {
		return invalid("Invalid volume: Volume %s status must be available or in-use, but current status is: %s.", v.ID, status)
	}
	img, err := s.c.Images.Create(image.Spec{
		Project: v.Project, Name: in.Name, DiskFormat: in.Disk, ContainerFormat: in.Container, Visibility: image.Visibility(in.Visibility),
		Protected: in.Protected != nil && bool(*in.Protected), MinDisk: v.Size,
	})
	if err != nil {
		return err
	}
	v.Life.begin("uploading", s.after(long))
	t, _ := s.typeOf(v.Type)
	return rest.WriteJSON(w, r, http.StatusAccepted, map[string]any{"os-volume_upload_image": map[string]any{
		"id": v.ID, "updated_at": rest.TimeMicro(v.UpdatedAt), "status": "uploading", "display_description": orNull(v.Description), "size": v.Size,
		"volume_type": map[string]any{"id": t.ID, "name": t.Name, "description": t.Description, "is_public": true}, "image_id": img.ID,
		"container_format": img.ContainerFormat, "disk_format": img.DiskFormat, "image_name": img.Name, "visibility": img.Visibility,
		"protected": img.Protected,
	}})
}

func (s *Service) osAttach(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Server string `json:"instance_uuid"`
		Device string `json:"mountpoint"`
		Mode   string `json:"mode"`
	}
	if err := decodeMember(body, "os-attach", &in); err != nil {
		return err
	}
	if in.Mode == "" {
		in.Mode = "rw"
	}
	if in.Server == "" || in.Device == "" || in.Mode != "rw" && in.Mode != "ro" {
		return invalid("Invalid request to attach volume with an invalid mode, server or mountpoint. Attaching mode should be 'rw' or 'ro'")
	}
	if _, err := s.attachLocked(v, in.Server, in.Device, in.Mode); err != nil {
		return err
	}
	return s.accepted(w, r, v)
}

func (s *Service) osDetach(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Attachment *string `json:"attachment_id"`
	}
	if err := decodeMember(body, "os-detach", &in); err != nil {
		return err
	}
	at := slices.IndexFunc(v.Attachments, func(a Attachment) bool { return first(in.Attachment) == "" || a.ID == *in.Attachment })
	if at < 0 {
		return invalid("Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.")
	}
	v.Attachments, v.Hold = slices.Delete(v.Attachments, at, at+1), ""
	return s.accepted(w, r, v)
}

// hold is one half of Nova's old handshake: from one status to another that it holds until the other half.
func (s *Service) hold(from, to string) func(http.ResponseWriter, *rest.Request, *Volume, map[string]jsontext.Value) error {
	return func(w http.ResponseWriter, r *rest.Request, v *Volume, _ map[string]jsontext.Value) error {
		if status := v.status(s.c.Now()); status != from {
			return invalid("Invalid volume: Volume status must be %s, but it is %s.", from, status)
		}
		v.Hold = to
		return s.accepted(w, r, v)
	}
}

func (s *Service) connection(w http.ResponseWriter, r *rest.Request, v *Volume, _ map[string]jsontext.Value) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"connection_info": s.connectionInfo(v)})
}

// connectionInfo stands for what a real back end would tell a hypervisor. There is nothing to connect to.
func (s *Service) connectionInfo(v *Volume) map[string]any {
	return map[string]any{"driver_volume_type": "sandbox", "data": map[string]any{"volume_id": v.ID, "access_mode": "rw", "encrypted": false}}
}

func (s *Service) disconnection(w http.ResponseWriter, r *rest.Request, v *Volume, _ map[string]jsontext.Value) error {
	return s.accepted(w, r, v)
}

func (s *Service) setImageMetadata(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Metadata map[string]string `json:"metadata"`
	}
	if err := decodeMember(body, "os-set_image_metadata", &in); err != nil {
		return err
	}
	if err := checkTexts("", "", in.Metadata); err != nil {
		return err
	}
	if v.ImageMetadata == nil {
		v.ImageMetadata = map[string]string{}
	}
	for key, value := range in.Metadata {
		v.ImageMetadata[key] = value
	}
	return s.showImageMetadata(w, r, v, nil)
}

func (s *Service) unsetImageMetadata(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		Key string `json:"key"`
	}
	if err := decodeMember(body, "os-unset_image_metadata", &in); err != nil {
		return err
	}
	if _, ok := v.ImageMetadata[in.Key]; !ok {
		return notFound("Metadata %s does not exist.", in.Key)
	}
	delete(v.ImageMetadata, in.Key)
	return rest.NoContent(w, r, http.StatusOK)
}

func (s *Service) showImageMetadata(w http.ResponseWriter, r *rest.Request, v *Volume, _ map[string]jsontext.Value) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"metadata": orEmpty(v.ImageMetadata)})
}

func (s *Service) revert(w http.ResponseWriter, r *rest.Request, v *Volume, body map[string]jsontext.Value) error {
	var in struct {
		SnapshotID string `json:"snapshot_id"`
	}
	if err := decodeMember(body, "revert", &in); err != nil {
		return err
	}
	x, err := s.snapshotLocked(r.ProjectID, in.SnapshotID)
	if err != nil {
		return err
	}
	if x.VolumeID != v.ID {
		return invalid("Invalid snapshot: Snapshot %s does not belong to volume %s.", x.ID, v.ID)
	}
	if status := v.status(s.c.Now()); status != "available" {
		return invalid("Invalid volume: Can't revert volume %s to its latest snapshot %s. Volume status must be \"available\".", v.ID, x.ID)
	}
	if x.ID != s.latestSnapshot(v.ID) {
		return invalid("Can't revert volume to a snapshot that is not its latest: %s.", x.ID)
	}
	v.Life.begin("reverting", s.after(short))
	return s.accepted(w, r, v)
}
