package urn_test

import (
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/urn"
)

const project = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

var account = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}

func TestParts(t *testing.T) {
	type parts struct {
		partition urn.Partition
		kind      urn.Kind
		typ, name string
		pattern   bool
		account   string
		client    string
	}
	tests := []struct {
		urn  urn.URN
		want parts
	}{
		{"urn:v1:eu:identity:account:xx11111-ovh", parts{"eu", "identity", "account", "xx11111-ovh", false, "xx11111-ovh", ""}},
		{"urn:v1:ca:identity:user:xx11111-ovh/user1", parts{"ca", "identity", "user", "xx11111-ovh/user1", false, "xx11111-ovh", ""}},
		{"urn:v1:us:identity:group:xx1-ovh/admin@mycompany.com", parts{"us", "identity", "group", "xx1-ovh/admin@mycompany.com", false, "xx1-ovh", ""}},
		{"urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f",
			parts{"eu", "identity", "credential", "xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f", false, "xx11111-ovh", "EU.0f0f0f0f0f0f0f0f"}},
		{"urn:v1:eu:identity:credential:xx11111-ovh/oauth2-0f0f0f0f0f0f0f0f",
			parts{"eu", "identity", "credential", "xx11111-ovh/oauth2-0f0f0f0f0f0f0f0f", false, "xx11111-ovh", "0f0f0f0f0f0f0f0f"}},
		{"urn:v1:eu:resource:publicCloudProject:" + project, parts{"eu", "resource", "publicCloudProject", project, false, "", ""}},
		{"urn:v1:eu:resource:publicCloudProject:*", parts{"eu", "resource", "publicCloudProject", "*", true, "", ""}},
		{"urn:v1:eu:resource:publicCloudProject:pci", parts{"eu", "resource", "publicCloudProject", "pci", false, "", ""}},
		{"urn:v1:eu:resource:vps:vps-5b48d78b.vps.ovh.net", parts{"eu", "resource", "vps", "vps-5b48d78b.vps.ovh.net", false, "", ""}},
		{"urn:v1:eu:resource:ip:2001:db8::/64", parts{"eu", "resource", "ip", "2001:db8::/64", false, "", ""}},
		{"urn:v1:eu:resource:account:xx11111-ovh", parts{"eu", "resource", "account", "xx11111-ovh", false, "xx11111-ovh", ""}},
		{"urn:v1:eu:resource:account:xx*", parts{"eu", "resource", "account", "xx*", true, "", ""}},
		{"urn:v1:eu:resource:*", parts{"eu", "resource", "", "*", true, "", ""}},
		{"urn:v1:eu:resourceGroup:aa0713ab-ed13-4f1a-89a5-32aa0cb936d8",
			parts{"eu", "resourceGroup", "", "aa0713ab-ed13-4f1a-89a5-32aa0cb936d8", false, "", ""}},
		{"urn:v1:eu:permissionsGroup:ovh:globalAdmin", parts{"eu", "permissionsGroup", "", "globalAdmin", false, "", ""}},
		{"urn:v1:eu:permissionsGroup:xx11111-ovh:backup", parts{"eu", "permissionsGroup", "", "backup", false, "xx11111-ovh", ""}},
	}
	for _, tt := range tests {
		u, err := urn.Parse(string(tt.urn))
		if err != nil || u != tt.urn {
			t.Errorf("Parse(%q) = %q, %v", tt.urn, u, err)
		}
		a, ok := u.Account()
		id, isClient := u.ClientID()
		if got := (parts{u.Partition(), u.Kind(), u.Type(), u.Name(), u.IsPattern(), a.Name, id}); got != tt.want {
			t.Errorf("%s\n got %+v\nwant %+v", u, got, tt.want)
		}
		if ok != (tt.want.account != "") || ok && a.Partition != tt.want.partition || isClient != (id != "") {
			t.Errorf("%s: account %+v %v, client %v", u, a, ok, isClient)
		}
	}
}

