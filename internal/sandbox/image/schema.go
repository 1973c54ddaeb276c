package image

import (
	"net/http"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (s *Service) infoImport(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"import-methods": map[string]any{
		"description": "Import methods available.", "type": "array", "value": []string{importMethod},
	}})
}

func (s *Service) infoStores(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"stores": []any{map[string]any{"id": storeName, "default": "true"}}})
}

func (s *Service) schema(w http.ResponseWriter, r *rest.Request) error {
	schema := map[string]func() map[string]any{
		"image": imageSchema, "member": memberSchema,
		"images":  func() map[string]any { return listSchema("images", imageSchema()) },
		"members": func() map[string]any { return listSchema("members", memberSchema()) },
	}[r.Param("name")]
	if schema == nil {
		return notFound("The resource could not be found.")
	}
	return rest.WriteJSON(w, r, http.StatusOK, schema())
}

func imageSchema() map[string]any {
	text := func(about string) map[string]any {
		return map[string]any{"type": []string{"null", "string"}, "maxLength": maxText, "description": about}
	}
	fixed := func(kind any, about string) map[string]any {
		return map[string]any{"type": kind, "readOnly": true, "description": about}
	}
	number := func(about string) map[string]any {
		return map[string]any{"type": "integer", "minimum": 0, "description": about}
	}
	truth := func(about string) map[string]any { return map[string]any{"type": "boolean", "description": about} }
	return map[string]any{
		"name": "image", "additionalProperties": map[string]any{"type": "string"},
		"links": []any{
			map[string]string{"rel": "self", "href": "{self}"}, map[string]string{"rel": "enclosure", "href": "{file}"},
			map[string]string{"rel": "describedby", "href": "{schema}"},
		},
		"properties": map[string]any{
			"id":               map[string]any{"type": "string", "description": "The image's UUID"},
			"name":             text("What people call the image"),
			"container_format": text("What the data is wrapped in"), "disk_format": text("How the data is laid out"),
			"visibility": map[string]any{"type": "string", "enum": []string{"community", "public", "private", "shared"}, "description": "Who sees it"},
			"protected":  truth("Whether it can be deleted"), "os_hidden": truth("Whether lists leave it out"),
			"min_disk": number("Disk in GiB that a server needs"), "min_ram": number("Memory in MiB that a server needs"),
			"owner":  text("The project it belongs to"),
			"tags":   map[string]any{"type": "array", "items": map[string]any{"type": "string", "maxLength": maxText}, "description": "Words to find it by"},
			"status": fixed("string", "Where it is in its life"), "size": fixed([]string{"null", "integer"}, "Bytes"),
			"virtual_size": fixed([]string{"null", "integer"}, "Bytes when unpacked"), "checksum": fixed([]string{"null", "string"}, "MD5 of the data"),
			"os_hash_algo": fixed([]string{"null", "string"}, "What os_hash_value was made with"), "os_hash_value": fixed([]string{"null", "string"}, "Hash of the data"),
			"created_at": fixed("string", "When it was made"), "updated_at": fixed("string", "When it last changed"),
			"self": fixed("string", "Its address"), "file": fixed("string", "Its data's address"), "schema": fixed("string", "This schema's address"),
		},
	}
}

func memberSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"name": "member", "properties": map[string]any{
		"image_id": text, "member_id": text, "created_at": text, "updated_at": text, "schema": text,
		"status": map[string]any{"type": "string", "enum": []string{"pending", "accepted", "rejected"}},
	}}
}

func listSchema(name string, item map[string]any) map[string]any {
	return map[string]any{"name": name, "properties": map[string]any{
		name:    map[string]any{"type": "array", "items": item},
		"first": map[string]any{"type": "string"}, "next": map[string]any{"type": "string"}, "schema": map[string]any{"type": "string"},
	}}
}
