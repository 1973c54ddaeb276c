package compute

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

func (s *Service) serverRoutes(on adder, since sinceAdder) {
	for _, root := range []string{"/servers", "/os-volumes_boot"} { // the second is an old alias of the first
		on("GET "+root, s.listServers(false))
		on("GET "+root+"/detail", s.listServers(true))
		on("POST "+root, s.createServer)
		on("GET "+root+"/{id}", s.showServer)
		on("PUT "+root+"/{id}", s.updateServer)
		on("DELETE "+root+"/{id}", s.deleteServer)
		on("POST "+root+"/{id}/action", s.act)
	}
	since(6, "POST /servers/{id}/remote-consoles", s.remoteConsole)
}

// A transition is an action that takes a server from one state to another and needs nothing else.
type transition struct {
	name  string // in history and refusals
	from  []vmState
	task  string
	to    vmState // "": as before
	takes time.Duration
}

// simple gives the action that is nothing but a transition. Which states allow an action is nova/compute/api.py's
// check_instance_state.
func simple(name string) (t transition, ok bool) {
	switch name {
	case "os-start":
		return transition{"start", []vmState{stopped}, "powering-on", active, actionTime}, true
	case "os-stop":
		return transition{"stop", []vmState{active, broken}, "powering-off", stopped, actionTime}, true
	case "pause":
		return transition{"pause", []vmState{active}, "pausing", paused, actionTime}, true
	case "unpause":
		return transition{"unpause", []vmState{paused}, "unpausing", active, actionTime}, true
	case "suspend":
		return transition{"suspend", []vmState{active}, "suspending", suspended, actionTime}, true
	case "resume":
		return transition{"resume", []vmState{suspended}, "resuming", active, actionTime}, true
	case "shelve":
		return transition{"shelve", []vmState{active, stopped, paused, suspended}, "shelving", offloaded, actionTime}, true
	case "unshelve":
		return transition{"unshelve", []vmState{offloaded}, "unshelving", active, actionTime}, true
	case "unrescue":
		return transition{"unrescue", []vmState{rescued}, "unrescuing", active, actionTime}, true
	case "restore": // nothing is ever soft-deleted here
		return transition{name: "restore"}, true
	}
	return transition{}, false
}

// act reads which action is meant, the body's only member, and does it.
func (s *Service) act(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	body := map[string]jsontext.Value{}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return err
	}
	if len(body) != 1 {
		return rest.Errorf(http.StatusBadRequest, "There should be exactly one action in the request body.")
	}
	for name, args := range body {
		return s.perform(w, c, v, name, args)
	}
	return nil
}

