#!/bin/sh
# The figures of docs/performance.md: flows per second against bare counterparts, then the functions of the hot path.
set -e
env -u OS_AUTH_URL bin/stackgate bench "$@"
go test -run '^$' -bench . -benchmem ./internal/iam ./internal/registry ./internal/rbac ./internal/keys ./internal/keystone ./internal/oidc ./internal/gateway
