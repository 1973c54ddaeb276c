"""Prints the policy rules of one OpenStack service, as the installed packages register them: one JSON object per line.

    python3 documented.py nova|cinder|glance|neutron

Every rule has its name, its default check, the scopes it is for and the calls that its documentation names. Neutron's rules are
those of Neutron and of every package of its stadium that is installed. The files in ../rules are made so.
"""
import importlib
import json
import sys

MODULES = {
    "nova": ["nova.policies"],
    "cinder": ["cinder.policies"],
    "glance": ["glance.policies"],
    "neutron": [
        "neutron.conf.policies", "neutron_vpnaas.policies", "neutron_fwaas.policies", "networking_bgpvpn.policies",
        "networking_sfc.policies", "neutron_taas.policies", "neutron_dynamic_routing.policies",
    ],
}
OPTIONAL = {"neutron_fwaas.policies"}  # not in Debian 12


def operations(rule):
    for op in getattr(rule, "operations", None) or []:
        methods = op["method"]
        for method in [methods] if isinstance(methods, str) else methods:
            yield "%s %s" % (method, op["path"])


def rules(service):
    for name in MODULES[service]:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            if name not in OPTIONAL:
                raise
            continue
        for rule in module.list_rules():
            yield {"rule": rule.name, "check": str(rule.check_str), "scope": rule.scope_types or [],
                   "operations": sorted(set(operations(rule)))}


if __name__ == "__main__":
    for rule in sorted(rules(sys.argv[1]), key=lambda r: r["rule"]):
        print(json.dumps(rule))
