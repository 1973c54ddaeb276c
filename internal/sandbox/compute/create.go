package compute

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

// How long the sandbox takes for what takes a real cloud minutes.
const (
	bootTime   = 2 * time.Second
	actionTime = time.Second
)

type createRequest struct {
	Name              string              `json:"name"`
	Description       *string             `json:"description"`
	ImageRef          string              `json:"imageRef"`
	FlavorRef         any                 `json:"flavorRef"`
	KeyName           *string             `json:"key_name"`
	AdminPass         string              `json:"adminPass"`
	Zone              string              `json:"availability_zone"`
	Metadata          map[string]string   `json:"metadata"`
	Tags              []string            `json:"tags"`
	UserData          *string             `json:"user_data"`
	ConfigDrive       *rest.Bool          `json:"config_drive"`
	DiskConfig        string              `json:"OS-DCF:diskConfig"`
	AccessIPv4        string              `json:"accessIPv4"`
	AccessIPv6        string              `json:"accessIPv6"`
	Hostname          string              `json:"hostname"`
	MinCount          rest.Int            `json:"min_count"`
	MaxCount          rest.Int            `json:"max_count"`
	ReturnReservation rest.Bool           `json:"return_reservation_id"`
	Networks          jsontext.Value      `json:"networks"`
	Groups            []nameOnly          `json:"security_groups"`
	Devices           []blockDevice       `json:"block_device_mapping_v2"`
	OldDevices        []map[string]any    `json:"block_device_mapping"`
	Personality       jsontext.Value      `json:"personality"`
	Hints             map[string]any      `json:"os:scheduler_hints"`
	networks          []network.Wish      // decoded
	flavor            flavor              // found
	boot              bool                // from a volume
	group             *serverGroup        // hinted
	volumes           []pendingAttachment // to attach
}

type nameOnly struct {
	Name string `json:"name"`
}

type blockDevice struct {
	UUID                string    `json:"uuid"`
	SourceType          string    `json:"source_type"`
	DestinationType     string    `json:"destination_type"`
	BootIndex           *rest.Int `json:"boot_index"`
	VolumeSize          rest.Int  `json:"volume_size"`
	VolumeType          string    `json:"volume_type"`
	DeviceName          string    `json:"device_name"`
	DeleteOnTermination rest.Bool `json:"delete_on_termination"`
	Tag                 string    `json:"tag"`
}

func required(name string) error {
	return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute server. '%s' is a required property", name)
}

func invalidField(name string, value any, why string) error {
	return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute %s. Value: %v. %s", name, value, why)
}

func (s *Service) createServer(w http.ResponseWriter, c *call) error {
	in, err := readCreate(w, c)
	if err != nil {
		return err
	}
	if err := s.check(c, in); err != nil {
		return err
	}
	count := max(int(in.MaxCount), int(in.MinCount), 1)
	if count, err = s.allowed(c.ProjectID, in.flavor, max(int(in.MinCount), 1), count); err != nil {
		return err
	}
	made, err := s.boot(c, in, count)
	if err != nil {
		return err
	}
	if in.ReturnReservation {
		return rest.WriteJSON(w, c.Request, http.StatusAccepted, map[string]any{"reservation_id": made[0].Reservation})
	}
	first := made[0]
	links := s.links(c, "/servers/"+first.ID)
	w.Header().Set("Location", links[0]["href"])
	groups := []map[string]string{}
	for _, g := range s.c.Network.Groups(first.ID) {
		groups = append(groups, map[string]string{"name": g.Name})
	}
	pass := in.AdminPass
	if pass == "" {
		pass = rand.Text()[:12]
	}
	return rest.WriteJSON(w, c.Request, http.StatusAccepted, map[string]any{"server": map[string]any{
		"id": first.ID, "links": links, "OS-DCF:diskConfig": first.DiskConfig, "security_groups": groups, "adminPass": pass}})
}

// readCreate reads the body and judges it by itself.
func readCreate(w http.ResponseWriter, c *call) (*createRequest, error) {
	var body struct {
		Server *createRequest `json:"server"`
		Hints  map[string]any `json:"os:scheduler_hints"`
		Hints2 map[string]any `json:"OS-SCH-HNT:scheduler_hints"`
	}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return nil, err
	}
	in := body.Server
	if in == nil {
		return nil, rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute body. 'server' is a required property")
	}
	if body.Hints2 != nil {
		body.Hints = body.Hints2
	}
	if body.Hints != nil {
		in.Hints = body.Hints
	}
	in.Name = strings.TrimSpace(in.Name)
	if err := in.checkFields(c.version); err != nil {
		return nil, err
	}
	return in, in.readNetworks(c.version)
}

