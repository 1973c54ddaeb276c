package aitraining

import (
	"net/http"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (s *Service) me(w http.ResponseWriter, r *rest.Request) error {
	role := "ai_training_read"
	if strings.Contains(","+r.Header.Get("X-Roles")+",", ",ai_training_all,") {
		role = "ai_training_operator"
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{
		"name": user(r), "tenant": r.ProjectID, "role": role, "token_kind": "oauth", "trust_id": nil, "quotas": s.quotas(r.ProjectID),
	})
}

func (s *Service) quotas(project string) map[string]any {
	return map[string]any{"resources": map[string]int{"totalGpu": s.c.MaxGPUs, "usedGpu": s.gpusLocked(project)}, "storage": map[string]any{}}
}

func (s *Service) quota(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, s.quotas(r.ProjectID))
}

func flavors() []map[string]any {
	const gib = 1 << 30
	return []map[string]any{
		{"id": "ai1-1-cpu", "description": "1 virtual CPU", "type": "cpu", "max": 12, "default": true,
			"resourcesPerUnit": map[string]any{"cpu": 1, "memory": 4 * gib, "ephemeralStorage": 10 * gib, "publicNetwork": 250_000_000}},
		{"id": "ai1-1-gpu", "description": "NVIDIA V100S", "type": "gpu", "max": 4, "default": false,
			"resourcesPerUnit": map[string]any{"cpu": 13, "memory": 40 * gib, "ephemeralStorage": 750 * gib, "publicNetwork": 1_500_000_000},
			"gpuInformation":   map[string]any{"gpuModel": "Tesla-V100S", "gpuBrand": "NVIDIA", "gpuMemory": 32 * gib}},
		{"id": "l4-1-gpu", "description": "NVIDIA L4", "type": "gpu", "max": 4, "default": false,
			"resourcesPerUnit": map[string]any{"cpu": 22, "memory": 80 * gib, "ephemeralStorage": 350 * gib, "publicNetwork": 2_000_000_000},
			"gpuInformation":   map[string]any{"gpuModel": "L4", "gpuBrand": "NVIDIA", "gpuMemory": 24 * gib}},
	}
}

func (s *Service) flavor(w http.ResponseWriter, r *rest.Request) error {
	for _, f := range flavors() {
		if f["id"] == r.Param("id") {
			return rest.WriteJSON(w, r, http.StatusOK, f)
		}
	}
	return rest.Errorf(http.StatusNotFound, "flavor %s not found", r.Param("id"))
}

func images() []map[string]any {
	return []map[string]any{
		{"id": "ovhcom/ai-training-pytorch", "name": "PyTorch", "version": "latest"},
		{"id": "ovhcom/ai-training-tensorflow", "name": "TensorFlow", "version": "latest"},
		{"id": "ovhcom/ai-training-transformers", "name": "Transformers", "version": "latest"},
	}
}
