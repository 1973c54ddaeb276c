package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"
)

// A PolicyQuery narrows a list of policies; empty members do not.
type PolicyQuery struct {
	Actions, Identities, Resources []string
	ReadOnly                       *bool
	Details                        bool
}

func (f PolicyQuery) params() url.Values {
	v := url.Values{}
	for name, list := range map[string][]string{"action[]": f.Actions, "identity[]": f.Identities, "resourceURN[]": f.Resources} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	if f.ReadOnly != nil {
		v.Set("readOnly", strconv.FormatBool(*f.ReadOnly))
	}
	if f.Details {
		v.Set("details", "true")
	}
	return v
}

// Policies lists policies.
func (c *Client) Policies(ctx context.Context, f PolicyQuery) ([]Policy, error) {
	return pages[Policy](ctx, c, "/v2/iam/policy", f.params())
}

// Policy reads one policy, with what it names expanded if details.
func (c *Client) Policy(ctx context.Context, id string, details bool) (Policy, error) {
	return get[Policy](ctx, c, "/v2/iam/policy/"+url.PathEscape(id), PolicyQuery{Details: details}.params())
}

// CreatePolicy makes a policy.
func (c *Client) CreatePolicy(ctx context.Context, in Policy) (Policy, error) {
	return write[Policy](ctx, c, http.MethodPost, "/v2/iam/policy", in)
}

// ReplacePolicy sets everything of a policy but its read-only members.
func (c *Client) ReplacePolicy(ctx context.Context, id string, in Policy) (Policy, error) {
	return write[Policy](ctx, c, http.MethodPut, "/v2/iam/policy/"+url.PathEscape(id), in)
}

// DeletePolicy deletes a policy; what it granted ends at once.
func (c *Client) DeletePolicy(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodDelete, "/v2/iam/policy/"+url.PathEscape(id), nil)
}

// PermissionsGroups lists permissions groups, those built in and our own.
func (c *Client) PermissionsGroups(ctx context.Context) ([]PermissionsGroup, error) {
	return pages[PermissionsGroup](ctx, c, "/v2/iam/permissionsGroup", nil)
}

// PermissionsGroup reads one permissions group.
func (c *Client) PermissionsGroup(ctx context.Context, urn string) (PermissionsGroup, error) {
	return get[PermissionsGroup](ctx, c, "/v2/iam/permissionsGroup/"+url.PathEscape(urn), nil)
}

// CreatePermissionsGroup makes a permissions group.
func (c *Client) CreatePermissionsGroup(ctx context.Context, in PermissionsGroup) (PermissionsGroup, error) {
	return write[PermissionsGroup](ctx, c, http.MethodPost, "/v2/iam/permissionsGroup", in)
}

// ReplacePermissionsGroup sets everything of a permissions group but its read-only members.
func (c *Client) ReplacePermissionsGroup(ctx context.Context, urn string, in PermissionsGroup) (PermissionsGroup, error) {
	return write[PermissionsGroup](ctx, c, http.MethodPut, "/v2/iam/permissionsGroup/"+url.PathEscape(urn), in)
}

// DeletePermissionsGroup deletes a permissions group.
func (c *Client) DeletePermissionsGroup(ctx context.Context, urn string) error {
	return c.tell(ctx, http.MethodDelete, "/v2/iam/permissionsGroup/"+url.PathEscape(urn), nil)
}

func groupPath(id string) string { return "/v2/iam/resourceGroup/" + url.PathEscape(id) }

func detailed(details bool) url.Values { return PolicyQuery{Details: details}.params() }

// ResourceGroups lists resource groups.
func (c *Client) ResourceGroups(ctx context.Context, details bool) ([]ResourceGroup, error) {
	return pages[ResourceGroup](ctx, c, "/v2/iam/resourceGroup", detailed(details))
}

// ResourceGroup reads one resource group.
func (c *Client) ResourceGroup(ctx context.Context, id string, details bool) (ResourceGroup, error) {
	return get[ResourceGroup](ctx, c, groupPath(id), detailed(details))
}

