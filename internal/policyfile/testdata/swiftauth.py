"""Asks Swift's own keystoneauth middleware, configured by a fragment of proxy-server.conf, who may do what.

    python3 swiftauth.py proxy-server.conf < requests.json

requests.json is a list of {"roles": [...], none without a token, "project", "method", "path", "acl"}; the answer is a list of statuses.
"""
import configparser
import json
import sys

from swift.common.middleware import keystoneauth
from swift.common.swob import Request, Response


class Proxy:
    """What the proxy does about authorization: it sets the container's access list and asks."""

    def __init__(self):
        self.acl = None

    def __call__(self, environ, start_response):
        request = Request(environ)
        if self.acl:
            request.acl = self.acl
        refusal = environ["swift.authorize"](request)
        return (refusal or Response(status=200))(environ, start_response)


def main(path):
    conf = configparser.ConfigParser()
    conf.read(path)
    proxy = Proxy()
    auth = keystoneauth.filter_factory({}, **dict(conf["filter:keystoneauth"]))(proxy)
    # what no account has been asked for yet
    auth._get_project_domain_id = lambda environ: (True, "default")
    statuses = []
    for asked in json.load(sys.stdin):
        headers = {}
        if asked["roles"]:
            headers = {"X-Identity-Status": "Confirmed", "X-Roles": ",".join(asked["roles"]), "X-Project-Id": asked["project"],
                       "X-Project-Name": "a", "X-User-Id": "0b" * 16, "X-User-Name": "b",
                       "X-User-Domain-Id": "default", "X-Project-Domain-Id": "default"}
        request = Request.blank(asked["path"], method=asked["method"], headers=headers)
        request.environ["keystone.token_info"] = {"token": {}}
        proxy.acl = asked["acl"]
        statuses.append(request.get_response(auth).status_int)
    print(json.dumps(statuses))


if __name__ == "__main__":
    main(sys.argv[1])