type performer func(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error

func (s *Service) perform(w http.ResponseWriter, c *call, v *server, name string, args jsontext.Value) error {
	do := map[string]performer{
		"reboot": s.reboot, "createImage": s.createImage, "createBackup": s.createBackup, "rebuild": s.rebuild, "resize": s.resize,
		"confirmResize": s.confirmResize, "revertResize": s.revertResize, "lock": s.lock, "unlock": s.unlock, "rescue": s.rescue,
		"changePassword": s.changePassword, "os-getConsoleOutput": s.consoleOutput, "os-getVNCConsole": s.oldConsole,
		"os-getSPICEConsole": s.oldConsole, "os-getSerialConsole": s.oldConsole, "os-getRDPConsole": s.oldConsole,
		"addSecurityGroup": s.addGroup, "removeSecurityGroup": s.removeGroup, "forceDelete": s.forceDelete,
	}[name]
	t, ok := simple(name)
	switch {
	case do != nil:
		return do(w, c, v, args)
	case ok:
		if err := s.begin(c, v, t); err != nil {
			return err
		}
		return rest.NoContent(w, c.Request, http.StatusAccepted)
	case slices.Contains([]string{"migrate", "os-migrateLive", "os-resetState", "evacuate", "injectNetworkInfo", "resetNetwork", "shelveOffload"}, name):
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:%s to be performed.", strings.TrimPrefix(name, "os-"))
	}
	return rest.Errorf(http.StatusBadRequest, "There is no such action: %s", name)
}

// begin starts a transition, if the server's lock, task and state allow it.
func (s *Service) begin(c *call, v *server, t transition) error {
	if err := v.allows(t.name, t.from...); err != nil {
		return err
	}
	to := t.to
	if to == "" {
		to = v.State
	}
	now := s.c.Now()
	s.record(c, v, t.name)
	v.Task, v.Updated, v.Pending = t.task, now, &pending{At: now.Add(t.takes), State: to}
	return nil
}

// allows refuses an action on a locked server, during another task, or in a state that is not among from.
func (v *server) allows(action string, from ...vmState) error {
	if v.Locked {
		return rest.Errorf(http.StatusConflict, "Instance %s is locked", v.ID)
	}
	if !slices.Contains(from, v.State) {
		return v.conflict(action, "vm_state", string(v.State))
	}
	if v.Task != "" {
		return v.conflict(action, "task_state", v.Task)
	}
	return nil
}

func (v *server) conflict(action, attribute, value string) error {
	return rest.Errorf(http.StatusConflict, "Cannot '%s' instance %s while it is in %s %s", action, v.ID, attribute, value)
}

func (s *Service) reboot(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in struct {
		Type string `json:"type"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	t := transition{"reboot", []vmState{active}, "rebooting", active, actionTime}
	switch strings.ToUpper(in.Type) {
	case "SOFT":
	case "HARD":
		t.task, t.from = "rebooting_hard", []vmState{active, stopped, paused, suspended, broken}
	default:
		return invalidField("type", in.Type, "'"+in.Type+"' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']")
	}
	if err := s.begin(c, v, t); err != nil {
		return err
	}
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) rebuild(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in struct {
		ImageRef    string             `json:"imageRef"`
		Name        string             `json:"name"`
		Description *string            `json:"description"`
		Metadata    *map[string]string `json:"metadata"`
		KeyName     *string            `json:"key_name"`
		AdminPass   string             `json:"adminPass"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	img, ok := s.c.Images.Get(c.ProjectID, in.ImageRef)
	if !ok {
		return rest.Errorf(http.StatusBadRequest, "Cannot find image for rebuild")
	}
	if err := fits(img, v.Flavor); err != nil {
		return err
	}
	if in.KeyName != nil && s.state.Keypairs[c.UserID][*in.KeyName] == nil {
		return rest.Errorf(http.StatusBadRequest, "Invalid key_name provided.")
	}
	if in.Metadata != nil {
		if err := checkMetadata(*in.Metadata); err != nil {
			return err
		}
	}
	if err := s.begin(c, v, transition{"rebuild", []vmState{active, stopped, broken}, "rebuilding", active, bootTime}); err != nil {
		return err
	}
	v.ImageID = img.ID
	if in.Name != "" {
		v.Name = in.Name
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	if in.Metadata != nil {
		v.Metadata = *in.Metadata
	}
	if in.KeyName != nil {
		v.KeyName = *in.KeyName
	}
	m := s.view(c, v)
	m["adminPass"] = in.AdminPass
	return rest.WriteJSON(w, c.Request, http.StatusAccepted, map[string]any{"server": m})
}

func (s *Service) resize(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in struct {
		FlavorRef any `json:"flavorRef"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	f, ok := s.flavor(fmt.Sprint(in.FlavorRef))
	if !ok {
		return rest.Errorf(http.StatusBadRequest, "Flavor %v could not be found.", in.FlavorRef)
	}
	if f.ID == v.Flavor.ID {
		return rest.Errorf(http.StatusBadRequest, "Resize requires a flavor change.")
	}
	if f.Disk < v.Flavor.Disk && v.ImageID != "" {
		return rest.Errorf(http.StatusBadRequest, "Resize error: Unable to resize disk down.")
	}
	if err := s.roomFor(c.ProjectID, map[string]int{"cores": max(f.VCPUs-v.Flavor.VCPUs, 0), "ram": max(f.RAM-v.Flavor.RAM, 0)}); err != nil {
		return err
	}
	before := v.State
	if err := s.begin(c, v, transition{"resize", []vmState{active, stopped}, "resize_prep", resized, actionTime}); err != nil {
		return err
	}
	old := v.Flavor
	v.OldFlavor, v.Flavor, v.Before = &old, f, before
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) confirmResize(w http.ResponseWriter, c *call, v *server, _ jsontext.Value) error {
	if err := s.begin(c, v, transition{"confirmResize", []vmState{resized}, "", v.Before, 0}); err != nil {
		return err
	}
	v.OldFlavor = nil
	return rest.NoContent(w, c.Request, http.StatusNoContent)
}

func (s *Service) revertResize(w http.ResponseWriter, c *call, v *server, _ jsontext.Value) error {
	if err := s.begin(c, v, transition{"revertResize", []vmState{resized}, "resize_reverting", v.Before, actionTime}); err != nil {
		return err
	}
	v.Flavor, v.OldFlavor = *v.OldFlavor, nil
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) lock(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in *struct {
		Reason string `json:"locked_reason"`
	}
	if c.version >= 73 {
		if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
			return err
		}
	}
	s.record(c, v, "lock")
	v.Locked, v.LockedReason = true, ""
	if in != nil {
		v.LockedReason = in.Reason
	}
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) unlock(w http.ResponseWriter, c *call, v *server, _ jsontext.Value) error {
	s.record(c, v, "unlock")
	v.Locked, v.LockedReason = false, ""
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) rescue(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in *struct {
		AdminPass string `json:"adminPass"`
		Image     string `json:"rescue_image_ref"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	before, pass := v.State, "rescue"
	if in != nil && in.Image != "" && !s.c.Images.Exists(c.ProjectID, in.Image) {
		return rest.Errorf(http.StatusBadRequest, "Can not find requested image")
	}
	if in != nil && in.AdminPass != "" {
		pass = in.AdminPass
	}
	if err := s.begin(c, v, transition{"rescue", []vmState{active, stopped, broken}, "rescuing", rescued, actionTime}); err != nil {
		return err
	}
	v.Before = before
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]string{"adminPass": pass})
}

func (s *Service) changePassword(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in struct {
		AdminPass *string `json:"adminPass"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	if in.AdminPass == nil {
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute changePassword. 'adminPass' is a required property")
	}
	if err := s.begin(c, v, transition{"changePassword", []vmState{active}, "updating_password", active, 0}); err != nil {
		return err
	}
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}

func (s *Service) addGroup(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	return s.changeGroup(w, c, v, args, "addSecurityGroup", s.c.Network.AddGroup)
}

func (s *Service) removeGroup(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	return s.changeGroup(w, c, v, args, "removeSecurityGroup", s.c.Network.RemoveGroup)
}

func (s *Service) changeGroup(w http.ResponseWriter, c *call, v *server, args jsontext.Value, name string, change func(project, server, group string) error) error {
	var in nameOnly
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	if in.Name == "" {
		return rest.Errorf(http.StatusBadRequest, "Missing parameter dict")
	}
	if v.State != active && name == "addSecurityGroup" && v.State != stopped {
		return v.conflict(name, "vm_state", string(v.State))
	}
	if err := change(c.ProjectID, v.ID, in.Name); err != nil {
		return err
	}
	return rest.NoContent(w, c.Request, http.StatusAccepted)
}
