package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/urn"
)

// Bounds of numbers of things. More is TooLarge.
const (
	MaxServiceAccounts   = 10000 // per account
	MaxSecrets           = 10    // per service account
	MaxPolicies          = 10000 // per account
	MaxPermissionsGroups = 1000  // per account
	MaxResourceGroups    = 1000  // per account
	MaxIdentities        = 1000  // per policy
	MaxResources         = 1000  // per policy and per resource group
	MaxStatements        = 1000  // per policy and per permissions group: allow, deny and except together
	MaxPolicyGroups      = 100   // permissions groups per policy
	MaxTags              = 50    // per resource
	MaxConditionEntries  = 100   // conditions and entries of MATCH, in one policy
)

// Bounds of texts and of depth. More is Invalid.
const (
	MaxNameLength        = 128  // characters
	MaxDescriptionLength = 1024 // characters
	MaxActionLength      = 256  // bytes, of a glob, too
	MaxTagKey            = 128  // bytes
	MaxTagValue          = 256  // bytes
	MaxConditionDepth    = 3
	MaxConditionKey      = 256  // bytes
	MaxConditionValue    = 2048 // bytes
)

// What is reserved: names of policies and keys of tags that start so are the system's.
const (
	reservedPolicyPrefix = "ovh-"
	reservedTagPrefix    = "ovh:"
)

// The specific codes. OVHcloud publishes INVALID_RESOURCE_URN only; the others are ours, after its pattern.
const (
	codeResource            = "INVALID_RESOURCE_URN"
	codeIdentity            = "INVALID_IDENTITY_URN"
	codePermissionsGroupURN = "INVALID_PERMISSIONS_GROUP_URN"
	codeName                = "INVALID_NAME"
	codeDescription         = "INVALID_DESCRIPTION"
	codeAction              = "INVALID_ACTION"
	codeCondition           = "INVALID_CONDITION"
	codeTag                 = "INVALID_TAG"
	codeExpiry              = "INVALID_EXPIRY"
	codeTooMany             = "TOO_MANY"
)

func invalid(code, format string, args ...any) error {
	return &Error{Kind: Invalid, Code: code, Message: fmt.Sprintf(format, args...)}
}

func checkCount(what string, n, bound int) error {
	if n > bound {
		return &Error{Kind: TooLarge, Code: codeTooMany, Message: fmt.Sprintf("at most %d %s, not %d", bound, what, n)}
	}
	return nil
}

// ValidatePolicy checks a policy that Owner wants to store: its form, its bounds, that it names nothing of another account as far as
// URNs tell, only actions that exist, and conditions that can be evaluated. The error is an *Error of kind Invalid or TooLarge.
//
// Whose a project is, its URN does not tell; Evaluate never lets a policy reach one of another account.
func ValidatePolicy(p Policy) error {
	if err := validatePolicyTexts(p); err != nil {
		return err
	}
	if err := checkCount("identities in a policy", len(p.Identities), MaxIdentities); err != nil {
		return err
	}
	for i, u := range p.Identities {
		if err := validateIdentity(p.Owner, fmt.Sprintf("identities[%d]", i), u); err != nil {
			return err
		}
	}
	if err := validateResources(p.Owner, p.Resources, true); err != nil {
		return err
	}
	if err := validatePermissions(p.Permissions); err != nil {
		return err
	}
	if err := validatePolicyGroups(p); err != nil {
		return err
	}
	if err := validateExpiry(p.ExpiredAt); err != nil {
		return err
	}
	return ValidateCondition(p.Condition)
}

// validateExpiry wants a time that every part of the system can store and show (RFC 3339 has four digits for the year). Zero is never.
func validateExpiry(t time.Time) error {
	if year := t.UTC().Year(); !t.IsZero() && (year < 1970 || year > 9999) {
		return invalid(codeExpiry, "expiredAt must be from 1970 to 9999; leave it out for a policy that does not end")
	}
	return nil
}

func validatePolicyTexts(p Policy) error {
	if err := ValidateName(p.Name); err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(p.Name), reservedPolicyPrefix) {
		return invalid(codeName, "the prefix %q of a policy's name is reserved", reservedPolicyPrefix)
	}
	return ValidateDescription(p.Description)
}

// ValidateName checks the name of a policy, a group, a service account or a project: 1 to MaxNameLength printable characters, not
// starting or ending with a space.
func ValidateName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxNameLength {
		return invalid(codeName, "a name has 1 to %d characters, not %d", MaxNameLength, n)
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(name) != name {
		return invalid(codeName, "a name has only printable characters, and no space at its start or end")
	}
	return nil
}

