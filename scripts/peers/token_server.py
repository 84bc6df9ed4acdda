"""A token server for docker-registry's token authentication, on a loopback port chosen by the system.

    token_server.py CERT KEY ISSUER SERVICE USER PASSWORD

Prints "listening on 127.0.0.1:PORT", then a JSON line for each request: whether it has a user, and the
requested scopes. Pushing needs the user; pulling needs none. Tokens last a minute and are signed
as the distribution token specification says: RS256, with the certificate in the `x5c` header.
"""

import base64
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

CERT, KEY, ISSUER, SERVICE, USER, PASSWORD = sys.argv[1:7]
LIFETIME_SECONDS = 60

with open(CERT, "rb") as file:
    X5C = base64.b64encode(x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)).decode()
with open(KEY, encoding="ascii") as file:
    SIGNING_KEY = file.read()
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def granted(scope, is_user):
    """The access that a scope (`repository:lambda/java:pull,push`) grants to the user, or to anonymous requests."""
    kind, name, actions = scope.split(":", 2)
    allowed = {"pull", "push", "*"} if is_user else {"pull"}
    return {"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in allowed]}


class Handler(BaseHTTPRequestHandler):
    """Answers `GET /token?service=…&scope=…`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        scopes = " ".join(query.get("scope", [])).split()
        login = self.headers.get("Authorization")
        print(json.dumps({"user": login == LOGIN, "login": login is not None, "scopes": scopes}), flush=True)
        if query.get("service") != [SERVICE]:
            return self.answer(400, {"details": "unknown service"})
        if login not in (None, LOGIN):
            return self.answer(401, {"details": "wrong user or password"})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USER if login else "",
            "aud": SERVICE,
            "exp": now + LIFETIME_SECONDS,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [granted(scope, login == LOGIN) for scope in scopes],
        }
        token = jwt.encode(claims, SIGNING_KEY, algorithm="RS256", headers={"x5c": [X5C]})
        return self.answer(200, {"token": token, "expires_in": LIFETIME_SECONDS})

    def answer(self, status, body):
        """Sends a JSON answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Does not log: the JSON lines are the log."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
