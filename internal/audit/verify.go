package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"iter"
	"time"
)

// A Checkpoint is a signed statement that the chain had this hash at this record.
type Checkpoint struct {
	Chain
	Time      time.Time
	Signature []byte
}

// checkpointContext keeps a signature made here from meaning anything elsewhere.
const checkpointContext = "stackgate audit checkpoint v1\x00"

func (c *Checkpoint) message() []byte {
	b := []byte(checkpointContext)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Time.UnixMicro()))
	return append(b, c.Hash[:]...)
}

// Sign makes a checkpoint of the chain's end.
func Sign(key ed25519.PrivateKey, end Chain, now time.Time) Checkpoint {
	c := Checkpoint{Chain: end, Time: now.UTC().Truncate(time.Microsecond)}
	c.Signature = ed25519.Sign(key, c.message())
	return c
}

// A Break says where a chain is not what it was when it was written.
type Break struct {
	Seq    int64 // the first record, or checkpoint's record, that is wrong
	Reason string
}

// Error gives the place and the reason.
func (b *Break) Error() string {
	return fmt.Sprintf("audit chain broken at record %d: %s", b.Seq, b.Reason)
}

// A Report says what Verify found in order.
type Report struct {
	End         Chain // of the last record
	Checkpoints int   // signatures checked
	Signed      int64 // the last record that a checkpoint fixes; 0: none
}

// String says it in a sentence or two.
func (r Report) String() string {
	if r.Checkpoints == 0 {
		return fmt.Sprintf("%d audit records, each follows from the one before. No checkpoint was checked: who can write the database could have "+
			"written them all.", r.End.Seq)
	}
	return fmt.Sprintf("%d audit records, each follows from the one before. %d checkpoints are signed with the audit key, the last at record %d.",
		r.End.Seq, r.Checkpoints, r.Signed)
}

// Verify reads all records in order and holds them against the chain and the checkpoints, which are in order too. With a nil key no
// signature is checked and Checkpoints is 0. The error is a *Break, or that of reading.
func Verify(records iter.Seq2[Record, error], checkpoints []Checkpoint, key ed25519.PublicKey) (Report, error) {
	var rep Report
	for i := range checkpoints {
		if len(key) != 0 && !ed25519.Verify(key, checkpoints[i].message(), checkpoints[i].Signature) {
			return rep, &Break{checkpoints[i].Seq, "the checkpoint's signature is not of the audit key"}
		}
	}
	rest := checkpoints
	for r, err := range records {
		if err != nil {
			return rep, fmt.Errorf("read audit records: %w", err)
		}
		if b := next(rep.End, &r); b != nil {
			return rep, b
		}
		rep.End = Chain{r.Seq, r.Hash}
		for len(rest) > 0 && rest[0].Seq <= r.Seq {
			if rest[0].Chain != rep.End {
				return rep, &Break{r.Seq, "the record is not the one that its checkpoint signed"}
			}
			if len(key) != 0 {
				rep.Checkpoints, rep.Signed = rep.Checkpoints+1, r.Seq
			}
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		return rep, &Break{rep.End.Seq + 1, fmt.Sprintf("records are missing up to %d, which a checkpoint signed", rest[0].Seq)}
	}
	return rep, nil
}

// next holds one record against the end of the chain before it.
func next(end Chain, r *Record) *Break {
	switch {
	case r.Seq != end.Seq+1:
		return &Break{end.Seq + 1, fmt.Sprintf("found record %d in its place", r.Seq)}
	case r.Prev != end.Hash:
		return &Break{r.Seq, "it does not follow from the record before"}
	case r.Hash != r.Sum():
		return &Break{r.Seq, "its content does not have its hash"}
	}
	return nil
}
