#!/bin/sh
# The figures of docs/performance.md: flows per second against bare counterparts, with 1 000 service accounts stored, then the functions of
# the hot path. With STACKGATE_BENCH_MILLION=1 also with 1 000 000 stored, which takes some minutes and 2 GB of the temporary folder.
set -e
env -u OS_AUTH_URL bin/stackgate bench --accounts 1000 "$@"
if [ -n "$STACKGATE_BENCH_MILLION" ]; then
	env -u OS_AUTH_URL bin/stackgate bench --accounts 1000000 "$@"
fi
go test -run '^$' -bench . -benchmem ./internal/iam ./internal/registry ./internal/rbac ./internal/keys ./internal/keystone ./internal/oidc ./internal/gateway
# Beside real Swift, where Debian's packages are (scripts/real-packages.sh installs them).
if [ -n "$STACKGATE_REAL" ]; then
	go test -run '^$' -bench RealSwift -benchtime 5x .
fi