func (in *createRequest) checkFields(version int) error {
	switch {
	case in.Name == "":
		return required("name")
	case len(in.Name) > 255:
		return invalidField("name", in.Name, "'"+in.Name+"' is too long")
	case in.FlavorRef == nil:
		return required("flavorRef")
	case in.MinCount < 0 || in.MaxCount < 0:
		return invalidField("min_count", in.MinCount, fmt.Sprintf("%d is less than the minimum of 1", min(in.MinCount, in.MaxCount)))
	case in.MaxCount > 0 && in.MinCount > in.MaxCount:
		return rest.Errorf(http.StatusBadRequest, "min_count must be <= max_count")
	case version >= 37 && len(in.Networks) == 0:
		return required("networks")
	case version >= 57 && len(in.Personality) > 0:
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute server. Additional properties are not allowed ('personality' was unexpected)")
	case version < 52 && in.Tags != nil:
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute server. Additional properties are not allowed ('tags' was unexpected)")
	case in.DiskConfig != "" && in.DiskConfig != "AUTO" && in.DiskConfig != "MANUAL":
		return invalidField("OS-DCF:diskConfig", in.DiskConfig, "'"+in.DiskConfig+"' is not one of ['AUTO', 'MANUAL']")
	case strings.Contains(in.Zone, ":"):
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
	}
	if in.UserData != nil {
		if _, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(*in.UserData), "")); err != nil {
			return invalidField("user_data", "…", "it is not base64")
		}
		if len(*in.UserData) > 65535 {
			return rest.Errorf(http.StatusBadRequest, "User data too large. User data must be no larger than 65535 bytes once base64 encoded. Your data is %d bytes", len(*in.UserData))
		}
	}
	return checkMetadata(in.Metadata)
}

// readNetworks decodes networks, which is a list or, since 2.37, "auto" or "none".
func (in *createRequest) readNetworks(version int) error {
	text := strings.TrimSpace(string(in.Networks))
	if text == "" || text == "null" || strings.HasPrefix(text, `"`) {
		if version >= 37 && text != `"auto"` && text != `"none"` {
			return invalidField("networks", text, text+" is not one of ['none', 'auto']")
		}
		return nil
	}
	var list []struct {
		UUID    string `json:"uuid"`
		Port    string `json:"port"`
		FixedIP string `json:"fixed_ip"`
	}
	if err := web.Decode(in.Networks, &list, web.IgnoreUnknown); err != nil {
		return err
	}
	for _, n := range list {
		wish := network.Wish{NetworkID: n.UUID, PortID: n.Port}
		if n.FixedIP != "" {
			wish.Addresses = []string{n.FixedIP}
		}
		if n.Port == "" && !rest.IsID(n.UUID) {
			return rest.Errorf(http.StatusBadRequest, "Bad networks format: network uuid is not in proper format (%s)", n.UUID)
		}
		in.networks = append(in.networks, wish)
	}
	return nil
}

// check judges the request against what there is.
func (s *Service) check(c *call, in *createRequest) error {
	var ok bool
	if in.flavor, ok = s.flavor(fmt.Sprint(in.FlavorRef)); !ok {
		return rest.Errorf(http.StatusBadRequest, "Invalid flavorRef provided.")
	}
	if in.KeyName != nil && s.state.Keypairs[c.UserID][*in.KeyName] == nil {
		return rest.Errorf(http.StatusBadRequest, "Invalid key_name provided.")
	}
	if in.Zone != "" && in.Zone != zone {
		return rest.Errorf(http.StatusBadRequest, "The requested availability zone is not available")
	}
	if err := s.checkHints(c, in); err != nil {
		return err
	}
	if err := s.checkDevices(c, in); err != nil {
		return err
	}
	if in.ImageRef != "" {
		if err := s.checkImage(c, in); err != nil {
			return err
		}
	} else if !in.boot {
		return rest.Errorf(http.StatusBadRequest, "Invalid imageRef provided.")
	}
	return s.chooseNetworks(c, in)
}

// checkImage judges whether the image exists, is ready and fits the flavor.
func (s *Service) checkImage(c *call, in *createRequest) error {
	id := in.ImageRef
	if at := strings.LastIndex(id, "/"); at >= 0 {
		id = id[at+1:] // old clients send the image's address
	}
	if !rest.IsID(id) {
		return rest.Errorf(http.StatusBadRequest, "Invalid imageRef provided.")
	}
	img, ok := s.c.Images.Get(c.ProjectID, id)
	if !ok {
		return rest.Errorf(http.StatusBadRequest, "Can not find requested image")
	}
	in.ImageRef = id
	return fits(img, in.flavor)
}