func TestConstructorsMakeWhatParseReads(t *testing.T) {
	made := []urn.URN{
		urn.ServiceAccount(account, "EU.0f0f0f0f0f0f0f0f"), urn.AccountIdentity(account), urn.AccountResource(account), urn.Project(urn.CA, project),
		urn.ResourceGroup(urn.US, "aa0713ab-ed13-4f1a-89a5-32aa0cb936d8"), urn.PermissionsGroup(urn.EU, urn.BuiltIn, "globalAdmin"),
	}
	for _, u := range made {
		if got, err := urn.Parse(string(u)); err != nil || got != u {
			t.Errorf("Parse(%q) = %q, %v", u, got, err)
		}
	}
}

func TestWhatIsNoURNHasNoParts(t *testing.T) {
	for _, u := range []urn.URN{"", "*", "urn", "urn:v1:", "urn:v1:eu", "urn:v1:eu:identity", "urn:v2:eu:identity:account:a", "urn:v1:eu:identity:account"} {
		a, ok := u.Account()
		id, isClient := u.ClientID()
		if u.Type() != "" || ok || a != (urn.Account{}) || id != "" || isClient {
			t.Errorf("%q: type %q, account %+v, client %q", u, u.Type(), a, id)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "", "a URN starts with urn:v1:"},
		{"a bare star", "*", "a URN starts with urn:v1:"},
		{"another version", "urn:v2:eu:resource:*", "a URN starts with urn:v1:"},
		{"upper case", "URN:v1:eu:resource:*", "a URN starts with urn:v1:"},
		{"a space before", " urn:v1:eu:resource:*", "a URN starts with urn:v1:"},
		{"no name", "urn:v1:eu:resource:", "expected urn:v1:<partition>:<kind>:"},
		{"no kind", "urn:v1:eu", "expected urn:v1:<partition>:<kind>:"},
		{"an unknown partition", "urn:v1:fr:resource:*", "expected eu, ca or us"},
		{"a star as partition", "urn:v1:*:resource:*", "expected eu, ca or us"},
		{"an unknown kind", "urn:v1:eu:thing:a:b", "expected identity, resource, resourceGroup or permissionsGroup"},
		{"a star as kind", "urn:v1:eu:*:a:b", "expected identity, resource, resourceGroup or permissionsGroup"},
		{"an unknown type of identity", "urn:v1:eu:identity:robot:xx1-ovh", "expected account, user, group or credential"},
		{"an identity that is a pattern", "urn:v1:eu:identity:account:*", "an account has"},
		{"an account with a user after it", "urn:v1:eu:identity:account:xx1-ovh/user", "nothing after the account"},
		{"a user without account", "urn:v1:eu:identity:user:/user", "an account has"},
		{"a user without name", "urn:v1:eu:identity:user:xx1-ovh/", "has 1 to 128"},
		{"a user that is a pattern", "urn:v1:eu:identity:user:xx1-ovh/*", "has 1 to 128"},
		{"a user with a space", "urn:v1:eu:identity:user:xx1-ovh/a b", "has 1 to 128"},
		{"a credential that is not OAuth 2", "urn:v1:eu:identity:credential:xx1-ovh/abc", "oauth2-<client id>"},
		{"a credential without client id", "urn:v1:eu:identity:credential:xx1-ovh/oauth2-", "a client id has"},
		{"a client id with a colon", "urn:v1:eu:identity:credential:xx1-ovh/oauth2-a:b", "a client id has"},
		{"a client id that is long", "urn:v1:eu:identity:credential:xx1-ovh/oauth2-" + strings.Repeat("a", 33), "a client id has"},
		{"an account in upper case", "urn:v1:eu:identity:account:XX1-ovh", "lower-case"},
		{"an account that starts with a hyphen", "urn:v1:eu:identity:account:-ovh", "inner hyphens"},
		{"an account that ends with a hyphen", "urn:v1:eu:identity:account:xx-", "inner hyphens"},
		{"an account that is long", "urn:v1:eu:identity:account:" + strings.Repeat("a", 65), "1 to 64"},
		{"the reserved account", "urn:v1:eu:identity:account:ovh", "reserved"},
		{"a resource without type", "urn:v1:eu:resource:abc", "resource_name"},
		{"a resource with an empty type", "urn:v1:eu:resource::abc", "resource_name"},
		{"a resource with an empty name", "urn:v1:eu:resource:vps:", "resource_name"},
		{"a star in a type", "urn:v1:eu:resource:public*:abc", "only letters and digits"},
		{"a star for a type", "urn:v1:eu:resource:*:abc", "only letters and digits"},
		{"part of a type as a pattern", "urn:v1:eu:resource:public*", "resource_name"},
		{"a star within a name", "urn:v1:eu:resource:vps:a*b", "only at its end"},
		{"two stars", "urn:v1:eu:resource:vps:a**", "only at its end"},
		{"a NUL", "urn:v1:eu:resource:vps:a\x00", "control"},
		{"a letter beyond ASCII", "urn:v1:eu:resource:vps:é", "non-ASCII"},
		{"a line end", "urn:v1:eu:resource:vps:a\n", "control"},
		{"a resource group that is no UUID", "urn:v1:eu:resourceGroup:abc", "UUID"},
		{"a resource group in upper case", "urn:v1:eu:resourceGroup:AA0713AB-ED13-4F1A-89A5-32AA0CB936D8", "lower-case UUID"},
		{"all resource groups", "urn:v1:eu:resourceGroup:*", "UUID"},
		{"a resource group with misplaced hyphens", "urn:v1:eu:resourceGroup:aa0713abe-d13-4f1a-89a5-32aa0cb936d8", "UUID"},
		{"a permissions group without name", "urn:v1:eu:permissionsGroup:ovh", "has 1 to 128"},
		{"a permissions group with an odd owner", "urn:v1:eu:permissionsGroup:Ovh:globalAdmin", "lower-case"},
		{"a permissions group that is a pattern", "urn:v1:eu:permissionsGroup:ovh:*", "has 1 to 128"},
		{"more than 512 bytes", "urn:v1:eu:resource:vps:" + strings.Repeat("a", 512), "at most 512 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := urn.Parse(tt.in)
			if u != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q) = %q, %v; want an error with %q", tt.in, u, err, tt.want)
			}
		})
	}
}

