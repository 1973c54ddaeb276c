"""Serves the API of Debian's Nova, Cinder or Neutron, of whose packages only the Python part is there: no service of the machine is touched.

usage: serve.py nova|cinder|neutron DIR PORT, where DIR holds SERVICE.conf and paste.ini, and gets the database.
       serve.py … init     makes the database and ends.
"""
import os
import socketserver
import sqlite3
import sys
from wsgiref import simple_server

SERVICE, DIR, PORT = sys.argv[1:4]
INIT = sys.argv[4:] == ['init']
CONF = os.path.join(DIR, SERVICE + '.conf')
PASTE = os.path.join(DIR, 'paste.ini')
del sys.argv[1:]


def wal():
    """The services read on one connection while they write on another, which SQLite's older journal answers with "database is locked"."""
    for name in os.listdir(DIR):
        if name.endswith('.sqlite'):
            sqlite3.connect(os.path.join(DIR, name)).execute('pragma journal_mode=wal')


def nova():
    os.environ.update(OS_NOVA_CONFIG_DIR=DIR, OS_NOVA_CONFIG_FILES='paste.ini;nova.conf')
    from nova.api.openstack import wsgi_app
    if not INIT:
        return wsgi_app.init_application('osapi_compute')
    wsgi_app.init_global_data([CONF], 'nova-manage')
    from nova import context, objects
    from nova.cmd import manage
    from nova.db import migration
    for database in ('api', 'main'):
        migration.db_sync(database=database)
    cells = manage.CellV2Commands()
    url = 'sqlite:///%s/' % DIR
    cells.map_cell0(url + 'cell0.sqlite')
    migration.db_sync(database='main', context=cell0(context, objects))
    cells.create_cell('cell1', url + 'nova.sqlite', 'fake:/')
    flavor = objects.Flavor(context.get_admin_context(), name='small', flavorid='1', memory_mb=512, vcpus=1, root_gb=1, ephemeral_gb=0,
                            swap=0, rxtx_factor=1.0, is_public=True)
    flavor.create()


def cell0(context, objects):
    ctxt = context.get_admin_context()
    context.set_target_cell(ctxt, objects.CellMapping.get_by_uuid(ctxt, objects.CellMapping.CELL0_UUID))
    return ctxt


def cinder():
    from cinder import objects, rpc, version
    from cinder.common import config  # noqa: registers options
    from oslo_config import cfg
    from paste import deploy
    objects.register_all()
    cfg.CONF([], project='cinder', version=version.version_string(), default_config_files=[CONF])
    if INIT:
        from cinder.db import migration
        migration.db_sync()
        return None
    from cinder import coordination
    coordination.COORDINATOR.start()
    rpc.init(cfg.CONF)
    return deploy.loadapp('config:' + PASTE, name='osapi_volume')


def neutron():
    from neutron.common import config
    from oslo_config import cfg
    from neutron.conf.plugins.ml2 import config as ml2
    config.register_common_config_options()
    ml2.register_ml2_plugin_opts()
    config.init(['--config-file', CONF])
    if INIT:
        from neutron.db.migration.models import head  # noqa: all tables
        from neutron_lib.db import api, model_base
        model_base.BASEV2.metadata.create_all(api.CONTEXT_WRITER.get_engine())
        return None
    return config.load_paste_app('neutron')


class Server(simple_server.WSGIServer):
    """One request at a time, each on a connection of its own: SQLite likes it so."""
    request_queue_size = 100


app = {'nova': nova, 'cinder': cinder, 'neutron': neutron}[SERVICE]()
if INIT:
    wal()
else:
    with simple_server.make_server('127.0.0.1', int(PORT), app, Server) as server:
        server.serve_forever()
