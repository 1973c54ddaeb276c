package volume

import (
	"net/http"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (t Type) view() map[string]any {
	return map[string]any{
		"id": t.ID, "name": t.Name, "description": t.Description, "is_public": true, "os-volume-type-access:is_public": true, "qos_specs_id": nil,
		"extra_specs": map[string]any{},
	}
}

func (s *Service) listTypes(w http.ResponseWriter, r *rest.Request) error {
	views := []any{}
	if only := r.URL.Query().Get("is_public"); only != "False" && only != "false" {
		for _, t := range s.types() {
			views = append(views, t.view())
		}
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume_types": views})
}

// typeByID is typeOf without its default: only an id, or the word default, names a type in a path.
func (s *Service) typeByID(id string) (Type, error) {
	if id == "default" {
		return s.types()[0], nil
	}
	t, ok := s.typeOf(id)
	if !ok || t.ID != id {
		return Type{}, notFound("Volume type %s could not be found.", id)
	}
	return t, nil
}

func (s *Service) showType(w http.ResponseWriter, r *rest.Request) error {
	t, err := s.typeByID(r.Param("id"))
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"volume_type": t.view()})
}

func (s *Service) extraSpecs(w http.ResponseWriter, r *rest.Request) error {
	if _, err := s.typeByID(r.Param("id")); err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extra_specs": map[string]any{}})
}

func (s *Service) zones(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"availabilityZoneInfo": []any{
		map[string]any{"zoneName": "nova", "zoneState": map[string]bool{"available": true}},
	}})
}

func known() []map[string]any {
	var all []map[string]any
	for _, e := range [][3]string{
		{"os-availability-zone", "AvailabilityZones", "Describe availability zones."}, {"backups", "Backups", "Back volumes up and restore them."},
		{"os-quota-sets", "Quotas", "See quotas."}, {"os-types-extra-specs", "TypesExtraSpecs", "See what a volume type stands for."},
		{"os-volume-actions", "VolumeActions", "Act on volumes."}, {"os-volume-transfer", "VolumeTransfer", "Give a volume to another project."},
		{"os-volume-image-metadata", "VolumeImageMetadata", "Show what a volume knows of its image."},
	} {
		all = append(all, map[string]any{"alias": e[0], "name": e[1], "description": e[2], "updated": "2013-04-18T00:00:00+00:00", "links": []any{}})
	}
	return all
}

func (s *Service) extensions(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extensions": known()})
}

func (s *Service) extension(w http.ResponseWriter, r *rest.Request) error {
	for _, e := range known() {
		if e["alias"] == r.Param("id") {
			return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"extension": e})
		}
	}
	return notFound("The resource could not be found.")
}