func TestParseOfOneKindRefusesOthers(t *testing.T) {
	resource, group := "urn:v1:eu:resource:vps:a", "urn:v1:eu:resourceGroup:aa0713ab-ed13-4f1a-89a5-32aa0cb936d8"
	identity, permissions := "urn:v1:eu:identity:account:xx1-ovh", "urn:v1:eu:permissionsGroup:ovh:globalAdmin"
	tests := []struct {
		name  string
		parse func(string) (urn.URN, error)
		takes []string
		says  string
	}{
		{"an identity", urn.ParseIdentity, []string{identity}, "(account|user|group|credential)"},
		{"a resource", urn.ParseResource, []string{resource}, "resource:<type>:<name>"},
		{"a policy's resource", urn.ParsePolicyResource, []string{resource, group}, urn.ResourceGrammar},
		{"a permissions group", urn.ParsePermissionsGroup, []string{permissions}, "permissionsGroup:<owner>:<name>"},
	}
	for _, tt := range tests {
		for _, in := range []string{resource, group, identity, permissions, "*"} {
			u, err := tt.parse(in)
			want := strings.Contains(strings.Join(tt.takes, " ")+" ", in+" ")
			if (err == nil) != want || want && string(u) != in || !want && u != "" {
				t.Errorf("%s: %q gives %q, %v", tt.name, in, u, err)
			}
			if err != nil && in != "*" && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %q gives %v, without %q", tt.name, in, err, tt.says)
			}
		}
	}
}

