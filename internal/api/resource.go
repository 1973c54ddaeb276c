package api

import (
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
)

// A Resource is OVHcloud's iam.resource.Resource. Only its tags can be changed.
type Resource struct {
	ID          string            `json:"id"`
	URN         string            `json:"urn"`
	Name        string            `json:"name"`
	DisplayName string            `json:"displayName"`
	Type        string            `json:"type"`
	Owner       string            `json:"owner"`
	Tags        map[string]string `json:"tags"`
}

func wireResource(r iam.Resource) Resource {
	tags := r.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return Resource{ID: r.ID, URN: string(r.URN), Name: r.Name, DisplayName: r.DisplayName, Type: typeOf(string(r.URN)), Owner: r.Owner.Name, Tags: tags}
}

// typeOf gives the resource type in urn:v1:<partition>:resource:<type>:<name>.
func typeOf(u string) string {
	parts := strings.SplitN(u, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// groupID gives the id in urn:v1:<partition>:resourceGroup:<id>.
func groupID(u string) (string, bool) {
	parts := strings.SplitN(u, ":", 5)
	if len(parts) < 5 || parts[3] != "resourceGroup" {
		return "", false
	}
	return parts[4], true
}
