package compute

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A vmState is what a server is, apart from what is being done to it (its task).
type vmState string

// The states, as in Nova's nova/compute/vm_states.py.
const (
	building  vmState = "building"
	active    vmState = "active"
	stopped   vmState = "stopped"
	paused    vmState = "paused"
	suspended vmState = "suspended"
	rescued   vmState = "rescued"
	resized   vmState = "resized"
	offloaded vmState = "shelved_offloaded"
	broken    vmState = "error"
)

// A server is an instance, as it is stored.
type server struct {
	ID, Name, Description string
	ProjectID, UserID     string
	Seq                   int
	Reservation           string
	LaunchIndex           int
	Hostname              string
	Flavor                flavor
	OldFlavor             *flavor // while a resize waits for confirmation
	ImageID               string  // "" when it boots from a volume
	KeyName               string
	Zone                  string
	GroupID               string
	ConfigDrive           bool
	UserData              string
	DiskConfig            string
	AccessIPv4            string
	AccessIPv6            string
	Metadata              map[string]string
	Tags                  []string
	State                 vmState
	Before                vmState // to which rescue and resize go back
	Task                  string
	Pending               *pending
	Locked                bool
	LockedReason          string
	Created, Updated      time.Time
	Launched              time.Time
	Volumes               []attachment
	Actions               []action
}

// A pending change happens at a time.
type pending struct {
	At    time.Time
	State vmState
	Gone  bool // the server is deleted then
}

// An attachment is a volume on a server.
type attachment struct {
	ID, VolumeID, Device, Tag string
	DeleteWithServer          bool
	Waiting                   bool // the volume is being made for the server
}

// An action is one entry of a server's history.
type action struct {
	Name, RequestID, UserID string
	Start, Finish           time.Time
}

// arrive makes the pending change true.
func (v *server) arrive() {
	p := v.Pending
	if v.State == building {
		v.Launched = p.At
	}
	v.State, v.Task, v.Updated, v.Pending = p.State, "", p.At, nil
	if n := len(v.Actions); n > 0 {
		v.Actions[n-1].Finish = p.At
	}
}

// status is what the API shows for state and task, as in nova/api/openstack/common.py.
func (v *server) status() string {
	switch v.Task {
	case "rebooting":
		return "REBOOT"
	case "rebooting_hard":
		return "HARD_REBOOT"
	case "rebuilding":
		return "REBUILD"
	case "resize_prep", "resize_migrating":
		return "RESIZE"
	case "resize_reverting":
		return "REVERT_RESIZE"
	case "updating_password":
		return "PASSWORD"
	}
	return map[vmState]string{building: "BUILD", active: "ACTIVE", stopped: "SHUTOFF", paused: "PAUSED", suspended: "SUSPENDED", rescued: "RESCUE",
		resized: "VERIFY_RESIZE", offloaded: "SHELVED_OFFLOADED", broken: "ERROR"}[v.State]
}

// fault is what makes a server fail to boot, for who wants to try what happens then: its metadata "sandbox-fault", the message that it will show.
func (v *server) fault() string { return v.Metadata["sandbox-fault"] }

// power is the number that the API shows: 0 none, 1 running, 3 paused, 4 shut down.
func (v *server) power() int {
	switch v.State {
	case building:
		return 0
	case paused:
		return 3
	case stopped, suspended, offloaded:
		return 4
	}
	return 1
}

// hostID is an opaque name of the hypervisor, different for each project, as in Nova.
func (v *server) hostID() string {
	if v.State == building || v.State == offloaded {
		return ""
	}
	sum := sha256.Sum224([]byte(v.ProjectID + "host-1"))
	return hex.EncodeToString(sum[:])
}

