package agent

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v2"
)

// CloudsYAML is a clouds.yaml whose entry of this name leads to the Agent. The other entries are those of files, clouds.yaml and what lies over it:
// a command that knows several clouds finds the others as before.
func (a *Agent) CloudsYAML(name string, m Mode, files ...string) ([]byte, error) {
	clouds := fields{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var root struct {
			Clouds fields `yaml:"clouds"`
		}
		if err := yaml.Unmarshal(text, &root); err != nil {
			return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: ")) // a line, never a value
		}
		clouds.lay(root.Clouds)
	}
	clouds[name] = value{a.entry(m)}
	return yaml.Marshal(map[string]any{"clouds": clouds})
}

// entry is what clouds.yaml says of the Agent: the variables, under other names.
func (a *Agent) entry(m Mode) map[string]any {
	auth := map[string]any{}
	entry := map[string]any{"auth": auth}
	for _, v := range a.variables(m) {
		switch name := strings.ToLower(strings.TrimPrefix(v.name, "OS_")); name {
		case "auth_type", "region_name", "interface", "cacert", "cert", "key":
			entry[name] = v.value
		case "insecure":
			entry["verify"] = false
		case "auth_url", "username", "password", "user_domain_name", "project_id", "token", "application_credential_id", "application_credential_secret":
			auth[name] = v.value
		}
	}
	return entry
}

// fields are a mapping of YAML.
type fields map[string]value

// lay puts top over f: mappings are merged, all else is replaced.
func (f fields) lay(top fields) {
	for k, v := range top {
		old, both := f[k].any.(fields)
		if over, ok := v.any.(fields); ok && both {
			old.lay(over)
			continue
		}
		f[k] = v
	}
}

// A value is what YAML holds, as it is written: an id of digits does not become a number that is written another way.
type value struct{ any any }

// UnmarshalYAML takes whatever is there.
func (v *value) UnmarshalYAML(unmarshal func(any) error) error {
	var f fields
	var list []value
	var text string
	switch {
	case unmarshal(&f) == nil && f != nil:
		v.any = f
	case unmarshal(&list) == nil && list != nil:
		v.any = list
	case unmarshal(&v.any) == nil && unmarshal(&text) == nil && v.any != nil && !same(v.any, text):
		v.any = text
	}
	return nil
}

// same says whether a value is written so; a truth has many spellings.
func same(v any, text string) bool {
	_, truth := v.(bool)
	return truth || fmt.Sprint(v) == text
}

// MarshalYAML writes it.
func (v value) MarshalYAML() (any, error) { return v.any, nil }
