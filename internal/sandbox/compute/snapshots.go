package compute

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

type imageArgs struct {
	Name       string            `json:"name"`
	Metadata   map[string]string `json:"metadata"`
	BackupType string            `json:"backup_type"`
	Rotation   *rest.Int         `json:"rotation"`
}

func (s *Service) createImage(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	return s.snapshot(w, c, v, args, "createImage")
}

func (s *Service) createBackup(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	return s.snapshot(w, c, v, args, "createBackup")
}

func (s *Service) snapshot(w http.ResponseWriter, c *call, v *server, args jsontext.Value, name string) error {
	var in imageArgs
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	if in.Name == "" {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute %s. 'name' is a required property", name)
	}
	if name == "createBackup" && (in.Rotation == nil || in.BackupType == "") {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute createBackup. 'backup_type' and 'rotation' are required properties")
	}
	if err := v.allows(name, active, stopped, paused, suspended); err != nil {
		return err
	}
	if name == "createBackup" && *in.Rotation < 1 {
		return rest.NoContent(w, c.Request, http.StatusAccepted) // keep none
	}
	img, err := s.c.Images.Create(s.imageSpec(c, v, in, name))
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Status == http.StatusRequestEntityTooLarge {
		return rest.Errorf(http.StatusForbidden, "%s", e.Message) // Glance's refusal, as Nova passes it on
	}
	if err != nil {
		return err
	}
	s.record(c, v, name)
	now := s.c.Now()
	v.Task, v.Pending = "image_uploading", &pending{At: now.Add(actionTime), State: v.State}
	if c.version >= 45 {
		return rest.WriteJSON(w, c.Request, http.StatusAccepted, map[string]string{"image_id": img.ID})
	}
	w.Header().Set("Location", s.link(c, "/images/"+img.ID))
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

// imageSpec describes the image as Nova does: the properties of the image that the server came from, and where it came from.
func (s *Service) imageSpec(c *call, v *server, in imageArgs, name string) image.Spec {
	props := map[string]string{}
	spec := image.Spec{Project: c.ProjectID, Name: in.Name, MinDisk: v.Flavor.Disk, Properties: props}
	if base, ok := s.c.Images.Get(c.ProjectID, v.ImageID); ok {
		spec.MinRAM = base.MinRAM
		for k, val := range base.Properties {
			props[k] = val
		}
	}
	for k, val := range in.Metadata {
		props[k] = val
	}
	props["instance_uuid"], props["user_id"], props["base_image_ref"], props["image_type"] = v.ID, c.UserID, v.ImageID, "snapshot"
	props["image_location"], props["image_state"], props["owner_id"] = "snapshot", "available", c.ProjectID
	if name == "createBackup" {
		props["image_type"], props["backup_type"] = "backup", in.BackupType
	}
	return spec
}
