package compute

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/sandbox/volume"
)

func (s *Service) belongingRoutes(on adder, since sinceAdder) {
	on("GET /servers/{id}/os-volume_attachments", s.listAttachments)
	on("POST /servers/{id}/os-volume_attachments", s.attachVolume)
	on("GET /servers/{id}/os-volume_attachments/{volume}", s.showAttachment)
	on("PUT /servers/{id}/os-volume_attachments/{volume}", s.updateAttachment)
	on("DELETE /servers/{id}/os-volume_attachments/{volume}", s.detachVolume)
	on("GET /servers/{id}/os-interface", s.listInterfaces)
	on("POST /servers/{id}/os-interface", s.attachInterface)
	on("GET /servers/{id}/os-interface/{port}", s.showInterface)
	on("DELETE /servers/{id}/os-interface/{port}", s.detachInterface)
	on("GET /servers/{id}/os-security-groups", s.serverGroups)
	on("GET /servers/{id}/ips", s.listAddresses)
	on("GET /servers/{id}/ips/{network}", s.showAddresses)
	on("GET /servers/{id}/metadata", s.showMetadata)
	on("POST /servers/{id}/metadata", s.updateMetadata)
	on("PUT /servers/{id}/metadata", s.replaceMetadata)
	on("GET /servers/{id}/metadata/{key}", s.showMetadatum)
	on("PUT /servers/{id}/metadata/{key}", s.setMetadatum)
	on("DELETE /servers/{id}/metadata/{key}", s.dropMetadatum)
	on("GET /servers/{id}/os-instance-actions", s.listActions)
	on("GET /servers/{id}/os-instance-actions/{request}", s.showAction)
	on("GET /servers/{id}/os-server-password", s.showPassword)
	on("DELETE /servers/{id}/os-server-password", s.clearPassword)
	since(26, "GET /servers/{id}/tags", s.listTags)
	since(26, "PUT /servers/{id}/tags", s.replaceTags)
	since(26, "DELETE /servers/{id}/tags", s.clearTags)
	since(26, "GET /servers/{id}/tags/{tag}", s.hasTag)
	since(26, "PUT /servers/{id}/tags/{tag}", s.addTag)
	since(26, "DELETE /servers/{id}/tags/{tag}", s.dropTag)
}

// A pendingAttachment is a volume that a new server is to have.
type pendingAttachment struct {
	device blockDevice
	spec   *volume.Spec // to make it from; nil: it exists
}

// checkDevices judges block_device_mapping_v2 and notes the volumes it asks for.
func (s *Service) checkDevices(c *call, in *createRequest) error {
	for _, d := range in.Devices {
		root := d.BootIndex != nil && *d.BootIndex == 0
		if err := s.checkDevice(c, in, d); err != nil {
			return err
		}
		if root && d.SourceType == "image" && d.DestinationType == "local" {
			if in.ImageRef != "" && in.ImageRef != d.UUID {
				return rest.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: boot from image mapping does not match imageRef.")
			}
			in.ImageRef = d.UUID
		} else if root {
			in.boot, in.ImageRef = true, ""
		}
	}
	for _, old := range in.OldDevices { // the form that block_device_mapping_v2 replaced
		id, _ := old["volume_id"].(string)
		zero := rest.Int(0)
		d := blockDevice{UUID: id, SourceType: "volume", DestinationType: "volume", BootIndex: &zero}
		if err := s.checkDevice(c, in, d); err != nil {
			return err
		}
		in.boot, in.ImageRef = true, ""
	}
	return nil
}

func (s *Service) checkDevice(c *call, in *createRequest, d blockDevice) error {
	spec := volume.Spec{Project: c.ProjectID, User: c.UserID, Size: int(d.VolumeSize), Type: d.VolumeType}
	switch d.SourceType + ">" + d.DestinationType {
	case "volume>volume", "volume>":
		v, ok := s.c.Volumes.Get(c.ProjectID, d.UUID)
		if !ok {
			return rest.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: failed to get volume %s.", d.UUID)
		}
		if v.Status != "available" {
			return rest.Errorf(http.StatusBadRequest, "Invalid volume: volume '%s' status must be 'available'. Currently in '%s'", d.UUID, v.Status)
		}
		if d.BootIndex != nil && *d.BootIndex == 0 && !v.Bootable {
			return rest.Errorf(http.StatusBadRequest, "Block Device %s is not bootable.", d.UUID)
		}
		in.volumes = append(in.volumes, pendingAttachment{device: d})
		return nil
	case "image>local", "blank>local":
		return nil
	case "image>volume":
		spec.ImageID = d.UUID
	case "snapshot>volume", "snapshot>":
		spec.SnapshotID = d.UUID
	case "blank>volume":
	default:
		return rest.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: Mapping %s to %s is not supported.", d.SourceType, d.DestinationType)
	}
	if spec.Size == 0 && spec.SnapshotID == "" {
		return rest.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: Images with destination_type 'volume' need to have a non-zero size specified")
	}
	in.volumes = append(in.volumes, pendingAttachment{d, &spec})
	return nil
}

// attachAll gives a new server its volumes: existing ones at once, new ones when it boots.
func (s *Service) attachAll(c *call, v *server, volumes []pendingAttachment) error {
	for _, p := range volumes {
		a := attachment{ID: rest.NewID(), VolumeID: p.device.UUID, Device: v.nextDevice(p.device.DeviceName), Tag: p.device.Tag,
			DeleteWithServer: bool(p.device.DeleteOnTermination)}
		if p.spec != nil {
			made, err := s.c.Volumes.Create(*p.spec)
			if err != nil {
				s.release(v)
				return err
			}
			a.VolumeID, a.Waiting = made.ID, true
			v.Task, v.Pending.At = "block_device_mapping", s.c.Now().Add(bootTime+time.Second) // Cinder takes as long as a boot
		} else if _, err := s.c.Volumes.Attach(c.ProjectID, a.VolumeID, v.ID, a.Device); err != nil {
			s.release(v)
			return err
		}
		v.Volumes = append(v.Volumes, a)
	}
	return nil
}

