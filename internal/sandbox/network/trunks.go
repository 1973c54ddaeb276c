package network

import (
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// ownerSubport is what Neutron writes into a port that is part of a trunk.
const ownerSubport = "trunk:subport"

// A trunk carries the networks of other ports, told apart by a tag, over one port.
type trunk struct {
	header
	AdminStateUp bool      `json:"admin_state_up"`
	Status       string    `json:"status"`
	PortID       string    `json:"port_id"`
	SubPorts     []subPort `json:"sub_ports"`
}

type subPort struct {
	PortID           string   `json:"port_id"`
	SegmentationID   rest.Int `json:"segmentation_id"`
	SegmentationType string   `json:"segmentation_type"`
}

func (s *Service) trunks() *collection[trunk, *trunk] {
	return &collection[trunk, *trunk]{
		s: s, one: "trunk", many: "trunks", path: "trunks", kind: "Trunk", notFound: "Trunk %s could not be found.",
		items:    func() map[string]*trunk { return s.state.Trunks },
		post:     []string{"name", "description", "admin_state_up", "port_id", "sub_ports"},
		put:      []string{"name", "description", "admin_state_up"},
		defaults: func() trunk { return trunk{AdminStateUp: true, Status: "DOWN", SubPorts: []subPort{}} },
		create:   s.createTrunk,
		update:   func(string, *trunk, *trunk) error { return nil },
		remove:   s.removeTrunk,
	}
}

func (s *Service) trunkRoutes(rt *rest.Router) {
	rt.Handle("GET /v2.0/trunks/{id}/get_subports", s.listSubports)
	rt.Handle("PUT /v2.0/trunks/{id}/add_subports", s.changeSubports((*Service).addSubports))
	rt.Handle("PUT /v2.0/trunks/{id}/remove_subports", s.changeSubports((*Service).removeSubports))
}

func (s *Service) createTrunk(project string, t *trunk) error {
	if _, err := s.ports().find(project, t.PortID); err != nil {
		return err
	}
	if err := s.freeOfTrunks(t.PortID); err != nil {
		return err
	}
	wanted := t.SubPorts
	t.SubPorts = []subPort{}
	return s.addSubports(project, t, wanted)
}

// freeOfTrunks refuses a port that a trunk has already.
func (s *Service) freeOfTrunks(portID string) error {
	for _, t := range s.state.Trunks {
		if t.PortID == portID {
			return rest.TypedErrorf(http.StatusConflict, "TrunkPortInUse", "Port %s is in use by another trunk.", portID)
		}
		if slices.ContainsFunc(t.SubPorts, func(p subPort) bool { return p.PortID == portID }) {
			return rest.TypedErrorf(http.StatusConflict, "PortInUseAsSubPort", "Port %s is currently a subport for trunk %s.", portID, t.ID)
		}
	}
	return nil
}

// addSubports takes all of the ports, or none.
func (s *Service) addSubports(project string, t *trunk, wanted []subPort) error {
	all := slices.Clone(t.SubPorts)
	for _, sub := range wanted {
		if err := s.checkSubport(project, t, all, sub); err != nil {
			return err
		}
		all = append(all, sub)
	}
	t.SubPorts = all
	for _, sub := range wanted {
		p := s.state.Ports[sub.PortID]
		p.DeviceID, p.DeviceOwner = t.ID, ownerSubport
	}
	return nil
}

func (s *Service) checkSubport(project string, t *trunk, others []subPort, sub subPort) error {
	p, err := s.ports().find(project, sub.PortID)
	if err != nil {
		return err
	}
	if sub.SegmentationType != "vlan" || sub.SegmentationID < 1 || sub.SegmentationID > 4094 {
		return invalidInput("segmentation_type", sub.SegmentationType, "with its segmentation_id is no VLAN")
	}
	if p.DeviceID != "" || p.ID == t.PortID || slices.ContainsFunc(others, func(o subPort) bool { return o.PortID == p.ID }) {
		return rest.TypedErrorf(http.StatusConflict, "PortInUse",
			"Unable to complete operation on port %s for network %s. Port already has an attached device %s.", p.ID, p.NetworkID, p.DeviceID)
	}
	if slices.ContainsFunc(others, func(o subPort) bool { return o.SegmentationID == sub.SegmentationID }) {
		return rest.TypedErrorf(http.StatusConflict, "DuplicateSubPort",
			"segmentation_type %s and segmentation_id %d already in use on trunk %s.", sub.SegmentationType, sub.SegmentationID, t.ID)
	}
	return s.freeOfTrunks(p.ID)
}

func (s *Service) removeSubports(_ string, t *trunk, unwanted []subPort) error {
	left := slices.Clone(t.SubPorts)
	for _, sub := range unwanted {
		i := slices.IndexFunc(left, func(o subPort) bool { return o.PortID == sub.PortID })
		if i < 0 {
			return rest.TypedErrorf(http.StatusNotFound, "SubPortNotFound", "SubPort %s on trunk %s could not be found.", sub.PortID, t.ID)
		}
		left = slices.Delete(left, i, i+1)
	}
	t.SubPorts = left
	for _, sub := range unwanted {
		s.letGo(sub.PortID)
	}
	return nil
}

// letGo makes a subport an ordinary port again.
func (s *Service) letGo(portID string) {
	if p := s.state.Ports[portID]; p != nil {
		p.DeviceID, p.DeviceOwner = "", ""
	}
}

func (s *Service) removeTrunk(t *trunk) error {
	if p := s.state.Ports[t.PortID]; p != nil && p.DeviceID != "" {
		return rest.TypedErrorf(http.StatusConflict, "TrunkInUse", "Trunk %s is currently in use.", t.ID)
	}
	for _, sub := range t.SubPorts {
		s.letGo(sub.PortID)
	}
	return nil
}

func (s *Service) listSubports(w http.ResponseWriter, r *rest.Request) error {
	t, err := s.trunks().find(r.ProjectID, r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"sub_ports": t.SubPorts})
}

// changeSubports answers with the trunk itself: these two calls have no "trunk" around it.
func (s *Service) changeSubports(change func(*Service, string, *trunk, []subPort) error) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		t, err := s.trunks().findOwn(r.ProjectID, r.Param("id"), "update")
		if err != nil {
			return err
		}
		var in struct {
			SubPorts []subPort `json:"sub_ports"`
		}
		if err := rest.Read(w, r, &in); err != nil {
			return err
		}
		if err := change(s, r.ProjectID, t, in.SubPorts); err != nil {
			return err
		}
		s.touch(&t.header)
		m, err := s.trunks().members(t)
		if err != nil {
			return err
		}
		return rest.WriteJSON(w, r, http.StatusOK, m)
	}
}

// usedByTrunk refuses to delete a port that a trunk has.
func (s *Service) usedByTrunk(portID string) error {
	for _, t := range s.state.Trunks {
		if t.PortID == portID {
			return rest.TypedErrorf(http.StatusConflict, "PortInUseAsTrunkParent", "Port %s is currently a parent port for trunk %s.", portID, t.ID)
		}
		if slices.ContainsFunc(t.SubPorts, func(p subPort) bool { return p.PortID == portID }) {
			return rest.TypedErrorf(http.StatusConflict, "PortInUseAsSubPort", "Port %s is currently a subport for trunk %s.", portID, t.ID)
		}
	}
	return nil
}
