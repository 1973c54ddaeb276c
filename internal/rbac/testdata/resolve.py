"""Says what a service's real router makes of request targets.

usage: resolve.py nova|cinder|glance|neutron|swift, with lines "METHOD /target" on standard input. Each is answered with a line of JSON: the
controller and its method, "" if the router finds nothing that can be called, the texts that it took out of the path, and, where the
controller tells, the policy rule that it goes by.
"""
import importlib.metadata
import io
import json
import logging
import sys
import types
import urllib.parse


def environ(method, target):
    path, _, query = target.partition('?')
    return {'REQUEST_METHOD': method, 'SCRIPT_NAME': '', 'PATH_INFO': urllib.parse.unquote(path, 'latin-1'), 'QUERY_STRING': query,
            'SERVER_NAME': 'x', 'SERVER_PORT': '80', 'SERVER_PROTOCOL': 'HTTP/1.1', 'HTTP_HOST': 'x', 'wsgi.url_scheme': 'http',
            'wsgi.input': io.BytesIO(), 'wsgi.errors': sys.stderr, 'wsgi.version': (1, 0), 'wsgi.multithread': False,
            'wsgi.multiprocess': False, 'wsgi.run_once': False, 'CONTENT_TYPE': 'application/json'}


def answer(call, args, rule=''):
    return [json.dumps({'call': call, 'args': [a for a in args if isinstance(a, str)], 'rule': rule})]


def report(env, start_response):
    """Stands where the services' controllers do."""
    match = dict(env['wsgiorg.routing_args'][1])
    resource, action = match.pop('controller', None), match.pop('action', None)
    controller = getattr(resource, 'controller', resource)
    if resource is None or not (action in ('action', 'reject') or hasattr(controller, action or '')):
        return answer('', [])
    name = getattr(controller, '_collection', type(controller).__name__)  # Neutron has one class for nearly all
    return answer('%s.%s(%s)' % (name, action, ','.join(sorted(match))), match.values(), neutron_rule(controller, action, match))


def routed(mapper):
    import routes.middleware
    return routes.middleware.RoutesMiddleware(report, mapper)


def versions(env, start_response):
    return answer('versions', [])


def nova():
    from nova import rpc
    rpc.get_client = rpc.get_notifier = lambda *args, **kwargs: None  # there is nobody to talk to
    from nova import config
    import nova.conf
    nova.conf.CONF([], project='nova', default_config_files=[])
    from nova.api.openstack import urlmap
    from nova.api.openstack.compute import routes
    m = urlmap.URLMap()
    m['/'] = versions
    m['/v2.1'] = routed(routes.APIRouterV21().map)
    return m


def cinder():
    from oslo_config import cfg
    from cinder import db, objects, rpc
    objects.register_all()
    cfg.CONF([], project='cinder', default_config_files=[])
    rpc.RPCAPI.__init__ = lambda self, *args, **kwargs: None  # there is nobody to talk to
    db.dispose_engine = lambda: None
    from cinder.api.v3 import router
    from paste import urlmap
    m = urlmap.URLMap()
    m['/'] = versions
    m['/v3'] = routed(router.APIRouter().map)
    return m


def glance():
    from oslo_config import cfg
    cfg.CONF([], project='glance', default_config_files=[])
    from glance.common import config
    from glance.api.middleware.version_negotiation import VersionNegotiationFilter
    from glance.api.v2 import router
    from glance.common import wsgi
    from paste import urlmap
    import webob
    m = urlmap.URLMap()
    m['/'] = versions
    m['/v2'] = routed(router.API(wsgi.APIMapper()).map)
    negotiation = VersionNegotiationFilter(m)

    def app(env, start_response):
        if negotiation.process_request(webob.Request(env)) is not None:
            return versions(env, start_response)
        return m(env, start_response)
    return app


def neutron():
    """The whole of Neutron with its plugins: the extensions' router, and behind it the pecan application for what that does not find."""
    logging.disable(logging.CRITICAL)
    neutron_config()
    import pecan
    from pecan import hooks
    from webob import exc
    from neutron.api import extensions
    from neutron.pecan_wsgi import app
    found = []

    class Found(hooks.PecanHook):
        """Comes when pecan has chosen a controller, in the place of Neutron's hooks, and ends the request there."""

        def before(self, state):
            found.append(pecan_answer(state.controller.__name__, state.arguments.args[0]))
            raise exc.HTTPNoContent()
    make_app = pecan.make_app
    pecan.make_app = lambda root, hooks, **kwargs: make_app(root, hooks=[Found()], **kwargs)
    core = app.v2_factory({})
    extended = routed(extensions.ExtensionMiddleware(core, extensions.PluginAwareExtensionManager.get_instance())._router.mapper)

    def v2(env, start_response):
        text = extended(env, start_response)
        if env['wsgiorg.routing_args'][1].get('controller') is not None:
            return text
        del found[:]
        core(env, start_response)
        return found or answer('', [])
    from paste import urlmap
    m = urlmap.URLMap()
    m['/'] = versions
    m['/v2.0'] = v2
    return m


