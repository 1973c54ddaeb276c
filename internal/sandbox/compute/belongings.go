package compute

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Interfaces.

func interfaceView(c *call, i network.Interface) map[string]any {
	ips := []map[string]string{}
	for _, a := range i.Addresses {
		if !a.Floating {
			ips = append(ips, map[string]string{"ip_address": a.Addr, "subnet_id": a.SubnetID})
		}
	}
	m := map[string]any{"port_id": i.PortID, "net_id": i.NetworkID, "mac_addr": i.MAC, "port_state": i.Status, "fixed_ips": ips}
	if c.version >= 70 {
		m["tag"] = nil
	}
	return m
}

func (s *Service) listInterfaces(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, i := range s.c.Network.Interfaces(v.ID) {
		views = append(views, interfaceView(c, i))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"interfaceAttachments": views})
}

func (s *Service) showInterface(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	i, ok := s.interfaceFor(v, c.Param("port"))
	if !ok {
		return rest.Errorf(http.StatusNotFound, "Instance %s does not have a port with id %s", v.ID, c.Param("port"))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"interfaceAttachment": interfaceView(c, i)})
}

func (s *Service) attachInterface(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var in struct {
		Attachment struct {
			PortID   string `json:"port_id"`
			NetID    string `json:"net_id"`
			FixedIPs []struct {
				IPAddress string `json:"ip_address"`
			} `json:"fixed_ips"`
		} `json:"interfaceAttachment"`
	}
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	wish := network.Wish{NetworkID: in.Attachment.NetID, PortID: in.Attachment.PortID}
	for _, ip := range in.Attachment.FixedIPs {
		wish.Addresses = append(wish.Addresses, ip.IPAddress)
	}
	switch {
	case wish.NetworkID != "" && wish.PortID != "":
		return rest.Errorf(http.StatusBadRequest, "Must not input both network_id and port_id")
	case wish.NetworkID == "" && wish.PortID == "" && len(wish.Addresses) > 0:
		return rest.Errorf(http.StatusBadRequest, "Must input network_id when request IP address")
	}
	if err := v.allows("attach_interface", active, paused, stopped); err != nil {
		return err
	}
	if wish.NetworkID == "" && wish.PortID == "" {
		if wish.NetworkID, err = s.onlyNetwork(c); err != nil {
			return err
		}
	}
	before := s.c.Network.Interfaces(v.ID)
	if err := s.c.Network.Plug(c.ProjectID, v.ID, []network.Wish{wish}, nil); err != nil {
		return err
	}
	s.record(c, v, "attach_interface")
	for _, i := range s.c.Network.Interfaces(v.ID) {
		if !slices.ContainsFunc(before, func(b network.Interface) bool { return b.PortID == i.PortID }) {
			return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"interfaceAttachment": interfaceView(c, i)})
		}
	}
	return fmt.Errorf("port of server %s vanished", v.ID)
}

func (s *Service) onlyNetwork(c *call) (string, error) {
	available := s.c.Network.Available(c.ProjectID)
	if len(available) != 1 {
		return "", rest.Errorf(http.StatusConflict, "Multiple possible networks found, use a Network ID to be more specific.")
	}
	return available[0], nil
}

func (s *Service) detachInterface(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	if _, ok := s.interfaceFor(v, c.Param("port")); !ok {
		return rest.Errorf(http.StatusNotFound, "Port id %s could not be found.", c.Param("port"))
	}
	if err := v.allows("detach_interface", active, paused, stopped); err != nil {
		return err
	}
	s.c.Network.Unplug(v.ID, c.Param("port"))
	s.record(c, v, "detach_interface")
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

// Security groups and addresses.

func (s *Service) serverGroups(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, g := range s.c.Network.Groups(v.ID) {
		views = append(views, securityGroupView(v.ProjectID, g))
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"security_groups": views})
}

// briefAddresses are a server's addresses without what extensions add.
func (s *Service) briefAddresses(v *server) map[string][]map[string]any {
	out := map[string][]map[string]any{}
	for _, i := range s.c.Network.Interfaces(v.ID) {
		for _, a := range i.Addresses {
			out[i.NetworkName] = append(out[i.NetworkName], map[string]any{"addr": a.Addr, "version": a.Version})
		}
	}
	return out
}

func (s *Service) listAddresses(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"addresses": s.briefAddresses(v)})
}

func (s *Service) showAddresses(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	list, ok := s.briefAddresses(v)[c.Param("network")]
	if !ok {
		return rest.Errorf(http.StatusNotFound, "Instance is not a member of specified network")
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{c.Param("network"): list})
}

// Metadata.

func checkMetadata(m map[string]string) error {
	if len(m) > DefaultQuotas()["metadata_items"] {
		return rest.Errorf(http.StatusForbidden, "Maximum number of metadata items exceeds %d", DefaultQuotas()["metadata_items"])
	}
	for k, val := range m {
		if k == "" || len(k) > 255 || len(val) > 255 {
			return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute metadata. Keys must have 1 to 255 characters, values at most 255")
		}
	}
	return nil
}

func (s *Service) showMetadata(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"metadata": orEmpty(v.Metadata)})
}

func (s *Service) updateMetadata(w http.ResponseWriter, c *call) error {
	return s.writeMetadata(w, c, func(v *server, in map[string]string) map[string]string {
		merged := maps.Clone(orEmpty(v.Metadata))
		maps.Copy(merged, in)
		return merged
	})
}

func (s *Service) replaceMetadata(w http.ResponseWriter, c *call) error {
	return s.writeMetadata(w, c, func(_ *server, in map[string]string) map[string]string { return in })
}

func (s *Service) writeMetadata(w http.ResponseWriter, c *call, merge func(*server, map[string]string) map[string]string) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var in struct {
		Metadata map[string]string `json:"metadata"`
	}
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	if in.Metadata == nil {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute body. 'metadata' is a required property")
	}
	merged := merge(v, in.Metadata)
	if err := checkMetadata(merged); err != nil {
		return err
	}
	v.Metadata, v.Updated = merged, s.c.Now()
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"metadata": merged})
}

func (s *Service) showMetadatum(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	val, ok := v.Metadata[c.Param("key")]
	if !ok {
		return rest.Errorf(http.StatusNotFound, "Metadata item was not found")
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"meta": map[string]string{c.Param("key"): val}})
}

func (s *Service) setMetadatum(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var in struct {
		Meta map[string]string `json:"meta"`
	}
	if err := rest.Read(w, c.Request, &in); err != nil {
		return err
	}
	val, ok := in.Meta[c.Param("key")]
	if !ok || len(in.Meta) != 1 {
		return rest.Errorf(http.StatusBadRequest, "Request body and URI mismatch")
	}
	merged := maps.Clone(orEmpty(v.Metadata))
	merged[c.Param("key")] = val
	if err := checkMetadata(merged); err != nil {
		return err
	}
	v.Metadata, v.Updated = merged, s.c.Now()
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"meta": in.Meta})
}

func (s *Service) dropMetadatum(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	if _, ok := v.Metadata[c.Param("key")]; !ok {
		return rest.Errorf(http.StatusNotFound, "Metadata item was not found")
	}
	delete(v.Metadata, c.Param("key"))
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}
