package audit_test

import (
	"crypto/ed25519"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/urn"
)

var (
	key    = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public = key.Public().(ed25519.PublicKey)
	noon   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// written makes ten records and a checkpoint after the fourth and the eighth.
func written() (records []audit.Record, checkpoints []audit.Checkpoint) {
	var chain audit.Chain
	for i := range 10 {
		records = append(records, chain.Append(audit.Record{
			Time: noon.Add(time.Duration(i) * time.Second), Actor: "operator:root", Account: urn.Account{Partition: urn.EU, Name: "xx11111-ovh"},
			Action: "act", Subject: "urn:v1:eu:resource:account:xx11111-ovh", Outcome: audit.Done, RequestID: "req", Details: "d",
		}))
		if i == 3 || i == 7 {
			checkpoints = append(checkpoints, audit.Sign(key, chain, noon))
		}
	}
	return records, checkpoints
}

func all(records []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// rehash makes a valid chain of records that were tampered with, as somebody with access to the database could.
func rehash(records []audit.Record) []audit.Record {
	var chain audit.Chain
	for i, r := range records {
		records[i] = chain.Append(r)
	}
	return records
}

func TestVerifyFindsWhereTheChainBreaks(t *testing.T) {
	edit := func(change func(*audit.Record)) func([]audit.Record) []audit.Record {
		return func(r []audit.Record) []audit.Record { change(&r[4]); return r }
	}
	tests := map[string]struct {
		tamper func([]audit.Record) []audit.Record
		at     int64 // 0: not found
	}{
		"untouched":               {func(r []audit.Record) []audit.Record { return r }, 0},
		"an actor edited":         {edit(func(r *audit.Record) { r.Actor = "operator:eve" }), 5},
		"a time edited":           {edit(func(r *audit.Record) { r.Time = r.Time.Add(time.Microsecond) }), 5},
		"an account edited":       {edit(func(r *audit.Record) { r.Account.Name += "x" }), 5},
		"a partition edited":      {edit(func(r *audit.Record) { r.Account.Partition = urn.CA }), 5},
		"an action edited":        {edit(func(r *audit.Record) { r.Action = "other" }), 5},
		"a subject edited":        {edit(func(r *audit.Record) { r.Subject += "x" }), 5},
		"an outcome edited":       {edit(func(r *audit.Record) { r.Outcome = audit.Denied }), 5},
		"a request id edited":     {edit(func(r *audit.Record) { r.RequestID = "" }), 5},
		"details edited":          {edit(func(r *audit.Record) { r.Details = "" }), 5},
		"text moved over":         {edit(func(r *audit.Record) { r.RequestID, r.Details = "reqd", "" }), 5},
		"a hash edited":           {edit(func(r *audit.Record) { r.Hash[0] ^= 1 }), 5},
		"a record hashed anew":    {edit(func(r *audit.Record) { r.Actor = "eve"; r.Hash = r.Sum() }), 6},
		"a record deleted":        {func(r []audit.Record) []audit.Record { return slices.Delete(r, 4, 5) }, 5},
		"the first deleted":       {func(r []audit.Record) []audit.Record { return r[1:] }, 1},
		"all deleted":             {func([]audit.Record) []audit.Record { return nil }, 1},
		"two swapped":             {func(r []audit.Record) []audit.Record { r[4], r[5] = r[5], r[4]; return r }, 5},
		"one twice":               {func(r []audit.Record) []audit.Record { return slices.Insert(r, 5, r[4]) }, 6},
		"cut before a checkpoint": {func(r []audit.Record) []audit.Record { return r[:6] }, 7},
		"cut after the last one":  {func(r []audit.Record) []audit.Record { return r[:9] }, 0},
		"all hashed anew":         {func(r []audit.Record) []audit.Record { r[1].Actor = "eve"; return rehash(r) }, 4},
		"the signed part rehashed without a record": {func(r []audit.Record) []audit.Record { return rehash(slices.Delete(r, 5, 6)) }, 8},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			records, checkpoints := written()
			_, err := audit.Verify(all(tt.tamper(records)), checkpoints, public)
			b, _ := errors.AsType[*audit.Break](err)
			switch {
			case tt.at == 0 && err != nil:
				t.Errorf("got %v", err)
			case tt.at != 0 && (b == nil || b.Seq != tt.at):
				t.Errorf("got %v, want a break at %d", err, tt.at)
			}
		})
	}
}

func TestVerifyChecksTheCheckpoints(t *testing.T) {
	records, checkpoints := written()
	report, err := audit.Verify(all(records), checkpoints, public)
	if err != nil || report.Checkpoints != 2 || report.Signed != 8 || report.End.Seq != 10 {
		t.Errorf("%+v %v", report, err)
	}
	report, err = audit.Verify(all(records), checkpoints, nil)
	if err != nil || report.Checkpoints != 0 || report.Signed != 0 {
		t.Errorf("without a key: %+v %v", report, err)
	}
	forged := audit.Sign(ed25519.NewKeyFromSeed(append(make([]byte, 31), 1)), checkpoints[0].Chain, noon)
	if _, err := audit.Verify(all(records), []audit.Checkpoint{forged}, public); err == nil {
		t.Error("a checkpoint of another key passes")
	}
	moved := checkpoints[0]
	moved.Time = moved.Time.Add(time.Second)
	if _, err := audit.Verify(all(records), []audit.Checkpoint{moved}, public); err == nil {
		t.Error("a checkpoint with another time passes")
	}
}

func TestVerifyReportsThatItCouldNotRead(t *testing.T) {
	boom := errors.New("boom")
	_, err := audit.Verify(func(yield func(audit.Record, error) bool) { yield(audit.Record{}, boom) }, nil, nil)
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}