// joinVolumes attaches the volumes that were made for a server, now that they are there. Without one the boot has failed.
func (s *Service) joinVolumes(v *server) {
	for i := range v.Volumes {
		a := &v.Volumes[i]
		if !a.Waiting {
			continue
		}
		if _, err := s.c.Volumes.Attach(v.ProjectID, a.VolumeID, v.ID, a.Device); err != nil {
			v.Pending.State = broken
			continue
		}
		a.Waiting = false
	}
}

// nextDevice names the next disk.
func (v *server) nextDevice(wanted string) string {
	taken := map[string]bool{}
	if v.ImageID != "" {
		taken["/dev/sda"] = true
	}
	for _, a := range v.Volumes {
		taken[a.Device] = true
	}
	if wanted != "" && !taken[wanted] {
		return wanted
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		if name := fmt.Sprintf("/dev/sd%c", letter); !taken[name] {
			return name
		}
	}
	return "/dev/sdaa"
}

func (v *server) attachment(volumeID string) int {
	return slices.IndexFunc(v.Volumes, func(a attachment) bool { return a.VolumeID == volumeID })
}

func attachmentView(c *call, v *server, a attachment) map[string]any {
	m := map[string]any{"id": a.VolumeID, "volumeId": a.VolumeID, "serverId": v.ID, "device": a.Device}
	if c.version >= 70 {
		m["tag"] = nullable(a.Tag)
	}
	if c.version >= 79 {
		m["delete_on_termination"] = a.DeleteWithServer
	}
	if c.version >= 89 {
		delete(m, "id")
		m["attachment_id"], m["bdm_uuid"] = a.ID, a.ID
	}
	return m
}

func (s *Service) listAttachments(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, a := range v.Volumes {
		views = append(views, attachmentView(c, v, a))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"volumeAttachments": views})
}

func (s *Service) findAttachment(c *call) (*server, int, error) {
	v, err := s.find(c)
	if err != nil {
		return nil, 0, err
	}
	at := v.attachment(c.Param("volume"))
	if at < 0 {
		return nil, 0, rest.Errorf(http.StatusNotFound, "Instance %s is not attached to volume %s", v.ID, c.Param("volume"))
	}
	return v, at, nil
}

func (s *Service) showAttachment(w http.ResponseWriter, c *call) error {
	v, at, err := s.findAttachment(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"volumeAttachment": attachmentView(c, v, v.Volumes[at])})
}

type attachmentRequest struct {
	Attachment *struct {
		VolumeID string    `json:"volumeId"`
		Device   string    `json:"device"`
		Tag      string    `json:"tag"`
		Delete   rest.Bool `json:"delete_on_termination"`
	} `json:"volumeAttachment"`
}

func (s *Service) attachVolume(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var in attachmentRequest
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	if in.Attachment == nil || in.Attachment.VolumeID == "" {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property")
	}
	if !rest.IsID(in.Attachment.VolumeID) {
		return invalidField("volumeId", in.Attachment.VolumeID, "'"+in.Attachment.VolumeID+"' is not a 'uuid'")
	}
	if err := v.allows("attach_volume", active, paused, stopped, resized, offloaded); err != nil {
		return err
	}
	if at := v.attachment(in.Attachment.VolumeID); at >= 0 {
		return rest.Errorf(http.StatusBadRequest, "Invalid volume: Volume %s is already attached to the instance", in.Attachment.VolumeID)
	}
	device := v.nextDevice(in.Attachment.Device)
	if _, err := s.c.Volumes.Attach(c.ProjectID, in.Attachment.VolumeID, v.ID, device); err != nil {
		return err
	}
	a := attachment{ID: rest.NewID(), VolumeID: in.Attachment.VolumeID, Device: device, Tag: in.Attachment.Tag, DeleteWithServer: bool(in.Attachment.Delete)}
	v.Volumes = append(v.Volumes, a)
	s.record(c, v, "attach_volume")
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"volumeAttachment": attachmentView(c, v, a)})
}

// updateAttachment changes delete_on_termination (2.85); another volume is a swap, which only services may do.
func (s *Service) updateAttachment(w http.ResponseWriter, c *call) error {
	v, at, err := s.findAttachment(c)
	if err != nil {
		return err
	}
	var in attachmentRequest
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	if in.Attachment == nil || in.Attachment.VolumeID == "" {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property")
	}
	if in.Attachment.VolumeID != c.Param("volume") || c.version < 85 {
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.")
	}
	v.Volumes[at].DeleteWithServer = bool(in.Attachment.Delete)
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) detachVolume(w http.ResponseWriter, c *call) error {
	v, at, err := s.findAttachment(c)
	if err != nil {
		return err
	}
	if v.ImageID == "" && at == 0 {
		return rest.Errorf(http.StatusBadRequest, "Cannot detach a root device volume")
	}
	if err := v.allows("detach_volume", active, paused, stopped, resized, suspended, offloaded); err != nil {
		return err
	}
	if err := s.c.Volumes.Detach(c.ProjectID, c.Param("volume"), v.ID); err != nil {
		return err
	}
	v.Volumes = slices.Delete(v.Volumes, at, at+1)
	s.record(c, v, "detach_volume")
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}
