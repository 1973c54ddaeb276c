package network

import (
	"cmp"
	"math/big"
	"net/http"
	"net/netip"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A subnetPool is what subnets are cut from.
type subnetPool struct {
	header
	Prefixes       []string  `json:"prefixes"`
	IPVersion      rest.Int  `json:"ip_version"`
	MinPrefix      rest.Int  `json:"min_prefixlen"`
	MaxPrefix      rest.Int  `json:"max_prefixlen"`
	DefaultPrefix  rest.Int  `json:"default_prefixlen"`
	DefaultQuota   *rest.Int `json:"default_quota"`
	AddressScopeID *string   `json:"address_scope_id"`
	Shared         bool      `json:"shared"`
	IsDefault      bool      `json:"is_default"`
}

// An addressScope holds pools whose addresses do not overlap.
type addressScope struct {
	header
	IPVersion rest.Int `json:"ip_version"`
	Shared    bool     `json:"shared"`
}

func (s *Service) addressScopes() *collection[addressScope, *addressScope] {
	return &collection[addressScope, *addressScope]{
		s: s, one: "address_scope", many: "address_scopes", path: "address-scopes", kind: "AddressScope", notFound: "Address scope %s could not be found.",
		items: func() map[string]*addressScope { return s.state.AddressScopes },
		post:  []string{"name", "ip_version"},
		put:   []string{"name"},
		create: func(_ string, a *addressScope) error {
			if a.IPVersion != 4 && a.IPVersion != 6 {
				return invalidInput("ip_version", "", "is not in [4, 6]")
			}
			return nil
		},
		update: func(string, *addressScope, *addressScope) error { return nil },
		remove: func(a *addressScope) error {
			for _, p := range s.state.Pools {
				if p.AddressScopeID != nil && *p.AddressScopeID == a.ID {
					return rest.TypedErrorf(http.StatusConflict, "AddressScopeInUse",
						"Unable to complete operation on address scope %s. There are one or more subnet pools in use on the address scope.", a.ID)
				}
			}
			return nil
		},
	}
}

func (s *Service) subnetPools() *collection[subnetPool, *subnetPool] {
	members := []string{"name", "description", "prefixes", "default_prefixlen", "min_prefixlen", "max_prefixlen", "default_quota", "address_scope_id"}
	return &collection[subnetPool, *subnetPool]{
		s: s, one: "subnetpool", many: "subnetpools", path: "subnetpools", kind: "SubnetPool", notFound: "Subnet pool %s could not be found.",
		items: func() map[string]*subnetPool { return s.state.Pools },
		post:  members, put: members,
		create: s.checkPool,
		update: func(project string, old, changed *subnetPool) error {
			for _, p := range old.Prefixes {
				if !covered(changed.Prefixes, netip.MustParsePrefix(p)) {
					return rest.TypedErrorf(http.StatusBadRequest, "IllegalSubnetPoolPrefixUpdate", "Illegal subnetpool update: prefixes can only be added.")
				}
			}
			return s.checkPool(project, changed)
		},
		remove: func(p *subnetPool) error {
			if len(s.cutFrom(p.ID)) > 0 {
				return rest.TypedErrorf(http.StatusBadRequest, "SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations.")
			}
			return nil
		},
	}
}

func covered(prefixes []string, p netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(text string) bool {
		big, err := netip.ParsePrefix(text)
		return err == nil && big.Bits() <= p.Bits() && big.Contains(p.Addr())
	})
}

// checkPool brings the prefixes into canonical form and order, and fills in the lengths that were left out.
func (s *Service) checkPool(project string, p *subnetPool) error {
	if len(p.Prefixes) == 0 {
		return rest.TypedErrorf(http.StatusBadRequest, "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.")
	}
	var all []netip.Prefix
	for _, text := range p.Prefixes {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return invalidInput("prefixes", text, "is not a valid IP subnet")
		}
		if all = append(all, prefix.Masked()); prefix.Addr().Is4() != all[0].Addr().Is4() {
			return rest.TypedErrorf(http.StatusBadRequest, "PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
		}
	}
	p.IPVersion = rest.Int(version(all[0].Addr()))
	p.Prefixes = joined(all)
	if p.AddressScopeID != nil {
		if _, err := s.addressScopes().find(project, *p.AddressScopeID); err != nil {
			return err
		}
	}
	least, most := rest.Int(8), rest.Int(32)
	if p.IPVersion == 6 {
		least, most = 64, 128
	}
	p.MinPrefix, p.MaxPrefix = cmp.Or(p.MinPrefix, least), cmp.Or(p.MaxPrefix, most)
	p.DefaultPrefix = cmp.Or(p.DefaultPrefix, p.MinPrefix)
	if p.MinPrefix > p.MaxPrefix || p.DefaultPrefix < p.MinPrefix || p.DefaultPrefix > p.MaxPrefix {
		return rest.TypedErrorf(http.StatusBadRequest, "IllegalSubnetPoolPrefixBounds",
			"Illegal prefix bounds: min_prefixlen=%d, default_prefixlen=%d, max_prefixlen=%d.", p.MinPrefix, p.DefaultPrefix, p.MaxPrefix)
	}
	return nil
}

