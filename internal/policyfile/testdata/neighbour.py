"""Serves a question over HTTP: may whoever asks pass a rule of a service's policy, on something of his own project?

    python3 neighbour.py neutron|cinder|glance|nova policy.yaml middleware.conf port

GET /<rule> is 200 or 403. Who asks is found out by the real keystonemiddleware, and judged by the real oslo.policy with the service's
own rules and request context, as in the service; what is left out is the service.
"""
import logging
import socketserver
import sys
import warnings
from wsgiref import simple_server

from keystonemiddleware import auth_token
from oslo_config import cfg

import enforce


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


def main(service, policy_file, middleware, port):
    logging.basicConfig(level=logging.INFO)
    warnings.simplefilter("ignore")
    cfg.CONF([], project=service, default_config_files=[])
    cls = enforce.context_class(service)
    enforcer = enforce.enforcer(enforce.registered(service).values(), policy_file)

    def app(environ, start_response):
        own = environ.get("HTTP_X_PROJECT_ID", "")
        values = cls.from_environ(environ).to_policy_values()
        passes = enforcer.enforce(environ["PATH_INFO"][1:], enforce.target(own, own, "private", False), dict(values))
        start_response("200 OK" if passes else "403 Forbidden", [("Content-Type", "text/plain")])
        return [("roles %s, service roles %s\n" % (environ.get("HTTP_X_ROLES"), environ.get("HTTP_X_SERVICE_ROLES"))).encode()]

    guarded = auth_token.AuthProtocol(app, {"oslo_config_project": "neighbour", "oslo_config_file": middleware})
    simple_server.make_server("127.0.0.1", int(port), guarded, server_class=Server).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