func fits(img image.Image, f flavor) error {
	switch {
	case img.Status != image.Active:
		return rest.Errorf(http.StatusBadRequest, "Image %s is not active.", img.ID)
	case img.MinRAM > f.RAM:
		return rest.Errorf(http.StatusBadRequest, "Flavor's memory is too small for requested image.")
	case img.MinDisk > f.Disk:
		return rest.Errorf(http.StatusBadRequest, "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is %d bytes, minimum size is %d bytes.",
			int64(f.Disk)<<30, int64(img.MinDisk)<<30)
	}
	return nil
}

// chooseNetworks gives a server that named no network the only one there is.
func (s *Service) chooseNetworks(c *call, in *createRequest) error {
	if len(in.networks) > 0 || strings.Contains(string(in.Networks), "none") {
		return nil
	}
	available := s.c.Network.Available(c.ProjectID)
	if len(available) > 1 {
		return rest.Errorf(http.StatusConflict, "Multiple possible networks found, use a Network ID to be more specific.")
	}
	for _, id := range available {
		in.networks = []network.Wish{{NetworkID: id}}
	}
	return nil
}

// boot makes the servers, all or none.
func (s *Service) boot(c *call, in *createRequest, count int) ([]*server, error) {
	reservation := "r-" + strings.ToLower(rand.Text()[:8])
	var groups []string
	for _, g := range in.Groups {
		groups = append(groups, g.Name)
	}
	var made []*server
	for i := range count {
		v := s.newServer(c, in, reservation, i, count)
		err := s.c.Network.Plug(c.ProjectID, v.ID, in.networks, groups)
		if err == nil {
			err = s.attachAll(c, v, in.volumes)
		}
		if err != nil {
			s.c.Network.UnplugAll(v.ID)
			for _, m := range made {
				s.release(m)
				delete(s.state.Servers, m.ID)
			}
			return nil, badRequestUnless(err, http.StatusForbidden, http.StatusConflict)
		}
		s.state.Servers[v.ID] = v
		made = append(made, v)
		if in.group != nil {
			in.group.Members = append(in.group.Members, v.ID)
		}
	}
	return made, nil
}

// badRequestUnless gives an error of another service the status that a create answers with.
func badRequestUnless(err error, keep ...int) error {
	e, ok := errors.AsType[*rest.Error](err)
	if !ok || slices.Contains(keep, e.Status) {
		return err
	}
	return rest.Errorf(http.StatusBadRequest, "%s", e.Message)
}

func (s *Service) newServer(c *call, in *createRequest, reservation string, index, count int) *server {
	now := s.c.Now()
	v := &server{
		ID: rest.NewID(), Name: in.Name, ProjectID: c.ProjectID, UserID: c.UserID, Seq: s.nextSeq(), Reservation: reservation, LaunchIndex: index,
		Flavor: in.flavor, ImageID: in.ImageRef, Zone: zone, ConfigDrive: in.ConfigDrive != nil && bool(*in.ConfigDrive), DiskConfig: in.DiskConfig,
		AccessIPv4: in.AccessIPv4, AccessIPv6: in.AccessIPv6, Metadata: in.Metadata, Tags: in.Tags, State: building, Task: "spawning",
		Created: now, Updated: now, Pending: &pending{At: now.Add(bootTime), State: active},
	}
	if v.fault() != "" {
		v.Pending.State = broken
	}
	if count > 1 {
		v.Name = fmt.Sprintf("%s-%d", in.Name, index+1)
	}
	if v.DiskConfig == "" {
		v.DiskConfig = "MANUAL"
	}
	if in.KeyName != nil {
		v.KeyName = *in.KeyName
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	if in.UserData != nil {
		v.UserData = *in.UserData
	}
	if in.group != nil {
		v.GroupID = in.group.ID
	}
	if v.Hostname = in.Hostname; v.Hostname == "" {
		v.Hostname = hostname(v.Name)
	}
	s.record(c, v, "create")
	return v
}

// hostname makes a host name of a server's name, as Nova's sanitize_hostname does.
func hostname(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '_' || r == '.':
			return '-'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-':
			return r
		}
		return -1
	}, strings.ToLower(name))
	clean = strings.Trim(clean, "-")
	return clean[:min(len(clean), 63)]
}

// record starts an entry of the server's history; the pending change finishes it.
func (s *Service) record(c *call, v *server, name string) {
	now := s.c.Now()
	v.Actions = append(v.Actions, action{Name: name, RequestID: c.requestID, UserID: c.UserID, Start: now, Finish: now})
}