// CreateResourceGroup makes a resource group.
func (c *Client) CreateResourceGroup(ctx context.Context, in ResourceGroup) (ResourceGroup, error) {
	return write[ResourceGroup](ctx, c, http.MethodPost, "/v2/iam/resourceGroup", in)
}

// ReplaceResourceGroup sets name and resources of a resource group.
func (c *Client) ReplaceResourceGroup(ctx context.Context, id string, in ResourceGroup) (ResourceGroup, error) {
	return write[ResourceGroup](ctx, c, http.MethodPut, groupPath(id), in)
}

// DeleteResourceGroup deletes a resource group.
func (c *Client) DeleteResourceGroup(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodDelete, groupPath(id), nil)
}

// A ResourceQuery narrows a list of resources; empty members do not. URNs may be patterns.
type ResourceQuery struct {
	Names, Types, URNs []string
	Tags               map[string][]TagFilter
}

// Resources lists the resources that we can see.
func (c *Client) Resources(ctx context.Context, f ResourceQuery) ([]Resource, error) {
	params := url.Values{}
	for name, list := range map[string][]string{"resourceName[]": f.Names, "resourceType[]": f.Types, "resourceURN[]": f.URNs} {
		if len(list) > 0 {
			params[name] = list
		}
	}
	if len(f.Tags) > 0 {
		b, err := json.Marshal(f.Tags)
		if err != nil {
			return nil, fmt.Errorf("encode the tag filters: %w", err)
		}
		params.Set("tags", string(b))
	}
	return pages[Resource](ctx, c, "/v2/iam/resource", params)
}

func resourcePath(urn string) string { return "/v2/iam/resource/" + url.PathEscape(urn) }

// Resource reads one resource.
func (c *Client) Resource(ctx context.Context, urn string) (Resource, error) {
	return get[Resource](ctx, c, resourcePath(urn), nil)
}

// SetTags replaces all tags of a resource.
func (c *Client) SetTags(ctx context.Context, urn string, tags map[string]string) (Resource, error) {
	return write[Resource](ctx, c, http.MethodPut, resourcePath(urn), map[string]any{"tags": tags})
}

// AddTag sets one tag of a resource.
func (c *Client) AddTag(ctx context.Context, urn, key, value string) error {
	return c.tell(ctx, http.MethodPost, resourcePath(urn)+"/tag", Tag{Key: key, Value: value})
}

// RemoveTag removes one tag of a resource.
func (c *Client) RemoveTag(ctx context.Context, urn, key string) error {
	return c.tell(ctx, http.MethodDelete, resourcePath(urn)+"/tag/"+url.PathEscape(key), nil)
}

// Check asks which of the actions we may do on one resource.
func (c *Client) Check(ctx context.Context, urn string, actions []string) (CheckResult, error) {
	return write[CheckResult](ctx, c, http.MethodPost, resourcePath(urn)+"/authorization/check", Check{Actions: actions})
}

// CheckAll asks which of the actions we may do on each of the resources.
func (c *Client) CheckAll(ctx context.Context, in Check) ([]CheckResult, error) {
	return write[[]CheckResult](ctx, c, http.MethodPost, "/v2/iam/authorization/check", in)
}

// ReferenceActions lists the actions that policies can name; of all resource types if none is given.
func (c *Client) ReferenceActions(ctx context.Context, resourceTypes ...string) ([]ReferenceAction, error) {
	params := url.Values{}
	if len(resourceTypes) > 0 {
		params["resourceType[]"] = resourceTypes
	}
	return get[[]ReferenceAction](ctx, c, "/v2/iam/reference/action", params)
}

// ResourceTypes lists the types of resource that policies can name.
func (c *Client) ResourceTypes(ctx context.Context) ([]string, error) {
	return get[[]string](ctx, c, "/v2/iam/reference/resource/type", nil)
}
