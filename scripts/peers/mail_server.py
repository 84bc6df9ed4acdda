"""A mail server on a loopback port chosen by the system.

    mail_server.py FOLDER USER PASSWORD [CERT KEY [tls]]

Prints "listening on 127.0.0.1:PORT". With a certificate it requires STARTTLS, or TLS from the start with
`tls`, and the login. Each accepted mail becomes a file in FOLDER, with its envelope in headers. Recipients answer by
their name: `later@…` with 451, `nobody@…` with 550; mail from `slow@…` is never answered.
"""

import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

FOLDER, USER, PASSWORD, *TLS = sys.argv[1:]
NUMBERS = itertools.count()


def authenticate(server, session, envelope, mechanism, auth_data):
    """Accepts the one login."""
    expected = LoginPassword(USER.encode(), PASSWORD.encode())
    is_expected = isinstance(auth_data, LoginPassword) and auth_data == expected
    # What is not handled is answered with 535.
    return AuthResult(success=is_expected, handled=is_expected)


class Mailbox:
    """Keeps what it accepts."""

    async def handle_MAIL(self, server, session, envelope, address, options):
        """Hangs for one sender."""
        if address.startswith("slow@"):
            await asyncio.sleep(3600)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        """Refuses some recipients."""
        if address.startswith("later@"):
            return "451 4.7.1 Greylisted, try again in 300 seconds"
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        """Stores the mail."""
        is_encrypted = server.transport.get_extra_info("sslcontext") is not None
        head = f"X-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\nX-Is-Encrypted: {is_encrypted}\r\n"
        file = pathlib.Path(FOLDER) / f"{next(NUMBERS):03}.eml"
        file.write_bytes(head.encode() + envelope.content)
        return "250 2.0.0 accepted"


def context():
    """The TLS of the server."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(TLS[0], TLS[1])
    return made


async def main():
    """Serves until it is ended."""
    is_wrapped = len(TLS) == 3
    is_starttls = bool(TLS) and not is_wrapped
    options = {"authenticator": authenticate, "auth_required": bool(TLS), "auth_require_tls": is_starttls}
    if is_starttls:
        options |= {"tls_context": context(), "require_starttls": True}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Mailbox(), hostname="localhost", **options),
        "127.0.0.1",
        0,
        ssl=context() if is_wrapped else None,
    )
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]} ", flush=True)
    await server.serve_forever()


asyncio.run(main())