// ValidateDescription checks a description: up to MaxDescriptionLength characters, no control characters but line ends and tabs.
func ValidateDescription(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxDescriptionLength {
		return invalid(codeDescription, "a description has at most %d characters, not %d", MaxDescriptionLength, n)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }) {
		return invalid(codeDescription, "a description has no control characters")
	}
	return nil
}

func validateIdentity(owner urn.Account, where string, u urn.URN) error {
	if _, err := urn.ParseIdentity(string(u)); err != nil {
		return invalid(codeIdentity, "urn %q is malformed: %v", where, err)
	}
	if a, _ := u.Account(); a != owner {
		return invalid(codeIdentity, "urn %q names an identity of another account: a policy of %s in %s can name only its own", where, owner.Name,
			owner.Partition)
	}
	return nil
}

// validateResources checks the resources of a policy, or, without groups, of a resource group.
func validateResources(owner urn.Account, resources []urn.URN, groups bool) error {
	if err := checkCount("resources", len(resources), MaxResources); err != nil {
		return err
	}
	for i, u := range resources {
		if err := validateResource(owner, i, u, groups); err != nil {
			return err
		}
	}
	return nil
}

func validateResource(owner urn.Account, i int, u urn.URN, groups bool) error {
	if _, err := urn.ParsePolicyResource(string(u)); err != nil {
		return invalid(codeResource, "urn \"resources[%d].urn\" is malformed, expected %s%s", i, urn.ResourceGrammar, suggestResource(owner, string(u)))
	}
	if u.Partition() != owner.Partition {
		return invalid(codeResource, "urn \"resources[%d].urn\" is of another partition: expected urn:v1:%s:…", i, owner.Partition)
	}
	if u.Kind() == urn.KindResourceGroup {
		if !groups {
			return invalid(codeResource, "urn \"resources[%d].urn\" is a group: a resource group cannot hold another", i)
		}
		return nil
	}
	return validateResourceType(owner, i, u)
}

func validateResourceType(owner urn.Account, i int, u urn.URN) error {
	typ, name := u.Type(), u.Name()
	switch {
	case typ == "": // every resource
		return nil
	case !slices.Contains(ResourceTypes(), typ):
		return invalid(codeResource, "urn \"resources[%d].urn\" has the unknown resource type %q%s", i, typ, didYouMean(typ, ResourceTypes()))
	case u.IsPattern():
		return nil
	case typ == urn.TypeProject && !ProjectID(name).Valid():
		return invalid(codeResource, "urn \"resources[%d].urn\" names no project: expected 32 lower-case hexadecimal digits after %s", i, typ)
	case typ == urn.TypeAccount && name != owner.Name:
		return invalid(codeResource, "urn \"resources[%d].urn\" is another account: expected %s", i, urn.AccountResource(owner))
	}
	return nil
}

func validatePermissions(p Permissions) error {
	if err := checkCount("actions in allow, deny and except together", len(p.Allow)+len(p.Deny)+len(p.Except), MaxStatements); err != nil {
		return err
	}
	lists := []struct {
		effect  Effect
		actions []Action
	}{{Allow, p.Allow}, {Deny, p.Deny}, {Except, p.Except}}
	for _, list := range lists {
		for i, a := range list.actions {
			if err := validateAction(fmt.Sprintf("permissions.%s[%d].action", list.effect, i), a); err != nil {
				return err
			}
		}
	}
	return nil
}

// validateAction wants an action that exists, or a glob that covers at least one: everything else is a slip that would go unnoticed.
func validateAction(where string, a Action) error {
	if len(a) > MaxActionLength {
		return invalid(codeAction, "%q has more than %d bytes", where, MaxActionLength)
	}
	g := compileGlob(a)
	if slices.ContainsFunc(references, func(r ReferenceAction) bool { return g.match(r.Action) }) {
		return nil
	}
	if a.IsGlob() {
		return invalid(codeAction, "%q: %q covers no action that exists%s", where, a, suggestGlob(a))
	}
	return invalid(codeAction, "%q: there is no action %q%s", where, a, suggestAction(a))
}

func validatePolicyGroups(p Policy) error {
	if err := checkCount("permissions groups in a policy", len(p.PermissionsGroups), MaxPolicyGroups); err != nil {
		return err
	}
	for i, u := range p.PermissionsGroups {
		if err := validatePolicyGroup(p.Owner, i, u); err != nil {
			return err
		}
	}
	return nil
}

