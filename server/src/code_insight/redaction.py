"""Secrets in texts of repositories: what has the form of a credential is written over, as long as it was.

The forms are those that their issuers publish: a prefix that is made to be found, or a frame. A password in words has
no form, and stays. Lines and offsets stay too, so that everything else is said of the text as it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_MEMORY_BYTES = 16 << 20
# The group, where there is one, is the secret; what stands before it says what it was.
_FORMS = (
    r"\bgh[pousr]_([A-Za-z0-9]{36,255})",  # docs.github.com/authentication: about authentication to GitHub
    r"\bgithub_pat_([A-Za-z0-9_]{22,255})",
    r"\bgl(?:pat|dt|rt|cbt|ptt|oas|soat)-([A-Za-z0-9_-]{20,255})",  # docs.gitlab.com/security/tokens
    r"\b(?:AKIA|ASIA)([A-Z2-7]{16})\b",  # docs.aws.amazon.com: IAM identifiers
    r"(?i)\baws_?secret_?(?:access_?)?key[\"']?\s{0,5}[=:]{1,2}>?\s{0,5}[\"']?([A-Za-z0-9/+]{40})\b",
    r"\bxox[abeoprs]-([A-Za-z0-9-]{10,255})",  # api.slack.com/authentication/token-types
    r"\bhooks\.slack\.com/services/([A-Za-z0-9/]{20,100})",
    r"\b[rs]k_live_([A-Za-z0-9]{16,255})",  # docs.stripe.com/keys
    r"\bAIza([0-9A-Za-z_-]{35})",  # cloud.google.com/docs/authentication/api-keys
    r"\bnpm_([A-Za-z0-9]{36})\b",  # docs.npmjs.com/about-access-tokens
    r"\bpypi-(AgE[A-Za-z0-9_-]{50,1000})",  # pypi.org/help/#apitoken
    r"\bsk-(?:ant|proj|svcacct|admin)-([A-Za-z0-9_-]{32,255})",
    r"\bhf_([A-Za-z0-9]{34})\b",  # huggingface.co/docs/hub/security-tokens
    r"\bfm[12][ar]?_([A-Za-z0-9+/=_-]{40,1000})",  # fly.io/docs/security/tokens
    r"\bfo1_([A-Za-z0-9_-]{40,255})",
    r"\bSG\.([A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})",  # SendGrid
    r"\bdo[opr]_v1_([a-f0-9]{64})\b",  # docs.digitalocean.com/reference/api
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>]{1,100}:([^\s:/@\"'<>{}$%]{3,100})@",  # RFC 3986, userinfo
    # RFC 7468; in a text of a program its lines may be quoted
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----([A-Za-z0-9+/=\s\\\"',:.()_-]+?)-----END [A-Z0-9 ]*PRIVATE KEY",
)


def redacted(text: str) -> str:
    """The same text with `*` for each character of a secret that has a known form."""
    data = text.encode("utf-8", "surrogatepass")
    found = [match.span(form) for match in _compiled().finditer(data) if (form := match.lastindex)]
    if not found:
        return text
    clean = bytearray(data)
    for start, end in found:
        clean[start:end] = bytes(byte if byte in b"\r\n" else 42 for byte in data[start:end])
    return clean.decode("utf-8", "surrogatepass")


@lru_cache(maxsize=1)
def _compiled() -> Any:
    import re2  # loads a native library: only who asks for this pays for it

    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return re2.compile("|".join(f"(?:{form})" for form in _FORMS).encode(), options)
