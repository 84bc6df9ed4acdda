"""moto with fixes for its differences from AWS, on a loopback port chosen by the system.

    aws_server.py

Prints "listening on 127.0.0.1:PORT", then a line for each API call as "call ACCOUNT REGION SERVICE OPERATION".
Everything that the tests need and moto lacks is mended here, in moto_fixes, and nowhere in the product: what
works against this server has to work against AWS unchanged.
"""

import functools
import importlib
import json
import os
import sys

from moto.core.responses import BaseResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from moto_fixes.patching import wrapped

FIXED = {"account", "awslambda", "ecr", "ecs", "s3", "sts"}


def create_app(service):
    """The service of moto with fixes. Called once for each, on its first request: to load them all
    would double the time until the server listens.
    """
    # A template creates resources of other services, which may not have been requested yet.
    for fixed in FIXED if service == "cloudformation" else FIXED & {service}:
        put_right(fixed)
    return create_backend_app(service)


@functools.cache
def put_right(service):
    """Applies the fixes of a service, once."""
    importlib.import_module(f"moto_fixes.{service}").apply()


@wrapped(BaseResponse, "call_action")
def call_action(original, self):
    """Most protocols have one path for all operations, so an access log could not distinguish them."""
    line = f"call {self.current_account} {self.region} {self.boto3_service_name} {self._get_action()}\n"
    # In one write, because other threads print as well.
    os.write(sys.stdout.fileno(), line.encode())
    return original(self)


class Handler(MotoRequestHandler):
    """Does not log: the printed calls are the log."""

    def log_request(self, *_):
        """Logs nothing."""


moto = DomainDispatcherApplication(create_app)


def application(environ, start_response):
    """moto, and one request beside the AWS APIs: a state of a function that takes time to reach."""
    if environ["PATH_INFO"] == "/set/function-state":
        change = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        importlib.import_module("moto_fixes.awslambda").set_state(change)
        start_response("204 No Content", [])
        return []
    return moto(environ, start_response)


server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
