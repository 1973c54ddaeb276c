package rbac

import "strings"

// An Operation is one call of an OpenStack API, as the service's own policy names it. It is immutable.
type Operation struct {
	Service Service
	Family  string // the heading in the file: servers
	Method  string // HEAD is judged as GET unless the table says otherwise
	Path    string // template below the version prefix, e.g. /servers/{id}/action
	Action  string // of an action in the body, its key: createImage; "" for everything else
	Access  Access
	Roles   Roles // with ByRole: any one of them suffices
	// Rule is the service's policy rule: os_compute_api:servers:create. "" if it has none.
	Rule string
	// OldRules are other names that releases since Zed had for Rule.
	OldRules []string
	// SharedRule says that other operations' lines settle who has Rule: the service enforces it here, too.
	SharedRule bool
	// Anonymous says that a request without a token is forwarded as if the call were Public, for the service itself to judge.
	Anonymous bool
	// Prefixes are what may stand before Path: "/v2.1/{project}", "/v2.1".
	Prefixes []string
	// Source is the file and line that says so: nova.txt:42.
	Source string

	when     []condition // what must hold for the line to be meant
	refuse   []condition // what makes the call the administrator's
	drop     []condition // query parameters that are taken out before forwarding
	override bool        // may widen what another file says
	letters  [4]uint64   // the first letters of the parameters in refuse and drop
}

// Name gives the rule, or, where there is none, method and path.
func (o *Operation) Name() string {
	switch {
	case o.Rule != "":
		return o.Rule
	case o.Action != "":
		return o.Method + " " + o.Path + " " + o.Action
	}
	return o.Method + " " + o.Path
}

// Conditions gives what tells the operation from others on its path, what is refused whatever the roles, and what is taken out of
// the query, as they are written in the table.
func (o *Operation) Conditions() (when, refused, dropped []string) {
	return texts(o.when), texts(o.refuse), texts(o.drop)
}

func texts(cs []condition) []string {
	var out []string
	for i := range cs {
		if w := cs[i].word; len(out) == 0 || out[len(out)-1] != w {
			out = append(out, w)
		}
	}
	return out
}

// Refuses reports whether a member of a body, e.g. port.binding:host_id, is refused in this call whatever its value.
func (o *Operation) Refuses(member string) bool {
	path := strings.Split(member, ".")
	for i := range o.refuse {
		if c := &o.refuse[i]; c.place == inBody && c.test == present && !c.null && c.matches(path) {
			return true
		}
	}
	return false
}

// Access is who may do an operation.
type Access uint8

// The kinds of access. The zero value admits nobody.
const (
	Nobody  Access = iota // known, and no role permits it
	ByRole                // whoever has one of Roles
	AnyRole               // whoever has any role on the project
	Public                // nobody is asked: forwarded without any credential
)

// Needs gives the roles of which one would permit the operation.
func (o *Operation) Needs() Roles {
	switch o.Access {
	case ByRole:
		return o.Roles
	case AnyRole:
		return AllRoles
	}
	return 0
}

// A Request is what Classify looks at.
type Request struct {
	Target  Target
	Method  string
	Header  map[string][]string // canonical names, as net/http has them
	Project string              // the token's project; "" without a token
	Body    []byte              // with HasBody
	HasBody bool                // the whole body has been read
}

// A Verdict is what Classify can say about a request without knowing the caller's roles.
type Verdict uint8

// The verdicts. Only Judged can lead to yes.
const (
	Unknown      Verdict = iota // no line of the table is this call
	Judged                      // the roles decide: see Decision.Allows
	NeedsBody                   // classify again with the body
	AdminOnly                   // Decision.Field makes it the administrator's
	OtherProject                // Decision.Field names a project that is not the token's
	Malformed                   // the body is not what the service would read alike: Decision.Reason
	NotTaken                    // calls of this kind are refused whoever makes them: Decision.Reason
)

// String gives the verdict as logs and explanations show it.
func (v Verdict) String() string {
	switch v {
	case Judged:
		return "judged"
	case NeedsBody:
		return "needs body"
	case AdminOnly:
		return "administrator's field"
	case OtherProject:
		return "another project"
	case Malformed:
		return "malformed"
	case NotTaken:
		return "not taken"
	}
	return "unknown operation"
}

// A Decision is the outcome of Classify. The zero value refuses.
type Decision struct {
	Verdict   Verdict
	Operation *Operation // nil when Unknown, and with NeedsBody when the body names the operation
	Field     string     // the member, parameter or header that was refused
	Reason    string     // why Malformed or NotTaken: a sentence
	Project   string     // the project that the path names, if it does
	Query     string     // the raw query to forward
	Dropped   bool       // Query is not the request's: parameters were taken out
}

// Allows reports whether somebody with these roles on the project may do it.
func (d Decision) Allows(roles Roles) bool {
	return d.Verdict == Judged && d.Operation.Needs().Intersects(roles)
}

// Open reports whether the call needs no token at all. It is then forwarded without any credential.
func (d Decision) Open() bool { return d.Verdict == Judged && d.Operation.Access == Public }

// OpenWithoutToken reports whether the call may be forwarded without any credential if it came without one.
func (d Decision) OpenWithoutToken() bool {
	return d.Open() || d.Verdict == Judged && d.Operation.Anonymous
}
