package audit

import (
	"net/netip"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/urn"
)

// A Verdict says in a few words how a call of an OpenStack API was judged.
type Verdict string

// The verdicts. Only the first two are a yes.
const (
	Granted            Verdict = "granted"
	Open               Verdict = "open" // needs no token, and nobody is asked
	MissingRole        Verdict = "missing role"
	AdministratorCall  Verdict = "administrator's call"
	AdministratorField Verdict = "administrator's field"
	AnotherProject     Verdict = "another project"
	UnknownOperation   Verdict = "unknown operation"
	ClosedCall         Verdict = "turned off" // by the operator, for one cloud
	NotTaken           Verdict = "not taken"  // by the gateway, from anybody
	NoProject          Verdict = "no project"
	Malformed          Verdict = "malformed"
)

// Yes reports whether the call was let through.
func (v Verdict) Yes() bool { return v == Granted || v == Open }

// A Decision is how one call of an OpenStack API was judged, as it is kept to be looked up. It holds no token, no body, and of the query at
// most the names of the parameters that decided: signatures travel there.
type Decision struct {
	ID       string      `json:"-"` // our request id
	OtherID  string      `json:"-"` // the id that the answer has beside it: Swift's of our own refusal, or the cloud's
	Time     time.Time   `json:"-"`
	Account  urn.Account `json:"-"`
	Identity urn.URN     `json:"-"`
	Verdict  Verdict     `json:"-"`

	Address   netip.Addr `json:"address,omitzero"`
	Method    string     `json:"method"`
	Path      string     `json:"path"` // raw, below the service's root, without the query
	Service   string     `json:"service"`
	Region    string     `json:"region,omitzero"`
	Project   string     `json:"project,omitzero"`   // the token's
	Operation string     `json:"operation,omitzero"` // "" if no line of the table is the call
	Field     string     `json:"field,omitzero"`     // the member, header or parameter that decided, by its name
	Message   string     `json:"message,omitzero"`   // what the caller was told, a sentence
	Needed    []string   `json:"needed,omitzero"`    // the roles of which one would have done
	Held      []string   `json:"held,omitzero"`
	Rights    []string   `json:"rights,omitzero"` // that were held
}

const (
	maxPath = 1024 // bytes kept of a path
	maxText = 512  // bytes kept of anything else that a client or a cloud had a hand in
)

// bound cuts what a client may have made as long as it liked, so that a number of decisions is a bound on their size, and leaves out what no
// database and no JSON can hold.
func (d *Decision) bound() {
	plain := func(s *string, n int) {
		*s = strings.ToValidUTF8(strings.ReplaceAll((*s)[:min(len(*s), n)], "\x00", ""), "")
	}
	d.Time = d.Time.UTC().Truncate(time.Microsecond) // as both databases keep it
	plain(&d.Path, maxPath)
	for _, s := range []*string{&d.ID, &d.OtherID, &d.Method, &d.Field, &d.Message, &d.Region, &d.Operation} {
		plain(s, maxText)
	}
}
