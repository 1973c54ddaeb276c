package network

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// An addressGroup is a list of ranges that rules of security groups name.
type addressGroup struct {
	header
	Addresses []string `json:"addresses"`
	Shared    bool     `json:"shared"`
}

func (s *Service) addressGroups() *collection[addressGroup, *addressGroup] {
	return &collection[addressGroup, *addressGroup]{
		s: s, one: "address_group", many: "address_groups", path: "address-groups", kind: "AddressGroup", notFound: "Address group %s could not be found.",
		items:    func() map[string]*addressGroup { return s.state.AddressGroups },
		post:     []string{"name", "description", "addresses"},
		put:      []string{"name", "description"},
		defaults: func() addressGroup { return addressGroup{Addresses: []string{}} },
		create: func(_ string, g *addressGroup) (err error) {
			g.Addresses, err = ranges(g.Addresses)
			return err
		},
		update: func(string, *addressGroup, *addressGroup) error { return nil },
		remove: func(g *addressGroup) error {
			for _, r := range s.state.Rules {
				if r.RemoteAddressID != nil && *r.RemoteAddressID == g.ID {
					return rest.TypedErrorf(http.StatusConflict, "AddressGroupInUse", "Address group %s is in use on one or more security group rules.", g.ID)
				}
			}
			return nil
		},
	}
}

// ranges brings addresses into canonical form: an address is a range of one.
func ranges(texts []string) ([]string, error) {
	out := []string{}
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, err2 := netip.ParseAddr(text); err2 == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, invalidInput("addresses", text, "is not a valid IP subnet")
		}
		if canonical := p.Masked().String(); !slices.Contains(out, canonical) {
			out = append(out, canonical)
		}
	}
	return out, nil
}

func (s *Service) addressRoutes(rt *rest.Router) {
	rt.Handle("PUT /v2.0/address-groups/{id}/add_addresses", s.changeAddresses(func(g *addressGroup, more []string) error {
		for _, a := range more {
			if !slices.Contains(g.Addresses, a) {
				g.Addresses = append(slices.Clone(g.Addresses), a)
			}
		}
		return nil
	}))
	rt.Handle("PUT /v2.0/address-groups/{id}/remove_addresses", s.changeAddresses(func(g *addressGroup, less []string) error {
		for _, a := range less {
			if !slices.Contains(g.Addresses, a) {
				return rest.TypedErrorf(http.StatusNotFound, "AddressesNotFound", "Addresses %s not found in the address group %s.", strings.Join(less, ", "), g.ID)
			}
		}
		g.Addresses = slices.DeleteFunc(slices.Clone(g.Addresses), func(a string) bool { return slices.Contains(less, a) })
		return nil
	}))
}

func (s *Service) changeAddresses(change func(*addressGroup, []string) error) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		g, err := s.addressGroups().findOwn(r.ProjectID, r.Param("id"), "update")
		if err != nil {
			return err
		}
		var in struct {
			Group struct {
				Addresses []string `json:"addresses"`
			} `json:"address_group"`
		}
		if err := rest.Read(w, r, &in); err != nil {
			return err
		}
		addresses, err := ranges(in.Group.Addresses)
		if err == nil {
			err = change(g, addresses)
		}
		if err != nil {
			return err
		}
		s.touch(&g.header)
		return s.addressGroups().write(w, r, http.StatusOK, g)
	}
}

// A share lets another project see an object.
type share struct {
	header
	NoName        string   `json:"name,omitempty"` // hides the header's: a share has neither
	NoDescription string   `json:"description,omitempty"`
	NoTags        []string `json:"tags,omitempty"`
	ObjectType    string   `json:"object_type"`
	ObjectID      string   `json:"object_id"`
	Action        string   `json:"action"`
	Target        string   `json:"target_tenant"`
	Target2       string   `json:"target_project,omitempty"` // the newer name of the same
}

func (s *Service) shares() *collection[share, *share] {
	return &collection[share, *share]{
		s: s, one: "rbac_policy", many: "rbac_policies", path: "rbac-policies", kind: "RbacPolicy", notFound: "RBAC policy of id %s not found.",
		items:  func() map[string]*share { return s.state.Shares },
		post:   []string{"object_type", "object_id", "action", "target_tenant", "target_project"},
		put:    []string{"target_tenant", "target_project"},
		create: s.createShare,
		update: func(_ string, _, changed *share) error {
			changed.settle()
			return nil
		},
		remove: func(*share) error { return nil },
		view:   func(p *share, m map[string]any) { m["target_project"] = p.Target },
	}
}

// settle leaves one name of the two for whom it is.
func (p *share) settle() {
	if p.Target2 != "" {
		p.Target, p.Target2 = p.Target2, ""
	}
}

func (s *Service) createShare(project string, p *share) error {
	p.settle()
	if p.Target == "" || p.Target == "*" {
		return disallowed("create_rbac_policy:target_tenant") // everybody: the operator's business
	}
	own := map[string]func() (resource, error){
		"network":        func() (resource, error) { return s.networks().findOwn(project, p.ObjectID, "create_rbac_policy:on") },
		"security_group": func() (resource, error) { return s.groups().findOwn(project, p.ObjectID, "create_rbac_policy:on") },
		"address_group": func() (resource, error) {
			return s.addressGroups().findOwn(project, p.ObjectID, "create_rbac_policy:on")
		},
		"address_scope": func() (resource, error) {
			return s.addressScopes().findOwn(project, p.ObjectID, "create_rbac_policy:on")
		},
		"subnetpool": func() (resource, error) { return s.subnetPools().findOwn(project, p.ObjectID, "create_rbac_policy:on") },
	}[p.ObjectType]
	if own == nil {
		return rest.TypedErrorf(http.StatusBadRequest, "InvalidInput", "Invalid input for operation: Object type %s is not supported.", p.ObjectType)
	}
	if _, err := own(); err != nil {
		return err
	}
	if p.Action != "access_as_shared" {
		return rest.TypedErrorf(http.StatusBadRequest, "InvalidInput", "Invalid input for operation: Action %s is not allowed.", p.Action)
	}
	for _, other := range s.state.Shares {
		if other.ObjectID == p.ObjectID && other.Action == p.Action && other.Target == p.Target {
			return rest.TypedErrorf(http.StatusConflict, "DuplicatePolicyError", "An RBAC policy already exists with those values.")
		}
	}
	return nil
}

// sharedWith says whether a share lets a project see an object.
func (s *Service) sharedWith(project, objectID string) bool {
	for _, p := range s.state.Shares {
		if p.ObjectID == objectID && p.Target == project {
			return true
		}
	}
	return false
}
