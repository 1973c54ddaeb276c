package store

import "testing"

// ExecForTest runs a statement as somebody with access to the database would.
func ExecForTest(t *testing.T, s *Store, query string, args ...any) error {
	t.Helper()
	_, err := s.write.ExecContext(t.Context(), query, args...)
	return err
}
