package compute

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

func (s *Service) consoleOutput(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	var in *struct {
		Length *rest.Int `json:"length"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	if v.State == building {
		return rest.Errorf(http.StatusConflict, "Instance %s is not ready", v.ID)
	}
	lines := []string{
		"[    0.000000] Linux version 6.1.0-sandbox (nobody@sandbox)", "[    0.100000] virtio_net virtio0 eth0: up",
		"[    1.000000] systemd[1]: Hostname set to <" + v.Hostname + ">.", "cloud-init[1]: Cloud-init finished at " + rest.Time(v.Launched), "",
		v.Hostname + " login: ",
	}
	if in != nil && in.Length != nil && *in.Length >= 0 {
		lines = lines[max(0, len(lines)-int(*in.Length)):]
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]string{"output": strings.Join(lines, "\n")})
}

// oldConsole answers the actions that 2.6 replaced by remote-consoles.
func (s *Service) oldConsole(w http.ResponseWriter, c *call, v *server, args jsontext.Value) error {
	if c.version > 5 {
		return rest.Errorf(http.StatusNotFound, "The resource could not be found.")
	}
	var in struct {
		Type string `json:"type"`
	}
	if err := web.Decode(args, &in, web.IgnoreUnknown); err != nil {
		return err
	}
	console, err := s.console(v, in.Type)
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"console": console})
}

func (s *Service) remoteConsole(w http.ResponseWriter, c *call) error {
	v, err := s.find(c)
	if err != nil {
		return err
	}
	var body struct {
		Console struct {
			Protocol string `json:"protocol"`
			Type     string `json:"type"`
		} `json:"remote_console"`
	}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return err
	}
	console, err := s.console(v, body.Console.Type)
	if err != nil {
		return err
	}
	console["protocol"] = body.Console.Protocol
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"remote_console": console})
}

// console gives an address in a name space that never resolves (RFC 2606): there is no screen to show.
func (s *Service) console(v *server, kind string) (map[string]any, error) {
	if !slices.Contains([]string{"novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks"}, kind) {
		return nil, invalidField("type", kind, "'"+kind+"' is not one of ['novnc', 'xvpvnc', 'rdp-html5', 'spice-html5', 'serial', 'webmks']")
	}
	if v.State == building {
		return nil, rest.Errorf(http.StatusConflict, "Instance not yet ready")
	}
	return map[string]any{"type": kind, "url": "https://console.invalid/" + kind + "?token=" + rest.NewID()}, nil
}
