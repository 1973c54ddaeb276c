package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/audit"
)

// A backup is JSON, one value per line: a header, for each table its name and then a row per line as an array, and a trailer with the
// SHA-256 of all before it. It holds everything but the change feed, which means nothing to a database that nobody has cached, and the
// decisions of the last hours. Keys are in it as the database has them: encrypted under the master key, which is not.
type backupHeader struct {
	Format    string    `json:"format"`
	Schema    int       `json:"schema"`
	At        time.Time `json:"at"`
	Revision  int64     `json:"revision"`
	AuditSeq  int64     `json:"auditSeq"`
	AuditHash []byte    `json:"auditHash"`
}

type backupTable struct {
	Table string `json:"table"`
}

type backupTrailer struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

const (
	backupFormat = "stackgate backup 1"
	backupSchema = 2        // 1 had no service_flag
	backupLine   = 64 << 20 // bytes; the longest line is a policy at all its bounds
)

// A column has a name and one of four types, by a letter: text, integer, boolean, bytes.
type backupSpec struct {
	table   string
	columns string // name:type, separated by spaces; the first columns order the rows
}

// backupSpecs lists the tables so that what is referred to comes first. A test holds it against the schema.
var backupSpecs = [...]backupSpec{
	{"account", "owner:t description:t disabled:b created:i"},
	{"project", "id:t owner:t name:t description:t disabled:b created:i"},
	{"resource", "id:t urn:t owner:t name:t display_name:t tags:t"},
	{"service_account", "id:t owner:t name:t description:t callback_urls:t disabled:b default_project:t token_life:i created:i updated:i"},
	{"deleted_service_account", "id:t deleted:i"},
	{"secret", "id:t client_id:t description:t pepper:t mac:x created:i expires:i used:i used_from:t used_agent:t"},
	{"policy", "id:t owner:t name:t description:t read_only:b body:t expires:i created:i updated:i"},
	{"policy_identity", "policy_id:t part:i identity:t"},
	{"permissions_group", "urn:t id:t owner:t name:t description:t body:t created:i updated:i"},
	{"resource_group", "id:t owner:t name:t read_only:b body:t created:i updated:i"},
	{"revoked_token", "audit_id:t until:i"},
	{"sealed_key", "id:t purpose:t algorithm:t sealed:x created:i active:i retired:i"},
	{"audit_record", "seq:i at:i actor:t owner:t action:t subject:t outcome:t request_id:t details:t prev:x hash:x"},
	{"audit_checkpoint", "seq:i hash:x at:i signature:x"},
	{"service_flag", "client_id:t project:t"},
}

// names gives the columns as SQL lists them, and types their letters.
func (s *backupSpec) names() (names []string, types string) {
	for col := range strings.FieldsSeq(s.columns) {
		name, typ, _ := strings.Cut(col, ":")
		names, types = append(names, name), types+typ
	}
	return names, types
}

// row makes pointers to values of the columns' types.
func row(types string) []any {
	dest := make([]any, len(types))
	for i, typ := range types {
		switch typ {
		case 't':
			dest[i] = new(string)
		case 'i':
			dest[i] = new(int64)
		case 'b':
			dest[i] = new(bool)
		default:
			dest[i] = new([]byte)
		}
	}
	return dest
}

