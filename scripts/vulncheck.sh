#!/bin/sh
# Runs govulncheck where its database can be reached. Unreachable is said, and is no failure; a finding is one.
go=$1 tool=$2
if out=$("$go" run "$tool" ./... 2>&1); then
  echo "govulncheck: nothing found"
elif echo "$out" | grep -qE 'fetching vulnerabilities|dial tcp|no such host|connection refused|Forbidden|i/o timeout'; then
  echo "govulncheck: the vulnerability database cannot be reached from here; not checked"
else
  echo "$out"
  exit 1
fi
