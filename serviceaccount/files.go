package serviceaccount

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v2"
)

func sortedKeys(m map[string]node) []string { return slices.Sorted(maps.Keys(m)) }

// folders are where clouds.yaml and its companions are looked for, the first found winning: openstacksdk's order.
func folders() []string {
	dirs := []string{"."}
	userHome, err := os.UserHomeDir()
	inHome := filepath.Join(userHome, ".config", "openstack")
	switch x := os.Getenv("XDG_CONFIG_HOME"); {
	case x != "":
		dirs = append(dirs, filepath.Join(x, "openstack"))
	case err == nil:
		dirs = append(dirs, inHome)
	}
	if snap := os.Getenv("SNAP_REAL_HOME"); snap != "" {
		dirs = append(dirs, filepath.Join(snap, ".config", "openstack")) // a snap's own home is another
	} else if err == nil {
		dirs = append(dirs, inHome)
	}
	site := os.Getenv("XDG_CONFIG_DIRS")
	if site == "" {
		site = "/etc/xdg"
	}
	for dir := range strings.SplitSeq(site, string(filepath.ListSeparator)) {
		dirs = append(dirs, filepath.Join(dir, "openstack"))
	}
	return append(dirs, "/etc/openstack")
}

// A found is a file that was found and read.
type found struct {
	path string
	root node
}

// find reads the first of the files that is there: the one that the environment names, then name in folders, as .yaml, .yml or .json. One
// that may not be read is passed over. One that is no YAML is an error here, where openstacksdk passes over it and then
// does not know the cloud.
func find(name, override string) (found, error) {
	var paths []string
	if override != "" {
		paths = append(paths, override)
	}
	for _, dir := range folders() {
		for _, ext := range []string{".yaml", ".yml", ".json"} {
			paths = append(paths, filepath.Join(dir, name+ext))
		}
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return found{}, configError("%w", err)
		}
		var root node
		if err := yaml.Unmarshal(text, &root); err != nil {
			return found{}, configError("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: ")) // a line, never a value
		}
		if root.fields == nil && len(strings.TrimSpace(string(text))) > 0 {
			return found{}, configError("%s is not a mapping with clouds: in it", path)
		}
		return found{path, root}, nil
	}
	return found{}, nil
}

// clouds are the entries of clouds.yaml with those of secure.yaml laid over them, and where they came from.
func clouds() (entries map[string]node, paths []string, err error) {
	public, err := find("clouds", os.Getenv("OS_CLIENT_CONFIG_FILE"))
	if err != nil {
		return nil, nil, err
	}
	secure, err := find("secure", os.Getenv("OS_CLIENT_SECURE_FILE"))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range []found{public, secure} {
		if f.path != "" {
			paths = append(paths, f.path)
		}
	}
	merged := node{fields: secure.root.fields["clouds"].fields}.under(node{fields: public.root.fields["clouds"].fields})
	if merged.fields == nil {
		merged.fields = public.root.fields["clouds"].fields
	}
	return merged.fields, paths, nil
}

// withProfile lays an entry over the profile that it names in clouds-public.yaml. The vendors' profiles that openstacksdk carries with it
// are not here.
func withProfile(entry node) (node, error) {
	name := entry.first("profile", "cloud")
	if name == "" {
		return entry, nil
	}
	public, err := find("clouds-public", "")
	if err != nil {
		return node{}, err
	}
	profile, ok := public.root.fields["public-clouds"].fields[name]
	if !ok && entry.first("auth_url", "auth-url")+entry.fields["auth"].first("auth_url", "auth-url") == "" {
		return node{}, configError("the profile %s is not in clouds-public.yaml, and the entry has no auth_url of its own", name)
	}
	return entry.under(profile), nil
}

// region picks one of the entry's regions and lays its values over the entry; name "": the first.
func region(entry node, name string) (node, error) {
	list := entry.fields["regions"].list
	if list == nil {
		list = entry.fields["region_name"].list
	}
	if text := entry.fields["region_name"].text; list == nil && text != "" {
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, node{text: part})
		}
	}
	if len(list) == 0 {
		list = []node{{text: name}}
	}
	var known []string
	for _, r := range list {
		if r.fields != nil {
			r.text = r.fields["name"].text
		}
		if known = append(known, r.text); name != "" && name != r.text {
			continue
		}
		out := node{fields: map[string]node{"region_name": {text: r.text}}}.under(entry)
		if values := r.fields["values"]; values.fields != nil {
			out = values.under(out)
		}
		return out, nil
	}
	return node{}, configError("region %q is not one of the cloud's: %s", name, strings.Join(known, ", "))
}
