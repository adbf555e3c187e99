"""Where a client learns who issues tokens for this server, and what it reads there (RFC 9728)."""

from __future__ import annotations

import re
from typing import Any

from code_insight.access import Issuer

_AUDIENCE = re.compile(r"(https://[\w.-]+(?::\d+)?)((?:/[\w.~-]+)*)/?", re.ASCII)


def metadata_url(issuer: Issuer | None) -> str:
    """It follows from the audience; "" without an issuer, and when the audience is no plain https URL."""
    found = _AUDIENCE.fullmatch(issuer.audience) if issuer else None
    return f"{found[1]}/.well-known/oauth-protected-resource{found[2]}" if found else ""


def metadata(issuer: Issuer) -> dict[str, Any]:
    """Scopes are not in it: their names may say what is hidden."""
    return {
        "resource": issuer.audience,
        "authorization_servers": [issuer.name],
        "bearer_methods_supported": ["header"],
    }
