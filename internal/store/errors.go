package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// away marks an error of the very first statement: whatever it is, the database could not be used.
func away(err error) error {
	if isConflict(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// classify gives an error of either driver one of this package's kinds. Errors that are not a driver's pass unchanged.
func classify(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrAway), errors.Is(err, ErrExists), errors.Is(err, ErrNotFound):
		return err
	case errors.Is(err, sql.ErrNoRows), pgCode(err) == "22021": // a text that PostgreSQL cannot hold is the key of no row
		return ErrNotFound
	case isExists(err):
		return fmt.Errorf("%w: %w", ErrExists, err)
	case isConflict(err), isAway(err):
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

func pgCode(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}

// sqliteCode gives the extended result code, 0 if it is no SQLite error.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// isExists reports a broken unique or primary key.
func isExists(err error) bool {
	code := sqliteCode(err)
	return pgCode(err) == "23505" || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// isConflict reports a transaction that lost against another one: running it again may succeed.
func isConflict(err error) bool {
	code := pgCode(err)
	return code == "40001" || code == "40P01" || sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY
}

// isAway reports a database that cannot answer now, as opposed to one that refuses a statement.
func isAway(err error) bool {
	if code := pgCode(err); code != "" {
		// connection exceptions, insufficient resources, operator intervention, system error
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57") || strings.HasPrefix(code, "58")
	}
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY:
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone)
}