// Backup writes everything, from one snapshot, while the store is in use.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	buffered := bufio.NewWriter(w)
	out := &backupWriter{w: buffered, sum: sha256.New()}
	err := s.View(ctx, func(tx *Tx) error {
		out.line(backupHeader{backupFormat, backupSchema, tx.Now, tx.Revision, tx.Audit.Seq, tx.Audit.Hash[:]})
		for i := range backupSpecs {
			if err := out.table(ctx, tx, &backupSpecs[i]); err != nil {
				return fmt.Errorf("back up table %s: %w", backupSpecs[i].table, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	out.line(backupTrailer{out.rows, hex.EncodeToString(out.sum.Sum(nil))})
	return errors.Join(out.err, buffered.Flush())
}

type backupWriter struct {
	w    io.Writer
	sum  hash.Hash
	rows int64
	err  error // the first; nothing is written after it
}

func (b *backupWriter) line(v any) {
	text, err := json.Marshal(v)
	if b.err == nil {
		b.err = err
	}
	if b.err != nil {
		return
	}
	text = append(text, '\n')
	_, _ = b.sum.Write(text) // a hash never fails
	_, b.err = b.w.Write(text)
}

func (b *backupWriter) table(ctx context.Context, tx *Tx, spec *backupSpec) error {
	names, types := spec.names()
	b.line(backupTable{spec.table})
	order := names[0]
	if spec.table == "policy_identity" {
		order = "policy_id, part"
	}
	rows, err := tx.tx.QueryContext(ctx, `SELECT `+strings.Join(names, ", ")+` FROM `+spec.table+` ORDER BY `+order)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && b.err == nil {
		dest := row(types)
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		b.line(dest)
		b.rows++
	}
	return errors.Join(b.err, rows.Err())
}

// ErrNotEmpty refuses to restore over anything.
var ErrNotEmpty = errors.New("the database is not empty: restore into a new one")

// Restore reads a backup into an empty database, all of it or nothing. The backup may come from the other kind of database.
func (s *Store) Restore(ctx context.Context, r io.Reader) error {
	_, err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.checkEmpty(ctx); err != nil {
			return err
		}
		in := &backupReader{scanner: bufio.NewScanner(r), sum: sha256.New()}
		in.scanner.Buffer(make([]byte, 0, 64<<10), backupLine)
		return in.restore(ctx, tx)
	})
	return err
}

func (t *Tx) checkEmpty(ctx context.Context) error {
	for i := range backupSpecs {
		n, err := t.count(ctx, `SELECT count(*) FROM `+backupSpecs[i].table)
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrNotEmpty
		}
	}
	return nil
}

type backupReader struct {
	scanner *bufio.Scanner
	sum     hash.Hash
	before  []byte // the sum before the last line
	rows    int64
}

// next gives the next line; the end of the input is an error, as the trailer must come first.
func (b *backupReader) next() ([]byte, error) {
	if !b.scanner.Scan() {
		return nil, errors.Join(errors.New("the backup is cut off"), b.scanner.Err())
	}
	b.before = b.sum.Sum(nil)
	_, _ = b.sum.Write(append(b.scanner.Bytes(), '\n'))
	return b.scanner.Bytes(), nil
}

func (b *backupReader) restore(ctx context.Context, tx *Tx) error {
	line, err := b.next()
	if err != nil {
		return err
	}
	var head backupHeader
	if err := json.Unmarshal(line, &head, json.RejectUnknownMembers(true)); err != nil || head.Format != backupFormat {
		return errors.New("this is not a backup of stackgate")
	}
	if head.Schema > backupSchema {
		return fmt.Errorf("the backup has schema %d, this program knows up to %d: run a newer stackgate", head.Schema, backupSchema)
	}
	if err := b.tables(ctx, tx, head.Schema); err != nil {
		return err
	}
	tx.Audit = audit.Chain{Seq: head.AuditSeq}
	copy(tx.Audit.Hash[:], head.AuditHash)
	// The change feed starts after what is restored.
	return tx.exec(ctx, `UPDATE revision SET n = $1, pruned = $1`, head.Revision+1)
}

// tables reads up to the trailer and checks it. What a schema brings stands after what it found.
func (b *backupReader) tables(ctx context.Context, tx *Tx, schema int) error {
	specs, spec := backupSpecs[:], -1
	if schema < backupSchema {
		specs = specs[:len(specs)-1]
	}
	var stmt *sql.Stmt
	defer func() {
		if stmt != nil {
			_ = stmt.Close()
		}
	}()
	for {
		line, err := b.next()
		if err != nil {
			return err
		}
		if len(line) > 0 && line[0] == '[' && stmt != nil {
			if err := b.insert(ctx, stmt, &specs[spec], line); err != nil {
				return fmt.Errorf("restore table %s: %w", specs[spec].table, err)
			}
			continue
		}
		if spec++; spec == len(specs) {
			return b.trailer(line)
		}
		var head backupTable
		if err := json.Unmarshal(line, &head, json.RejectUnknownMembers(true)); err != nil || head.Table != specs[spec].table {
			return fmt.Errorf("the backup is damaged: want table %s", specs[spec].table)
		}
		if stmt != nil {
			_ = stmt.Close()
		}
		if stmt, err = prepareInsert(ctx, tx, &specs[spec]); err != nil {
			return err
		}
	}
}

func prepareInsert(ctx context.Context, tx *Tx, spec *backupSpec) (*sql.Stmt, error) {
	names, _ := spec.names()
	places := make([]string, len(names))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return tx.tx.PrepareContext(ctx, `INSERT INTO `+spec.table+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(places, ", ")+`)`)
}

func (b *backupReader) insert(ctx context.Context, stmt *sql.Stmt, spec *backupSpec, line []byte) error {
	_, types := spec.names()
	var texts []jsontext.Value
	if err := json.Unmarshal(line, &texts); err != nil || len(texts) != len(types) {
		return errors.New("the backup is damaged: malformed row")
	}
	dest := row(types)
	for i := range dest {
		if err := json.Unmarshal(texts[i], dest[i]); err != nil {
			return errors.New("the backup is damaged: malformed column")
		}
	}
	b.rows++
	_, err := stmt.ExecContext(ctx, dest...)
	return err
}

func (b *backupReader) trailer(line []byte) error {
	var end backupTrailer
	if err := json.Unmarshal(line, &end, json.RejectUnknownMembers(true)); err != nil {
		return errors.New("the backup is damaged: malformed trailer")
	}
	if end.SHA256 != hex.EncodeToString(b.before) || end.Rows != b.rows {
		return errors.New("the backup is damaged: its checksum is wrong")
	}
	return nil
}
