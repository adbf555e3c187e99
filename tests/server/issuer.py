"""An issuer of tokens for tests: real keys, and a host that gives the public ones, with bad manners.

The path says how a question for keys is answered:

    /keys      the public keys
    /redirect  302 to /keys
    /failing   500
    /page      an HTML page
    /huge      the keys, and a megabyte of blanks
    /packed    the keys and a megabyte of blanks, compressed though nobody asked for it
    /hang      nothing, until the host is closed
    /drip      the keys, a byte a tenth of a second
    /moody     the keys, if `is_well`; else 503
"""

import base64
import gzip
import http.server
import json
import ssl
import threading
import time
import warnings
from typing import Any

import jwt
import jwt.api_jws
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.warnings import InsecureKeyLengthWarning

NAME = "https://login.example.com/"
AUDIENCE = "https://insight.example.com/mcp"
_BLANKS = b" " * (1 << 20)


class Key:
    """A key pair; `public` is its JWK."""

    def __init__(self, algorithm: str, name: str, bits: int = 2048) -> None:
        self.algorithm, self.name = algorithm, name
        made: Any
        if algorithm.startswith("ES"):
            made = ec.generate_private_key({"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[algorithm])
        elif algorithm == "EdDSA":
            made = ed25519.Ed25519PrivateKey.generate()
        else:
            made = rsa.generate_private_key(65_537, bits)
        self.private = made
        kind = jwt.get_algorithm_by_name(algorithm)
        self.public: dict[str, Any] = {
            **kind.to_jwk(made.public_key(), as_dict=True),
            "kid": name,
            "alg": algorithm,
            "use": "sig",
        }

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    def token(self, subject: str = "alice@example.com", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that is good for an hour; claims and header as said, None for none."""
        now = int(time.time())
        about = {"iss": NAME, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3_600, **claims}
        said = {key: value for key, value in about.items() if value is not None}
        headers = {"kid": self.name, **(header or {})}
        kept = {key: value for key, value in headers.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)  # a weak key is there on purpose
            return jwt.api_jws.encode(json.dumps(said).encode(), self.private, self.algorithm, kept)


def part(value: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def key_set(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.public for key in keys]}).encode()


class KeyHost(http.server.ThreadingHTTPServer):
    """The host; `asked` are the paths that were asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *keys: Key, tls: ssl.SSLContext | None = None) -> None:
        self.keys, self._tls = keys, tls
        self.asked: list[str] = []
        self.is_well = True
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str = "keys") -> str:
        origin = f"https://localhost:{self.server_port}" if self._tls else f"http://127.0.0.1:{self.server_port}"
        return f"{origin}/{path}"

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        # The handshake takes place in the thread of the connection.
        wrapped = self._tls and self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped or connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up, or trusts nobody, is expected here."""

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: KeyHost

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        keys = key_set(*self.server.keys)
        match self.path:
            case "/keys":
                self._send(200, keys)
            case "/redirect":
                self._send(302, b"", "Location", "/keys")
            case "/failing":
                self._send(500, keys)
            case "/page":
                self._send(200, b"<title>Sign in</title>")
            case "/huge":
                self._send(200, _BLANKS + keys)
            case "/packed":
                self._send(200, gzip.compress(_BLANKS + keys), "Content-Encoding", "gzip")
            case "/moody":
                self._send(200 if self.server.is_well else 503, keys)
            case _:
                self._tarry(keys if self.path == "/drip" else b"")

    def _send(self, status: int, body: bytes, *header: str) -> None:
        self.send_response(status)
        if header:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tarry(self, body: bytes) -> None:
        if body:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(0.1):
                return
        self.server.closing.wait(30)
