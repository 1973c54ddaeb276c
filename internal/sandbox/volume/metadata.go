package volume

import (
	"maps"
	"net/http"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// metadataOf gives where the metadata of a volume or snapshot is.
func (s *Service) metadataOf(kind string, r *rest.Request) (*map[string]string, error) {
	if kind == "snapshots" {
		x, err := s.snapshotLocked(r.ProjectID, r.Param("id"))
		if err != nil {
			return nil, err
		}
		return &x.Metadata, nil
	}
	v, err := s.volumeLocked(r.ProjectID, r.Param("id"))
	if err != nil {
		return nil, err
	}
	return &v.Metadata, nil
}

func (s *Service) getMetadata(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"metadata": orEmpty(*m)})
	}
}

// setMetadata adds to the metadata, or replaces it.
func (s *Service) setMetadata(kind string, replace bool) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		var body struct {
			Metadata map[string]string `json:"metadata"`
		}
		if err := rest.Read(w, r, &body); err != nil {
			return err
		}
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		next := map[string]string{}
		if !replace {
			maps.Copy(next, *m)
		}
		maps.Copy(next, body.Metadata)
		if err := checkTexts("", "", next); err != nil {
			return err
		}
		*m = next
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"metadata": next})
	}
}

func (s *Service) getMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		value, ok := (*m)[r.Param("key")]
		if !ok {
			return noKey(kind, r)
		}
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"meta": map[string]string{r.Param("key"): value}})
	}
}

func noKey(kind string, r *rest.Request) error {
	return notFound("%s %s has no metadata with key %s.", map[string]string{"volumes": "Volume", "snapshots": "Snapshot"}[kind], r.Param("id"), r.Param("key"))
}

func (s *Service) setMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		var body struct {
			Meta map[string]string `json:"meta"`
		}
		if err := rest.Read(w, r, &body); err != nil {
			return err
		}
		value, ok := body.Meta[r.Param("key")]
		if !ok || len(body.Meta) != 1 {
			return invalid("Request body and URI mismatch")
		}
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		next := maps.Clone(orEmpty(*m))
		next[r.Param("key")] = value
		if err := checkTexts("", "", next); err != nil {
			return err
		}
		*m = next
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"meta": body.Meta})
	}
}

func (s *Service) deleteMetadataKey(kind string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		m, err := s.metadataOf(kind, r)
		if err != nil {
			return err
		}
		if _, ok := (*m)[r.Param("key")]; !ok {
			return noKey(kind, r)
		}
		delete(*m, r.Param("key"))
		return rest.NoContent(w, r, http.StatusOK)
	}
}
