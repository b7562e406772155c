"""Remove credentials from everything that is written or shown: parameters, tags, logs, errors.

Ground layer: standard library only. Two things are secret: the user part and secret-looking query
parameters of a URI, and the value of a key that is named like a secret. Both become `***`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, overload

MASK = "***"

# A word that makes a key secret, wherever it is in the key.
_SECRET_WORDS = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "secrets",
        "credential",
        "credentials",
        "apikey",
        "accesskey",
        "privatekey",
        "secretkey",
        "authtoken",
        "accesstoken",
    ]
)
# A word that makes a key secret only at its end: `auth_token` is a secret, `token_count` a number.
_SECRET_ENDINGS = frozenset({"token", "pwd"})
_SECRET_PAIRS = frozenset(
    {(first, "key") for first in ("api", "access", "private", "account", "shared", "encryption")}
    | {("db", "pass"), ("user", "pass")}
)
# Only in the query of a URI: elsewhere, a key `sig` may be anything.
_SECRET_QUERY_WORDS = frozenset({"sig", "sas", "signature", "pass"})

# Values that are no secrets and stay, so that a text still shows that none was given.
_NOTHING = frozenset({"null", "None", "true", "false", "True", "False", '""', "''"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+[a-z]*")
# `user:password@`, where the password may contain / ? # or @ unescaped: up to the last @, because
# too much is better than too little. Only digits after the colon are a port, and an @ after them
# belongs to the path.
_PASSWORD = re.compile(r"(?<=://)(?!\[)[^\s/:@?#'\"<>]*:(?!\d+(?:[/?#]|$))[^\s'\"<>]*@")
# `token@`, before the path.
_USER = re.compile(r"(?<=://)[^\s/?#'\"<>]+@")
_VALUE = r"\"[^\"\n]*\"|'[^'\n]*'|[^\s&;\"']+"
_ASSIGNMENT = re.compile(
    rf"(?<![\w.\-])(?P<key>[A-Za-z_][\w.\-]*)(?P<sign>\s*=(?!=)\s*)(?P<value>{_VALUE})"
)
_ENTRY = re.compile(
    r"(?P<sign>(?:(?P<quote>[\"'])(?P<key>[\w.\- ]+)(?P=quote)"
    r"|^[\s\-]*(?P<bare>[A-Za-z_][\w.\-]*))"
    rf"\s*:\s+|[\"'](?P<tight>[\w.\-]+)[\"']:)(?P<value>{_VALUE})",
    re.MULTILINE,
)
_HEADER = re.compile(
    r"(?i)\b(bearer\s+|authorization[\"']?\s*[:=]\s*[\"']?(?:basic|token)\s+)[^\s\"',]{6,}"
)


@overload
def redact(value: str) -> str: ...
@overload
def redact(value: Any) -> Any: ...
def redact(value: Any) -> Any:
    """Replace every credential in a string, mapping or sequence by `***`.

    A mapping becomes a dictionary; lists, tuples and sets keep their type; other values stay as
    they are. The value of a secret key is replaced unless it is None, an empty string or a
    boolean.
    """
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, Mapping):
        return {key: _redact_entry(str(key), item) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(redact(item) for item in value)
    return value


def is_secret_key(key: str) -> bool:
    """Return whether a key is named like a secret: `db.password`, `AWS_SECRET_ACCESS_KEY`."""
    words = _words(key)
    if not words:
        return False
    pairs = pairwise(words)
    return (
        words[-1] in _SECRET_ENDINGS
        or any(word in _SECRET_WORDS for word in words)
        or any(pair in _SECRET_PAIRS for pair in pairs)
    )


def has_secret(text: str, key: str = "") -> bool:
    """Return whether `text`, as the value of `key`, contains a credential."""
    return bool(_redact_entry(key, text) != text)


def redact_exception(error: BaseException) -> None:
    """Redact the texts of an exception and of all exceptions in its chain, in place.

    HYDRA_FULL_ERROR=1 shows chained engine errors in full.
    """
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.args = redact(current.args)
        if isinstance(message := getattr(current, "message", None), str):
            current.message = redact(message)  # type: ignore[attr-defined]
        pending += [current.__cause__, current.__context__]


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(key)]


def _redact_entry(key: str, value: Any) -> Any:
    if is_secret_key(key) and value not in (None, "") and not isinstance(value, bool):
        return MASK
    return redact(value)


def _redact_text(text: str) -> str:
    if "://" in text:
        text = _PASSWORD.sub(f"{MASK}@", text)
        text = _USER.sub(f"{MASK}@", text)
    text = _HEADER.sub(rf"\g<1>{MASK}", text)
    if "=" in text:
        text = _ASSIGNMENT.sub(_mask_assignment, text)
    return _ENTRY.sub(_mask_entry, text) if ":" in text else text


def _mask_assignment(match: re.Match[str]) -> str:
    key = match["key"]
    words = _words(key)
    in_query = match.string[: match.start()].endswith(("?", "&"))
    if not is_secret_key(key) and not (in_query and words and words[-1] in _SECRET_QUERY_WORDS):
        return match[0]
    return f"{key}{match['sign']}{_masked_value(match['value'])}"


def _mask_entry(match: re.Match[str]) -> str:
    key = match["key"] or match["bare"] or match["tight"]
    if not is_secret_key(key):
        return match[0]
    return f"{match['sign']}{_masked_value(match['value'])}"


def _masked_value(value: str) -> str:
    if value in _NOTHING:
        return value
    quote = value[0] if value[0] in "\"'" else ""
    return f"{quote}{MASK}{quote}"
