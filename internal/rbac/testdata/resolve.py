"""Says what a service's real router makes of request targets.

usage: resolve.py nova|cinder|glance|neutron|swift, with lines "METHOD /target" on standard input. Each is answered with a line of JSON: the
controller and its method, "" if the router finds nothing that can be called, and the texts that it took out of the path.
"""
import json
import sys
import types
import urllib.parse


def environ(method, target):
    path, _, query = target.partition('?')
    return {'REQUEST_METHOD': method, 'SCRIPT_NAME': '', 'PATH_INFO': urllib.parse.unquote(path, 'latin-1'), 'QUERY_STRING': query,
            'SERVER_NAME': 'x', 'SERVER_PORT': '80', 'SERVER_PROTOCOL': 'HTTP/1.1', 'HTTP_HOST': 'x', 'wsgi.url_scheme': 'http',
            'wsgi.input': None, 'wsgi.errors': sys.stderr, 'wsgi.version': (1, 0), 'wsgi.multithread': False,
            'wsgi.multiprocess': False, 'wsgi.run_once': False, 'CONTENT_TYPE': 'application/json'}


def answer(call, args):
    return [json.dumps({'call': call, 'args': [a for a in args if isinstance(a, str)]})]


def report(env, start_response):
    """Stands where the services' controllers do."""
    match = dict(env['wsgiorg.routing_args'][1])
    resource, action = match.pop('controller', None), match.pop('action', None)
    controller = getattr(resource, 'controller', resource)
    if resource is None or not (action in ('action', 'reject') or hasattr(controller, action or '')):
        return answer('', [])
    name = getattr(controller, '_collection', type(controller).__name__)  # Neutron has one class for nearly all
    return answer('%s.%s' % (name, action), match.values())


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
    """Only the extensions' router, which comes first; networks, subnets and ports are what it does not find."""
    from unittest import mock
    from neutron.common import config
    from neutron.conf import common
    from neutron_lib import rpc
    from neutron_lib.plugins import directory
    from oslo_config import cfg
    common.register_core_common_config_opts()
    common.register_nova_opts()
    cfg.CONF([], project='neutron', default_config_files=[])
    for name in ('notify_nova_on_port_status_changes', 'notify_nova_on_port_data_changes'):
        cfg.CONF.set_override(name, False)
    rpc.get_notifier = lambda *args, **kwargs: None  # there is nobody to talk to
    prefixes = {'METERING': '/metering', 'QOS': '/qos', 'LOGGING': '/log'}
    directory.get_plugin = lambda name='': mock.MagicMock(path_prefix=prefixes.get(name, ''))
    from neutron.api import extensions
    from neutron.services.network_ip_availability import plugin
    plugin.NetworkIPAvailabilityPlugin.get_instance = lambda: mock.MagicMock()
    manager = extensions.ExtensionManager(extensions.get_extensions_path())
    from neutron_lib.api import attributes
    manager.extend_resources('2.0', attributes.RESOURCES)
    mapper = extensions.ExtensionMiddleware(None, manager)._router.mapper
    from paste import urlmap
    m = urlmap.URLMap()
    m['/'] = versions
    m['/v2.0'] = routed(mapper)
    return m


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
