// Package audit says what is recorded: changes, hash-chained, with checkpoints signed by a key that is not in the database; and, bounded and
// without a chain, how calls of OpenStack were judged.
//
// A Record carries the hash of the one before it, so that an edited, removed or moved record breaks the chain from there on. Whoever
// can write the database could compute a new chain; a Checkpoint, signed with a key that the database does not hold, fixes the chain up
// to its record for good. What came after the last checkpoint can be cut off without a trace in the chain itself, so checkpoints are
// made often and are worth copying elsewhere.
//
//	chain := audit.Chain{}
//	rec := chain.Append(audit.Record{Time: now, Actor: "operator:root", Action: "account:create"})
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/stackgate/stackgate/internal/urn"
)

// An Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	Done   Outcome = "done"   // the change was made, in the transaction that wrote the record
	Denied Outcome = "denied" // IAM refused it
)

// A Record is one attempt to change something, or a refused attempt to read. It holds no secret.
type Record struct {
	Seq       int64 // 1, 2, 3 … without a gap
	Time      time.Time
	Actor     string      // an identity URN, or operator:<name>
	Account   urn.Account // whose audit trail it belongs to
	Action    string
	Subject   urn.URN // what was acted on
	Outcome   Outcome
	RequestID string
	Details   string // free text or JSON, never a secret
	Prev      [sha256.Size]byte
	Hash      [sha256.Size]byte
}

// hashVersion is the first byte of what is hashed. A change of the encoding is a new version.
const hashVersion = 1

// Sum computes the record's hash over every member but Hash. Strings are length-prefixed, so that no two records encode alike.
func (r *Record) Sum() [sha256.Size]byte {
	b := make([]byte, 0, 512)
	b = append(b, hashVersion)
	b = append(b, r.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixMicro()))
	for _, s := range []string{r.Actor, string(r.Account.Partition), r.Account.Name, r.Action, string(r.Subject), string(r.Outcome),
		r.RequestID, r.Details} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// A Chain is the end of a chain of records: all that is needed to append. The zero value is the empty chain.
type Chain struct {
	Seq  int64
	Hash [sha256.Size]byte
}

// Append numbers, links and hashes r, cuts its time to the microseconds that both databases keep, and moves the end of the chain.
func (c *Chain) Append(r Record) Record {
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	r.Seq, r.Prev = c.Seq+1, c.Hash
	r.Hash = r.Sum()
	c.Seq, c.Hash = r.Seq, r.Hash
	return r
}