func validatePolicyGroup(owner urn.Account, i int, u urn.URN) error {
	const where = "urn \"permissionsGroups[%d].urn\" "
	if _, err := urn.ParsePermissionsGroup(string(u)); err != nil {
		return invalid(codePermissionsGroupURN, where+"is malformed: %v", i, err)
	}
	if u.Partition() != owner.Partition {
		return invalid(codePermissionsGroupURN, where+"is of another partition: expected urn:v1:%s:…", i, owner.Partition)
	}
	a, own := u.Account()
	if own && a != owner {
		return invalid(codePermissionsGroupURN, where+"is a group of another account", i)
	}
	if _, ok := builtInPermissionsGroup(u); !own && !ok {
		var known []string
		for _, g := range BuiltInPermissionsGroups(owner.Partition) {
			known = append(known, string(g.URN))
		}
		return invalid(codePermissionsGroupURN, where+"does not exist%s", i, didYouMean(string(u), known))
	}
	return nil
}

// ValidatePermissionsGroup checks a permissions group that Owner wants to store. Its URN must be that of its owner and name.
func ValidatePermissionsGroup(g PermissionsGroup) error {
	u := urn.PermissionsGroup(g.Owner.Partition, g.Owner.Name, g.Name)
	if _, err := urn.ParsePermissionsGroup(string(u)); err != nil || g.Owner.Name == urn.BuiltIn {
		return invalid(codeName, "a permissions group's name has 1 to %d letters, digits and any of . _ @ + -", urn.MaxName)
	}
	if g.URN != "" && g.URN != u {
		return invalid(codePermissionsGroupURN, "the URN of this permissions group must be %s", u)
	}
	if err := ValidateDescription(g.Description); err != nil {
		return err
	}
	return validatePermissions(g.Permissions)
}

// ValidateResourceGroup checks a resource group that Owner wants to store.
func ValidateResourceGroup(g ResourceGroup) error {
	if err := ValidateName(g.Name); err != nil {
		return err
	}
	return validateResources(g.Owner, g.Resources, false)
}

// ValidateTags checks all tags of a resource.
func ValidateTags(tags map[string]string) error {
	if err := checkCount("tags on a resource", len(tags), MaxTags); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := checkTag(key, tags[key]); err != nil {
			return invalid(codeTag, "%v", err)
		}
		if strings.HasPrefix(key, reservedTagPrefix) {
			return invalid(codeTag, "tag %q: the prefix %q is reserved", key, reservedTagPrefix)
		}
	}
	return nil
}

func checkTag(key, value string) error {
	if key == "" || len(key) > MaxTagKey || strings.ContainsFunc(key, notTagRune) {
		return fmt.Errorf("a tag's key has 1 to %d letters, digits and any of _ . : / = + @ -, got %q", MaxTagKey, key)
	}
	if len(value) > MaxTagValue || strings.ContainsFunc(value, notTagRune) {
		return fmt.Errorf("a tag's value has at most %d letters, digits and any of _ . : / = + @ -, got %q", MaxTagValue, value)
	}
	return nil
}

func notTagRune(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("_.:/=+@-", r)
}

// ValidateCondition checks a condition; nil is always true. A MATCH without values is, too.
func ValidateCondition(c *Condition) error {
	if c == nil {
		return nil
	}
	entries := 0
	return validateCondition(*c, 1, "conditions", &entries)
}

func validateCondition(c Condition, depth int, where string, entries *int) error {
	if depth > MaxConditionDepth {
		return invalid(codeCondition, "%s: conditions nest at most %d deep", where, MaxConditionDepth)
	}
	*entries += 1 + len(c.Values)
	if err := checkCount("conditions and their values in a policy", *entries, MaxConditionEntries); err != nil {
		return err
	}
	switch c.Operator {
	case Match:
		if len(c.Conditions) > 0 {
			return invalid(codeCondition, "%s: MATCH has values, not conditions", where)
		}
		return validateMatch(c.Values, where)
	case And, Or, Not:
		if len(c.Values) > 0 {
			return invalid(codeCondition, "%s: %s has conditions, not values", where, c.Operator)
		}
		if len(c.Conditions) == 0 {
			return invalid(codeCondition, "%s: %s needs at least one condition", where, c.Operator)
		}
	default:
		return invalid(codeCondition, "%s: unknown operator %.32q: expected AND, OR, NOT or MATCH", where, c.Operator)
	}
	for i, child := range c.Conditions {
		if err := validateCondition(child, depth+1, fmt.Sprintf("%s.conditions[%d]", where, i), entries); err != nil {
			return err
		}
	}
	return nil
}

func validateMatch(values map[string]string, where string) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		if len(key) > MaxConditionKey || len(value) > MaxConditionValue {
			return invalid(codeCondition, "%s: a key has at most %d bytes and a value %d", where, MaxConditionKey, MaxConditionValue)
		}
		if _, err := parseTest(key, value); err != nil {
			return invalid(codeCondition, "%s.values[%q]: %v", where, key, err)
		}
	}
	return nil
}
