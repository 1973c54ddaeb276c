package image

import (
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	maxBody       = 1 << 20
	maxProperties = 128
	maxTags       = 128
	maxMembers    = 128
	maxText       = 255
	storeName     = "sandbox"
)

func (s *Service) show(w http.ResponseWriter, r *rest.Request) error {
	img, ok := s.Get(r.ProjectID, r.Param("id"))
	if !ok {
		return noImage(r.Param("id"))
	}
	return rest.WriteJSON(w, r, http.StatusOK, img.view())
}

func (s *Service) create(w http.ResponseWriter, r *rest.Request) error {
	var members map[string]any
	if err := rest.Read(w, r, &members); err != nil {
		return err
	}
	now := s.now()
	img := &Image{
		ID: rest.NewID(), Owner: r.ProjectID, Status: Queued, Visibility: Shared, Properties: map[string]string{}, CreatedAt: now, UpdatedAt: now,
	}
	for name, value := range members {
		if name == "id" || name == "owner" {
			continue
		}
		if err := img.set(name, value); err != nil {
			return err
		}
	}
	if err := img.setIdentity(members, r.ProjectID); err != nil {
		return err
	}
	s.mu.Lock()
	_, taken := s.images[img.ID]
	if !taken {
		s.images[img.ID] = img
	}
	s.mu.Unlock()
	if taken {
		return conflict("Image ID %s already exists!", img.ID)
	}
	w.Header().Set("Location", rest.ExternalURL(s.root(r.Request), "v2/images/"+img.ID))
	w.Header().Set("OpenStack-image-import-methods", importMethod)
	w.Header().Set("OpenStack-image-store-ids", storeName)
	return rest.WriteJSON(w, r, http.StatusCreated, img.view())
}

// setIdentity takes an id of the client's choice; another owner than the project is an administrator's to set.
func (i *Image) setIdentity(members map[string]any, project string) error {
	if owner, ok := members["owner"]; ok && owner != project {
		return denied("You are not authorized to complete add_image action.")
	}
	id, ok := members["id"]
	if !ok {
		return nil
	}
	text, _ := id.(string)
	if len(text) != 36 || !rest.IsID(text) {
		return mismatch("id", id, "it must be a UUID")
	}
	i.ID = strings.ToLower(text)
	return nil
}

func mismatch(name string, value any, want string) error {
	b, _ := json.Marshal(value) // came from JSON
	return invalid("Provided object does not match schema 'image': %s is not valid for '%s': %s.", b, name, want)
}

