"""Reads a policy file as oslo.policy does and prints the names of its rules, one a line. A check that cannot be read is an error."""
import sys

from oslo_policy import _checks, policy

with open(sys.argv[1]) as f:
    for name, check in sorted(policy.Rules.load(f.read()).items()):
        if isinstance(check, (_checks.FalseCheck, _checks.TrueCheck)):
            sys.exit("%s: the check cannot be read" % name)
        print(name)