// view gives a server as GET shows it in the call's microversion.
func (s *Service) view(c *call, v *server) map[string]any {
	m := map[string]any{
		"id": v.ID, "name": v.Name, "status": v.status(), "tenant_id": v.ProjectID, "user_id": v.UserID, "metadata": orEmpty(v.Metadata),
		"hostId": v.hostID(), "image": s.imageView(c, v), "flavor": s.serverFlavor(c, v), "created": rest.Time(v.Created), "updated": rest.Time(v.Updated),
		"addresses": s.addresses(v), "accessIPv4": v.AccessIPv4, "accessIPv6": v.AccessIPv6, "links": s.links(c, "/servers/"+v.ID),
		"OS-DCF:diskConfig": v.DiskConfig, "OS-EXT-AZ:availability_zone": v.Zone, "config_drive": "", "key_name": nullable(v.KeyName),
		"OS-SRV-USG:launched_at": nil, "OS-SRV-USG:terminated_at": nil,
		"OS-EXT-STS:task_state": nullable(v.Task), "OS-EXT-STS:vm_state": string(v.State), "OS-EXT-STS:power_state": v.power(),
		"os-extended-volumes:volumes_attached": s.volumesView(c, v),
	}
	if v.ConfigDrive {
		m["config_drive"] = "True"
	}
	if !v.Launched.IsZero() {
		m["OS-SRV-USG:launched_at"] = rest.TimeMicro(v.Launched)
	}
	if shows := v.status(); shows == "ACTIVE" || shows == "BUILD" || shows == "REBUILD" || shows == "RESIZE" || shows == "VERIFY_RESIZE" {
		m["progress"] = 0
	}
	if v.State == broken {
		m["fault"] = map[string]any{"code": 500, "created": rest.Time(v.Updated), "message": cmp.Or(v.fault(), "No valid host was found.")}
	}
	if groups := s.c.Network.Groups(v.ID); len(groups) > 0 {
		names := []map[string]string{}
		for _, g := range groups {
			names = append(names, map[string]string{"name": g.Name})
		}
		m["security_groups"] = names
	}
	s.newer(c, v, m)
	return m
}

// newer adds what later microversions show.
func (s *Service) newer(c *call, v *server, m map[string]any) {
	if c.version >= 9 {
		m["locked"] = v.Locked
	}
	if c.version >= 19 {
		m["description"] = nullable(v.Description)
	}
	if c.version >= 26 {
		m["tags"] = append([]string{}, v.Tags...)
	}
	if c.version >= 63 {
		m["trusted_image_certificates"] = nil
	}
	if c.version >= 73 {
		m["locked_reason"] = nullable(v.LockedReason)
	}
	if c.version >= 90 {
		m["OS-EXT-SRV-ATTR:hostname"] = v.Hostname
	}
}

func (s *Service) imageView(c *call, v *server) any {
	if v.ImageID == "" {
		return ""
	}
	return map[string]any{"id": v.ImageID, "links": []map[string]string{{"rel": "bookmark", "href": s.links(c, "/images/"+v.ImageID)[1]["href"]}}}
}

func (s *Service) serverFlavor(c *call, v *server) any {
	f := v.Flavor
	if c.version < 47 {
		return map[string]any{"id": f.ID, "links": []map[string]string{{"rel": "bookmark", "href": s.links(c, "/flavors/"+f.ID)[1]["href"]}}}
	}
	return map[string]any{"vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "ephemeral": 0, "swap": 0, "original_name": f.Name, "extra_specs": orEmpty(f.Extra)}
}

func (s *Service) addresses(v *server) map[string]any {
	out := map[string]any{}
	for _, i := range s.c.Network.Interfaces(v.ID) {
		list, _ := out[i.NetworkName].([]any)
		for _, a := range i.Addresses {
			kind := "fixed"
			if a.Floating {
				kind = "floating"
			}
			list = append(list, map[string]any{"addr": a.Addr, "version": a.Version, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": i.MAC})
		}
		out[i.NetworkName] = list
	}
	return out
}

func (s *Service) volumesView(c *call, v *server) []map[string]any {
	out := []map[string]any{}
	for _, a := range v.Volumes {
		m := map[string]any{"id": a.VolumeID}
		if c.version >= 3 {
			m["delete_on_termination"] = a.DeleteWithServer
		}
		out = append(out, m)
	}
	return out
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