func (s *Service) patch(w http.ResponseWriter, r *rest.Request) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/openstack-images-v2.1-json-patch" && kind != "application/openstack-images-v2.0-json-patch" {
		w.Header().Set("Accept-Patch", "application/openstack-images-v2.1-json-patch, application/openstack-images-v2.0-json-patch")
		return rest.Errorf(http.StatusUnsupportedMediaType, "Unsupported Media Type: a change is an application/openstack-images-v2.1-json-patch.")
	}
	changes, err := readPatch(w, r, kind)
	if err != nil {
		return err
	}
	img, err := s.change(r, "modify_image", func(img *Image) error {
		for _, c := range changes {
			if err := c.apply(img); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, img.view())
}

// change changes a copy of the image, and keeps it if change had no objection. Only the owner may.
func (s *Service) change(r *rest.Request, action string, change func(*Image) error) (*Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	img, err := s.ownedLocked(r, action)
	if err != nil {
		return nil, err
	}
	next := img.clone()
	if err := change(next); err != nil {
		return nil, err
	}
	next.UpdatedAt = s.now()
	s.images[next.ID] = next
	return s.viewLocked(next), nil
}

// ownedLocked gives the image of the path if it is the project's. One that is only visible is refused, one that is not is not there.
func (s *Service) ownedLocked(r *rest.Request, action string) (*Image, error) {
	img, ok := s.images[r.Param("id")]
	if !ok || !img.visibleTo(r.ProjectID) {
		return nil, noImage(r.Param("id"))
	}
	if img.Owner != r.ProjectID {
		return nil, denied("You are not authorized to complete %s action.", action)
	}
	return img, nil
}

// set sets one member or property to a value from JSON.
func (i *Image) set(name string, value any) error {
	switch name {
	case "name", "container_format", "disk_format":
		return i.setText(name, value)
	case "visibility":
		return i.setVisibility(value)
	case "protected", "os_hidden":
		return i.setBool(name, value)
	case "min_disk", "min_ram":
		return i.setNumber(name, value)
	case "tags":
		return i.setTags(value)
	case "locations":
		return denied("It's not allowed to add locations if locations are invisible.")
	}
	if readOnly(name) {
		return denied("Attribute '%s' is read-only.", name)
	}
	text, ok := value.(string)
	if !ok {
		return mismatch(name, value, "a property is a string")
	}
	if len(name) == 0 || utf8.RuneCountInString(name) > maxText || len(text) > 65535 || strings.ContainsRune(text, 0) {
		return mismatch(name, "…", "a property has a name of at most 255 characters and a value of at most 65535 bytes")
	}
	if _, has := i.Properties[name]; !has && len(i.Properties) >= maxProperties {
		return rest.Errorf(http.StatusRequestEntityTooLarge, "Attempted to add an image property, %d are the limit.", maxProperties)
	}
	i.Properties[name] = text
	return nil
}

func readOnly(name string) bool {
	return slices.Contains([]string{"id", "owner", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at",
		"updated_at", "self", "file", "schema", "direct_url", "stores"}, name) || strings.HasPrefix(name, "os_glance_")
}

func (i *Image) setText(name string, value any) error {
	text, ok := value.(string)
	if !ok && value != nil || utf8.RuneCountInString(text) > maxText {
		return mismatch(name, value, "a string of at most 255 characters")
	}
	formats := map[string][]string{
		"container_format": {"", "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"},
		"disk_format":      {"", "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "gpt"},
	}
	if known := formats[name]; known != nil && !slices.Contains(known, text) {
		return mismatch(name, value, "one of "+strings.Join(known[1:], ", "))
	}
	if name == "name" {
		i.Name = text
		return nil
	}
	if i.Status != Queued {
		return denied("Attribute %s can be only replaced for a queued image.", name)
	}
	if name == "disk_format" {
		i.DiskFormat = text
	} else {
		i.ContainerFormat = text
	}
	return nil
}

func (i *Image) setVisibility(value any) error {
	text, _ := value.(string)
	switch v := Visibility(text); v {
	case Public:
		return denied("You are not authorized to complete publicize_image action.")
	case Private, Shared, Community:
		i.Visibility = v
		return nil
	}
	return mismatch("visibility", value, "one of community, public, private, shared")
}

func (i *Image) setBool(name string, value any) error {
	b, ok := value.(bool)
	if !ok {
		return mismatch(name, value, "true or false")
	}
	if name == "protected" {
		i.Protected = b
	} else {
		i.Hidden = b
	}
	return nil
}

func (i *Image) setNumber(name string, value any) error {
	f, ok := value.(float64)
	if !ok || f != float64(int32(f)) || f < 0 {
		return mismatch(name, value, "a whole number, 0 or more")
	}
	if name == "min_disk" {
		i.MinDisk = int(f)
	} else {
		i.MinRAM = int(f)
	}
	return nil
}

func (i *Image) setTags(value any) error {
	list, ok := value.([]any)
	if !ok {
		return mismatch("tags", value, "a list of strings")
	}
	var tags []string
	for _, v := range list {
		tag, ok := v.(string)
		if !ok || utf8.RuneCountInString(tag) > maxText {
			return mismatch("tags", v, "a string of at most 255 characters")
		}
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	if len(tags) > maxTags {
		return tooManyTags(len(tags))
	}
	i.Tags = tags
	return nil
}

func tooManyTags(n int) error {
	return rest.Errorf(http.StatusRequestEntityTooLarge, "The limit has been exceeded on the number of allowed image tags. Attempted: %d, Maximum: %d", n, maxTags)
}

func (s *Service) delete(w http.ResponseWriter, r *rest.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	img, err := s.ownedLocked(r, "delete_image")
	if err != nil {
		return err
	}
	if img.Protected {
		return denied("Image %s is protected and cannot be deleted.", img.ID)
	}
	for _, file := range []string{s.blob(img.ID), s.staged(img.ID)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	delete(s.images, img.ID)
	return rest.NoContent(w, r, http.StatusNoContent)
}

// A patchOp is one change of a JSON patch: add, replace or remove, of one top-level member.
type patchOp struct {
	op, name string
	value    any
}

func readPatch(w http.ResponseWriter, r *rest.Request, kind string) ([]patchOp, error) {
	body, err := web.ReadBody(w, r.Request, maxBody)
	if err != nil {
		return nil, err
	}
	var raw []map[string]any
	if err := web.Decode(body, &raw, web.IgnoreUnknown); err != nil {
		return nil, err
	}
	var ops []patchOp
	for _, m := range raw {
		op, path := "", ""
		if kind == "application/openstack-images-v2.0-json-patch" {
			for _, name := range []string{"add", "replace", "remove"} {
				if p, ok := m[name].(string); ok {
					op, path = name, p
				}
			}
		} else {
			op, _ = m["op"].(string)
			path, _ = m["path"].(string)
		}
		value, hasValue := m["value"]
		if !slices.Contains([]string{"add", "replace", "remove"}, op) {
			return nil, invalid("Unable to find '%s' in JSON Schema change. It must be one of the following: add, remove, replace.", op)
		}
		if op != "remove" && !hasValue {
			return nil, invalid("Operation \"%s\" requires a member named \"value\".", op)
		}
		name, err := patchName(path)
		if err != nil {
			return nil, err
		}
		ops = append(ops, patchOp{op, name, value})
	}
	return ops, nil
}

// patchName reads a JSON pointer of one step (RFC 6901).
func patchName(path string) (string, error) {
	name, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", invalid("Pointer `%s` does not start with \"/\".", path)
	}
	if name == "" || strings.Contains(name, "/") {
		return "", invalid("Invalid JSON pointer for this resource: '%s'", path)
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name), nil
}

func (p patchOp) apply(i *Image) error {
	base := readOnly(p.name) || slices.Contains([]string{"name", "container_format", "disk_format", "visibility", "protected", "os_hidden", "min_disk",
		"min_ram", "tags", "locations"}, p.name)
	_, has := i.Properties[p.name]
	switch {
	case base && p.op == "remove":
		return denied("Property %s may not be removed", p.name)
	case !base && !has && p.op != "add":
		return conflict("Property %s does not exist.", p.name)
	case p.op == "remove":
		delete(i.Properties, p.name)
		return nil
	}
	if p.name == "owner" && p.value != i.Owner {
		return denied("You are not authorized to complete modify_image action.")
	}
	if p.name == "owner" {
		return nil
	}
	return i.set(p.name, p.value)
}
