"""Asks the real oslo.policy, with the real rules and request contexts of one service, who passes which rule.

    python3 enforce.py nova|cinder|glance|neutron policy.yaml < callers.json

callers.json is a list of {"roles": [...], "service": bool, "ours": bool}; with service, the request has a service's token, too. For each
rule, one line of JSON: its name, and for each target a word with one digit per caller, 1 for yes: in "file" for all of them, in "default",
which is without a policy file, for those that are not ours.
A caller is always of project OWN; targets belong to him (own), to another (foreign), to another who shares them (shared), or to another
while what they stand in is his (inside).
"""
import importlib
import json
import logging
import pkgutil
import sys
import tempfile
import warnings

from oslo_config import cfg
from oslo_policy import policy

import documented

OWN, OTHER, USER = "0f" * 16, "0a" * 16, "0b" * 16


def prepare_neutron():
    """Registers Neutron's own kinds of checks, and the attributes of all extensions, which say that shared is a truth value."""
    import neutron.policy  # noqa: F401
    from neutron_lib.api import attributes, definitions
    for info in pkgutil.iter_modules(definitions.__path__):
        module = importlib.import_module("neutron_lib.api.definitions." + info.name)
        for collection, fields in (getattr(module, "RESOURCE_ATTRIBUTE_MAP", None) or {}).items():
            attributes.RESOURCES.setdefault(collection, {}).update(fields)


def context_class(service):
    if service == "neutron":
        prepare_neutron()
        from neutron_lib import context
        return context.Context
    module = __import__(service + ".context", fromlist=["RequestContext"])
    return module.RequestContext


def credentials(cls, caller):
    environ = {"HTTP_X_USER_ID": USER, "HTTP_X_PROJECT_ID": OWN, "HTTP_X_ROLES": ",".join(caller["roles"])}
    if caller["service"]:
        environ.update(HTTP_X_SERVICE_USER_ID="0c" * 16, HTTP_X_SERVICE_PROJECT_ID=OTHER, HTTP_X_SERVICE_ROLES="service")
    return cls.from_environ(environ).to_policy_values()


def target(owner, parent, visibility, shared):
    keys = {"user_id": USER if owner == OWN else OTHER, "owner": owner, "member_id": parent, "domain_id": "default",
            "visibility": visibility, "shared": shared, "router:external": shared, "target_tenant": OTHER, "target_project": OTHER}
    for name in ("tenant_id", "project_id"):
        keys[name] = owner
        for of in ("network", "ext_parent", "security_group"):
            keys["%s:%s" % (of, name)] = parent
    return keys


TARGETS = {
    "own": target(OWN, OWN, "private", False),
    "foreign": target(OTHER, OTHER, "private", False),
    "shared": target(OTHER, OTHER, "public", True),
    "inside": target(OTHER, OWN, "private", False),
}


def enforcer(rules, path):
    conf = cfg.ConfigOpts()
    conf([])
    e = policy.Enforcer(conf, policy_file=path, use_conf=True)
    conf.set_override("enforce_new_defaults", True, "oslo_policy")
    if "enforce_scope" in conf.oslo_policy:  # later releases always do
        conf.set_override("enforce_scope", True, "oslo_policy")
    e.suppress_deprecation_warnings = True
    e.register_defaults(rules)
    e.load_rules(force_reload=True)
    e.use_conf = False  # do not look at the file again for every question
    return e


def registered(service):
    rules = {}
    for name in documented.MODULES[service]:
        try:
            module = __import__(name, fromlist=["list_rules"])
        except ModuleNotFoundError:
            if name not in documented.OPTIONAL:
                raise
            continue
        for rule in module.list_rules():
            rules.setdefault(rule.name, rule)
    return rules


def main(service, path):
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    cfg.CONF([], project=service, default_config_files=[])  # what the services' contexts look into
    cls = context_class(service)  # first: the rules are parsed as they are imported
    rules = registered(service)
    asked = json.load(sys.stdin)
    callers = {"file": [credentials(cls, c) for c in asked], "default": [credentials(cls, c) for c in asked if not c["ours"]]}
    with tempfile.NamedTemporaryFile(suffix=".yaml") as empty:
        enforcers = {"default": enforcer(rules.values(), empty.name), "file": enforcer(rules.values(), path)}
        for name in sorted(set(rules) | set(enforcers["file"].file_rules)):
            answer = {"rule": name}
            for label, e in enforcers.items():
                answer[label] = {t: "".join("1" if e.enforce(name, dict(keys), dict(c)) else "0" for c in callers[label])
                                 for t, keys in TARGETS.items()}
            print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