// joined drops what another prefix holds, makes one of two halves, and sorts.
func joined(all []netip.Prefix) []string {
	for i := 0; i < len(all); i++ {
		for j := range all {
			if i != j && all[i].Bits() <= all[j].Bits() && all[i].Contains(all[j].Addr()) {
				return joined(slices.Delete(all, j, j+1))
			}
			if parent := netip.PrefixFrom(all[i].Addr(), all[i].Bits()-1).Masked(); i != j && all[i].Bits() == all[j].Bits() && all[i].Bits() > 0 && parent.Contains(all[j].Addr()) {
				all[i] = parent
				return joined(slices.Delete(all, j, j+1))
			}
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return out
}

func (s *Service) cutFrom(poolID string) []netip.Prefix {
	var out []netip.Prefix
	for _, sn := range s.state.Subnets {
		if sn.SubnetPoolID != nil && *sn.SubnetPoolID == poolID {
			out = append(out, netip.MustParsePrefix(sn.CIDR))
		}
	}
	return out
}

// cut gives a subnet of a pool its range: the one it asks for, or the first that is free of the length it asks for.
func (s *Service) cut(project string, sn *subnet) error {
	p, err := s.subnetPools().find(project, *sn.SubnetPoolID)
	if err != nil {
		return err
	}
	sn.IPVersion = cmp.Or(sn.IPVersion, p.IPVersion)
	bits := cmp.Or(sn.PrefixLength, p.DefaultPrefix)
	if asked, err := netip.ParsePrefix(sn.CIDR); err == nil {
		bits = rest.Int(asked.Bits())
	}
	if bits < p.MinPrefix || bits > p.MaxPrefix {
		return rest.TypedErrorf(http.StatusBadRequest, "MinPrefixSubnetAllocationError",
			"Unable to allocate subnet with prefix length %d, the pool allows %d to %d.", bits, p.MinPrefix, p.MaxPrefix)
	}
	taken := s.cutFrom(p.ID)
	if sn.CIDR != "" {
		asked, err := netip.ParsePrefix(sn.CIDR)
		if err == nil && covered(p.Prefixes, asked) && !overlaps(taken, asked) {
			return nil
		}
		return rest.TypedErrorf(http.StatusConflict, "SubnetAllocationError", "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.")
	}
	for _, text := range p.Prefixes {
		if free, ok := firstFree(netip.MustParsePrefix(text), int(bits), taken); ok {
			sn.CIDR = free.String()
			return nil
		}
	}
	return rest.TypedErrorf(http.StatusConflict, "SubnetAllocationError", "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /%d.", bits)
}

func overlaps(taken []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(taken, p.Overlaps)
}

// firstFree gives the first range of so many bits in a prefix. A range that is in the way is stepped over at once, however large.
func firstFree(in netip.Prefix, bits int, taken []netip.Prefix) (netip.Prefix, bool) {
	if bits < in.Bits() {
		return netip.Prefix{}, false
	}
	for at := netip.PrefixFrom(in.Addr(), bits); at.IsValid() && in.Contains(at.Addr()); {
		i := slices.IndexFunc(taken, at.Overlaps)
		if i < 0 {
			return at, true
		}
		end := lastAddr(at)
		if other := lastAddr(taken[i]); end.Less(other) {
			end = other
		}
		at = after(end, bits)
	}
	return netip.Prefix{}, false
}

// after is the first range of so many bits that begins behind an address; not valid behind the last.
func after(a netip.Addr, bits int) netip.Prefix {
	next := a.Next()
	if !next.IsValid() {
		return netip.Prefix{}
	}
	p := netip.PrefixFrom(next, bits).Masked()
	if p.Addr() == next {
		return p
	}
	size := new(big.Int).Lsh(big.NewInt(1), uint(next.BitLen()-bits))
	b := new(big.Int).Add(new(big.Int).SetBytes(p.Addr().AsSlice()), size)
	if b.BitLen() > next.BitLen() {
		return netip.Prefix{}
	}
	up, _ := netip.AddrFromSlice(b.FillBytes(make([]byte, next.BitLen()/8))) // it has an address's length
	return netip.PrefixFrom(up, bits)
}
