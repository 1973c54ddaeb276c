package urn

import (
	"errors"
	"fmt"
	"strings"
)

const (
	prefix = "urn:v1:"
	oauth2 = "oauth2-" // before the client id in a service account's name
)

// Bounds, in bytes.
const (
	MaxLength      = 512 // of a URN
	MaxAccountName = 64
	MaxName        = 128 // of a user, a group and a permissions group
	MaxClientID    = 32
)

// ResourceGrammar is the form of a policy's resource, in the words that OVHcloud's API uses when one is malformed.
const ResourceGrammar = "urn:v1:region:(resource|resourceGroup):(*|group_id|resource_type):(*|resource_name)"

// Parse reads any URN, patterns included. On error the URN is "".
func Parse(s string) (URN, error) {
	if len(s) > MaxLength {
		return "", fmt.Errorf("a URN has at most %d bytes, this one has %d", MaxLength, len(s))
	}
	if !strings.HasPrefix(s, prefix) {
		return "", fmt.Errorf("a URN starts with urn:v1: and %q does not", s)
	}
	p, k, rest := URN(s).split()
	if rest == "" {
		return "", fmt.Errorf("%q is not a URN: expected urn:v1:<partition>:<kind>:[<type>:]<name>", s)
	}
	if !p.Valid() {
		return "", fmt.Errorf("%q is in no partition: expected eu, ca or us, got %q", s, p)
	}
	if err := checkRest(k, rest); err != nil {
		return "", fmt.Errorf("%q is malformed: %w", s, err)
	}
	return URN(s), nil
}

// ParseIdentity reads the URN of an identity.
func ParseIdentity(s string) (URN, error) {
	return parseKind(s, "an identity, urn:v1:<partition>:identity:(account|user|group|credential):<name>", KindIdentity)
}

// ParseResource reads the URN of one resource or a pattern of resources.
func ParseResource(s string) (URN, error) {
	return parseKind(s, "a resource, urn:v1:<partition>:resource:<type>:<name>", KindResource)
}

// ParsePolicyResource reads what a policy may list under resources: a resource, a pattern, a resource group.
func ParsePolicyResource(s string) (URN, error) {
	return parseKind(s, ResourceGrammar, KindResource, KindResourceGroup)
}

// ParsePermissionsGroup reads the URN of a permissions group.
func ParsePermissionsGroup(s string) (URN, error) {
	return parseKind(s, "a permissions group, urn:v1:<partition>:permissionsGroup:<owner>:<name>", KindPermissionsGroup)
}

func parseKind(s, want string, kinds ...Kind) (URN, error) {
	u, err := Parse(s)
	if err != nil {
		return "", err
	}
	for _, k := range kinds {
		if u.Kind() == k {
			return u, nil
		}
	}
	return "", fmt.Errorf("%q is malformed: expected %s", s, want)
}

// ParseAccount reads an account's name in a partition.
func ParseAccount(partition, name string) (Account, error) {
	if !Partition(partition).Valid() {
		return Account{}, fmt.Errorf("%q is not a partition: expected eu, ca or us", partition)
	}
	if err := checkAccount(name); err != nil {
		return Account{}, err
	}
	return Account{Partition: Partition(partition), Name: name}, nil
}

func checkRest(k Kind, rest string) error {
	typ, name, cut := strings.Cut(rest, ":")
	switch k {
	case KindIdentity:
		return checkIdentity(typ, name)
	case KindResource:
		return checkResource(rest, typ, name, cut)
	case KindResourceGroup:
		return checkUUID(rest)
	case KindPermissionsGroup:
		if typ != BuiltIn {
			if err := checkAccount(typ); err != nil {
				return err
			}
		}
		return checkName("a permissions group's name", name)
	}
	return fmt.Errorf("expected identity, resource, resourceGroup or permissionsGroup, got %q", k)
}

func checkIdentity(typ, name string) error {
	account, local, cut := strings.Cut(name, "/")
	if err := checkAccount(account); err != nil {
		return err
	}
	switch typ {
	case TypeAccount:
		if cut {
			return errors.New("an account's identity has nothing after the account")
		}
		return nil
	case TypeUser, TypeGroup:
		return checkName("the name after the account", local)
	case TypeCredential:
		id, ok := strings.CutPrefix(local, oauth2)
		if !ok {
			return errors.New("expected <account>/oauth2-<client id>")
		}
		return checkClientID(id)
	}
	return fmt.Errorf("expected account, user, group or credential, got %q", typ)
}

// checkResource accepts a star only as the last byte. Names may hold colons: IPv6 addresses are names of resources, too.
func checkResource(rest, typ, name string, cut bool) error {
	if rest == "*" {
		return nil
	}
	if !cut || name == "" || typ == "" {
		return errors.New("expected " + ResourceGrammar)
	}
	if !all(typ, isAlnum) {
		return fmt.Errorf("a resource type has only letters and digits, got %q", typ)
	}
	if !all(strings.TrimSuffix(name, "*"), isNameByte) {
		return errors.New("a resource name has no spaces, control or non-ASCII characters, and a * only at its end")
	}
	return nil
}

func checkAccount(name string) error {
	if name == "" || len(name) > MaxAccountName || !all(name, isAccountByte) || name[0] == '-' || name[len(name)-1] == '-' {
		return fmt.Errorf("an account has 1 to %d lower-case letters, digits and inner hyphens, like xx11111-ovh; got %q", MaxAccountName, name)
	}
	if name == BuiltIn {
		return fmt.Errorf("the account name %q is reserved", name)
	}
	return nil
}

func checkClientID(id string) error {
	if id == "" || len(id) > MaxClientID || !all(id, isClientByte) {
		return fmt.Errorf("a client id has 1 to %d letters, digits, dots and hyphens, got %q", MaxClientID, id)
	}
	return nil
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName || !all(name, isLocalByte) {
		return fmt.Errorf("%s has 1 to %d letters, digits and any of . _ @ + -, got %q", what, MaxName, name)
	}
	return nil
}

func checkUUID(s string) error {
	ok := len(s) == 36
	for i := 0; ok && i < len(s); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = s[i] == '-'
		} else {
			ok = isDigit(s[i]) || 'a' <= s[i] && s[i] <= 'f'
		}
	}
	if !ok {
		return fmt.Errorf("a resource group is named by a lower-case UUID, got %q", s)
	}
	return nil
}

func all(s string, f func(byte) bool) bool {
	for i := range len(s) {
		if !f(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool       { return '0' <= c && c <= '9' }
func isLower(c byte) bool       { return 'a' <= c && c <= 'z' }
func isAlnum(c byte) bool       { return isDigit(c) || isLower(c) || 'A' <= c && c <= 'Z' }
func isAccountByte(c byte) bool { return isDigit(c) || isLower(c) || c == '-' }
func isClientByte(c byte) bool  { return isAlnum(c) || c == '.' || c == '-' }
func isLocalByte(c byte) bool   { return isAlnum(c) || strings.IndexByte("._@+-", c) >= 0 }
func isNameByte(c byte) bool    { return '!' <= c && c <= '~' && c != '*' }