def neutron_rule(controller, action, match):
    """The rule of what the extensions' router found, "" where the controller has a policy of its own, or none."""
    handlers = getattr(controller, '_plugin_handlers', {})
    if type(controller).__name__ == 'TaggingController':  # Zed has no rules for tags; these are what later ones have
        verb = {'index': 'get', 'show': 'get', 'create': 'create'}.get(action) or action.replace('_all', '')
        return '%s_%s:tags' % (verb, [k[:-len('_id')] for k in match if k.endswith('_id')][0])
    if not handlers:
        return ''
    return handlers.get('show' if action == 'index' else action, action)


def pecan_answer(method, controller):
    """What a controller of pecan's does, which may be one of the extensions' behind another face."""
    inner = getattr(controller, 'controller', controller)
    action = getattr(controller, '_show_action', None) or getattr(controller, '_update_action', None)
    verb = {'index': 'show', 'post': 'create', 'put': 'update'}.get(method, method)
    if verb == 'not_supported' or type(controller).__name__ == 'MemberActionController' and not action:
        return answer('', [])[0]
    name = '%s.%s.%s' % (type(controller).__name__, type(inner).__name__, getattr(controller, 'resource', '') if inner is controller else '')
    items = [getattr(controller, k) for k in ('item', 'alias') if hasattr(controller, k)]
    rule = getattr(controller, '_plugin_handlers', {}).get(verb, '') if inner is controller else ''
    return answer('%s.%s' % (name, action or verb), items, action or rule)[0]


def neutron_config():
    """An empty Neutron with the plugins that Debian has, its database in memory and nobody to talk to."""
    import oslo_messaging
    from neutron.common import config
    from oslo_config import cfg
    config.register_common_config_options()
    from neutron.conf.plugins.ml2 import config as ml2
    from neutron.conf.services import provider_configuration
    ml2.register_ml2_plugin_opts()
    provider_configuration.register_service_provider_opts()
    cfg.CONF([], project='neutron', default_config_files=[])
    cfg.CONF.register_opts(oslo_messaging.transport._transport_opts)
    from neutron.db.migration.models import head  # noqa: the tables, and those of what is not in Neutron's own tree
    for plugin in importlib.metadata.entry_points(group='neutron.service_plugins'):
        if plugin.name in NEUTRON_PLUGINS.split():
            plugin.load()
    from neutron_lib import rpc
    from neutron_lib.db import api, model_base
    from oslo_db import options
    options.set_defaults(cfg.CONF, connection='sqlite://')
    for name, value in (('core_plugin', 'ml2'), ('service_plugins', NEUTRON_PLUGINS.split()), ('transport_url', 'fake:/'),
                        ('notify_nova_on_port_status_changes', False), ('notify_nova_on_port_data_changes', False)):
        cfg.CONF.set_override(name, value)
    cfg.CONF.set_override('mechanism_drivers', ['openvswitch'], 'ml2')
    cfg.CONF.set_override('extension_drivers', ['port_security', 'qos', 'dns', 'uplink_status_propagation'], 'ml2')
    cfg.CONF.set_override('service_provider', [
        'VPN:v:neutron_vpnaas.services.vpn.service_drivers.ipsec.IPsecVPNDriver:default',
        'BGPVPN:b:networking_bgpvpn.neutron.services.service_drivers.driver_api.BGPVPNDriver:default',
        'TAAS:t:neutron_taas.services.taas.service_drivers.taas_rpc.TaasRpcDriver:default'], 'service_providers')
    rpc.init(cfg.CONF)
    model_base.BASEV2.metadata.create_all(api.CONTEXT_WRITER.get_engine())


NEUTRON_PLUGINS = """router qos trunk segments metering tag flavors auto_allocate revisions timestamp network_ip_availability
    network_segment_range port_forwarding conntrack_helper ndp_proxy local_ip log vpnaas bgpvpn flow_classifier sfc taas bgp"""


def swift():
    from swift.common import utils
    utils.HASH_PATH_SUFFIX = b'x'
    utils.validate_hash_conf = lambda: None
    from swift.proxy import server
    from swift.common import swob
    server.get_container_info = lambda *args: {'status': 200, 'storage_policy': 0}

    class Objects(dict):
        def __missing__(self, policy):
            return types.SimpleNamespace(__name__='ObjectController')
    proxy = types.SimpleNamespace(expose_info=True, disallowed_sections=[], admin_key=None, obj_controller_router=Objects())

    def app(env, start_response):
        controller, args = server.Application.get_controller(proxy, swob.Request(env))
        return answer(controller.__name__ if controller else '', [
            urllib.parse.unquote(args.get(k + '_name') or '') for k in ('account', 'container', 'object')])
    return app


def main():
    app = {'nova': nova, 'cinder': cinder, 'glance': glance, 'neutron': neutron, 'swift': swift}[sys.argv[1]]()
    for line in sys.stdin:
        method, target = line.rstrip('\n').split(' ', 1)
        try:
            text = ''.join(app(environ(method, target), lambda *args: None))
        except Exception:  # a page of an error's, in bytes, or what becomes one
            text = ''.join(answer('', []))
        print(text or ''.join(answer('', [])))


if __name__ == '__main__':
    main()
