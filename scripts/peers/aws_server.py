"""moto, with what it does otherwise than AWS put right, on a loopback port the system picks.

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
    """The service as moto has it, put right. Called once for each, when it is first asked for: to load them all
    would double the time until the server listens.
    """
    # What a template makes is made by other services, asked for or not.
    for fixed in FIXED if service == "cloudformation" else FIXED & {service}:
        put_right(fixed)
    return create_backend_app(service)


@functools.cache
def put_right(service):
    """Applies the fixes of a service, once."""
    importlib.import_module(f"moto_fixes.{service}").apply()


@wrapped(BaseResponse, "call_action")
def call_action(original, self):
    """Most protocols have one path for all operations, so that an access log would tell none apart."""
    line = f"call {self.current_account} {self.region} {self.boto3_service_name} {self._get_action()}\n"
    # In one piece, for other threads print meanwhile.
    os.write(sys.stdout.fileno(), line.encode())
    return original(self)


class Handler(MotoRequestHandler):
    """Silent: the calls are the log."""

    def log_request(self, *_):
        """Says nothing."""


moto = DomainDispatcherApplication(create_app)


def application(environ, start_response):
    """moto, and one request of no AWS API: what only time does to a function."""
    if environ["PATH_INFO"] == "/set/function-state":
        told = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        importlib.import_module("moto_fixes.awslambda").tell_state(told)
        start_response("204 No Content", [])
        return []
    return moto(environ, start_response)


server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
