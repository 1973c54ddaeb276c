package compute

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (s *Service) updateServer(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var body struct {
		Server *struct {
			Name        *string `json:"name"`
			Description *string `json:"description"`
			AccessIPv4  *string `json:"accessIPv4"`
			AccessIPv6  *string `json:"accessIPv6"`
			DiskConfig  *string `json:"OS-DCF:diskConfig"`
			Hostname    *string `json:"hostname"`
		} `json:"server"`
	}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return err
	}
	in := body.Server
	if in == nil {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute body. 'server' is a required property")
	}
	if in.Name != nil && (*in.Name == "" || len(*in.Name) > 255) {
		return invalidField("name", *in.Name, "it must have 1 to 255 characters")
	}
	for to, from := range map[*string]*string{&v.Name: in.Name, &v.Description: in.Description, &v.AccessIPv4: in.AccessIPv4, &v.AccessIPv6: in.AccessIPv6,
		&v.DiskConfig: in.DiskConfig, &v.Hostname: in.Hostname} {
		if from != nil {
			*to = *from
		}
	}
	v.Updated = s.c.Now()
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"server": s.view(c, v)})
}

func (s *Service) deleteServer(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	return s.end(w, c, v)
}

func (s *Service) forceDelete(w http.ResponseWriter, c *call, v *server, _ jsontext.Value) error {
	if err := s.end(w, c, v); err != nil {
		return err
	}
	return nil
}

// end lets a server go: what it held is free at once, the server itself is gone a moment later.
func (s *Service) end(w http.ResponseWriter, c *call, v *server) error {
	if v.Locked {
		return rest.Errorf(http.StatusConflict, "Instance %s is locked", v.ID)
	}
	status := http.StatusNoContent
	if c.Method == http.MethodPost {
		status = http.StatusAccepted
	}
	if v.Pending != nil && v.Pending.Gone {
		return rest.NoContent(w, c.Request, status)
	}
	s.record(c, v, "delete")
	s.release(v)
	now := s.c.Now()
	v.Task, v.Updated, v.Pending = "deleting", now, &pending{At: now.Add(actionTime), Gone: true}
	return rest.NoContent(w, c.Request, status)
}

// release gives back the ports and volumes of a server, and its place in its group.
func (s *Service) release(v *server) {
	s.c.Network.UnplugAll(v.ID)
	for _, a := range v.Volumes {
		if !a.Waiting {
			_ = s.c.Volumes.Detach(v.ProjectID, a.VolumeID, v.ID) // the volume may be gone already
		}
		if a.DeleteWithServer {
			_ = s.c.Volumes.Delete(v.ProjectID, a.VolumeID) // it stays if it has snapshots, as in Cinder
		}
	}
	v.Volumes = nil
	if g := s.state.Groups[v.GroupID]; g != nil {
		g.drop(v.ID)
	}
}

// Seed makes a project's first server: active since a while, on Ext-Net with the given addresses. It does so once for each
// project, and with this id only for the first one.
func (s *Service) Seed(project, id, name, imageID string, addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Seeded[project] {
		return
	}
	s.state.Seeded[project] = true
	if s.state.Servers[id] != nil {
		id = rest.NewID()
	}
	born := s.c.Now().Add(-time.Hour)
	s.state.Servers[id] = &server{
		ID: id, Name: name, ProjectID: project, UserID: project, Seq: s.nextSeq(), Hostname: hostname(name), Flavor: s.flavors[0], ImageID: imageID,
		Zone: zone, DiskConfig: "MANUAL", State: active, Created: born, Updated: born, Launched: born,
	}
	s.c.Network.SeedPort(project, id, s.c.Network.External(), addresses)
}

// interfaceFor finds one of a server's interfaces.
func (s *Service) interfaceFor(v *server, portID string) (network.Interface, bool) {
	for _, i := range s.c.Network.Interfaces(v.ID) {
		if i.PortID == portID {
			return i, true
		}
	}
	return network.Interface{}, false
}