func TestParseAccount(t *testing.T) {
	a, err := urn.ParseAccount("eu", "xx11111-ovh")
	if err != nil || a != account {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, tt := range []struct{ partition, name, want string }{
		{"fr", "xx1-ovh", "expected eu, ca or us"}, {"eu", "", "an account has"}, {"eu", "a/b", "an account has"}, {"eu", "ovh", "reserved"},
	} {
		a, err := urn.ParseAccount(tt.partition, tt.name)
		if err == nil || a != (urn.Account{}) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %+v, %v", tt.partition, tt.name, a, err)
		}
	}
}

func TestPartitions(t *testing.T) {
	for _, p := range urn.Partitions() {
		if !p.Valid() {
			t.Errorf("%s is not valid", p)
		}
	}
	if len(urn.Partitions()) != 3 || urn.Partition("").Valid() || urn.Partition("EU").Valid() {
		t.Error("not exactly eu, ca and us")
	}
}

func TestMatch(t *testing.T) {
	one := urn.Project(urn.EU, project)
	tests := []struct {
		name    string
		pattern urn.URN
		of      urn.URN
		want    bool
	}{
		{"itself", one, one, true},
		{"every resource of the partition", "urn:v1:eu:resource:*", one, true},
		{"every project", "urn:v1:eu:resource:publicCloudProject:*", one, true},
		{"a beginning", "urn:v1:eu:resource:publicCloudProject:0f0f*", one, true},
		{"its whole name and a star", one + "*", one, true},
		{"another beginning", "urn:v1:eu:resource:publicCloudProject:1*", one, false},
		{"another partition", "urn:v1:ca:resource:*", one, false},
		{"another type", "urn:v1:eu:resource:vps:*", one, false},
		{"upper case", "urn:v1:eu:resource:publicCloudProject:0F*", one, false},
		{"a star within, which is a byte", "urn:v1:eu:resource:*:" + project, one, false},
		{"a beginning without star", "urn:v1:eu:resource:publicCloudProject:0f0f", one, false},
		{"the zero value", "", one, false},
	}
	for _, tt := range tests {
		if got := urn.Match(tt.pattern, tt.of); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// FuzzParse wants that what is read is printed as it was, that its parts make it up again, and that an error comes with nothing.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f", "urn:v1:eu:resource:publicCloudProject:" + project,
		"urn:v1:eu:resource:*", "urn:v1:eu:resource:vps:*", "urn:v1:eu:resource:ip:2001:db8::/64", "urn:v1:ca:identity:user:xx1-ovh/user1",
		"urn:v1:eu:resourceGroup:aa0713ab-ed13-4f1a-89a5-32aa0cb936d8", "urn:v1:us:permissionsGroup:ovh:globalAdmin", "*", "urn:v1:eu:resource:a*b:c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := urn.Parse(s)
		if err != nil {
			if u != "" {
				t.Fatalf("%q and %v", u, err)
			}
			_, _ = urn.URN(s).Account() // anything may be asked of anything
			_, _ = urn.URN(s).ClientID()
			return
		}
		again := "urn:v1:" + string(u.Partition()) + ":" + string(u.Kind()) + ":"
		if u.Type() != "" {
			again += u.Type() + ":"
		}
		if rest, ok := strings.CutPrefix(s, again); string(u) != s || !ok || !strings.HasSuffix(rest, u.Name()) {
			t.Fatalf("%q has parts %q and %q", s, again, u.Name())
		}
		if strings.Contains(strings.TrimSuffix(s, "*"), "*") || u.IsPattern() && u.Kind() != urn.KindResource {
			t.Fatalf("a star in %q", s)
		}
		if !urn.Match(u, u) {
			t.Fatalf("%q does not match itself", s)
		}
		if id, ok := u.ClientID(); ok {
			if a, _ := u.Account(); urn.ServiceAccount(a, id) != u {
				t.Fatalf("%q is not %s of %+v", s, id, a)
			}
		}
	})
}
