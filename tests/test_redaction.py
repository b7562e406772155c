"""Credentials go, everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optibench.redaction import (
    has_secret,
    is_secret_key,
    redact,
    redact_exception,
)

PASSWORDS = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"<>"),
    min_size=4,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://bob:s3cret@db:5432/runs", "postgresql://***@db:5432/runs"),
        ("https://ghp_token@host/path", "https://***@host/path"),
        ("mysql+pymysql://u:p@ss@host/db", "mysql+pymysql://***@host/db"),
        ("mysql://u:pa/ss@host/db", "mysql://***@host/db"),
        ("redis://:pw@host", "redis://***@host"),
        ("http://h/?password=abc&x=1", "http://h/?password=***&x=1"),
        ("https://h/c?sv=1&sig=a%2Bb&se=2", "https://h/c?sv=1&sig=***&se=2"),
        ("https://h/?sas=abc#top", "https://h/?sas=***"),
        ("s3://b?X-Amz-Signature=ff&access_key=AK", "s3://b?X-Amz-Signature=***&access_key=***"),
        (
            "+backend.conf.spark.hadoop.fs.s3a.secret.key=abc",
            "+backend.conf.spark.hadoop.fs.s3a.secret.key=***",
        ),
        ("cannot reach 'http://a:b@h:1' now", "cannot reach 'http://***@h:1' now"),
        ('{"api_key": "abc", "n": 1}', '{"api_key": "***", "n": 1}'),
        ('{"apiKey":"abc","n":1}', '{"apiKey":"***","n":1}'),
        ("a: 1\ndb_password: abc\n", "a: 1\ndb_password: ***\n"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("Server=h;Password=abc;Uid=x", "Server=h;Password=***;Uid=x"),
    ],
)
def test_a_credential_in_a_text_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "file:///a@b",
        "sqlite:////data/me@home/mlruns/mlflow.db",
        "http://host:8080/path@v2",
        "http://[::1]:5000/a@b",
        "http://host/?mail=a@b.c",
        "tcp://10.0.0.1:8786",
        "local[2,4]",
        "k-means++",
        "mail me at a@b.c",
        "tokens_per_row=3 random_state=7 key=value",
        "password=null token=None",
        "single_pass=1 sig=3",
        "unknown password: give one",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text
    assert not has_secret(text)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "apiKey",
        "APIKey",
        "access_key",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "spark.hadoop.fs.s3a.secret.key",
        "fs.azure.account.key.x",
        "credential",
        "credentials",
        "private_key",
        "privateKey",
        "tracking.auth-token",
        "DB_PASSWORD",
        "userPwd",
    ],
)
def test_keys_named_like_secrets_hide_their_values(key: str) -> None:
    assert is_secret_key(key)
    assert redact({key: "abc"}) == {key: "***"}
    assert redact({"a": [{key: {"deep": 1}}]}) == {"a": [{key: "***"}]}
    assert has_secret("abc", key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        *[
            "key",
            "keys",
            "tokens_per_row",
            "token_count",
            "tokenizer",
            "random_state",
            "passes",
            "max_tokens",
            "keyboard",
            "monkey",
            "primary_key",
            "passthrough",
            "secretary",
        ],
    ],
)
def test_other_keys_keep_their_values(key: str) -> None:
    assert redact({key: "abc", "n": 1}) == {key: "abc", "n": 1}


def test_nothing_under_a_secret_key_stays_nothing() -> None:
    assert redact({"token": None, "password": "", "secret": False}) == {
        "token": None, "password": "", "secret": False,
    }  # fmt: skip


def test_containers_keep_their_type() -> None:
    value = redact(("a", ["http://u:p@h"], 3, None, {"x": 1.5}))
    assert value == ("a", ["http://***@h"], 3, None, {"x": 1.5})
    assert isinstance(value, tuple)


@given(password=PASSWORDS, user=st.text(alphabet="abcXYZ09_", min_size=1))
def test_a_password_in_a_uri_never_survives(password: str, user: str) -> None:
    if password[0].isdigit():  # digits before a slash are a port
        password = "x" + password
    text = redact(f"see postgresql://{user}:{password}@db.example/runs for more")
    assert text == "see postgresql://***@db.example/runs for more"


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(
    st.dictionaries(
        st.sampled_from(["password", "uri", "n"]), st.text() | st.integers() | st.none()
    )
)
def test_a_mapping_keeps_its_keys(mapping: dict[str, object]) -> None:
    assert list(redact(mapping)) == list(mapping)
    assert redact(redact(mapping)) == redact(mapping)


@given(st.text(alphabet="abc_ =:/.,()[]{}-+\n", max_size=60))
def test_a_text_without_secret_words_or_user_parts_is_untouched(text: str) -> None:
    assert redact(text) == text


def test_a_chain_of_exceptions_is_cleaned_in_place() -> None:
    cause = OSError("http://u:abc@h refused")
    error = RuntimeError("token=abc")
    error.__cause__ = cause
    redact_exception(error)
    assert str(error) == "token=***"
    assert str(cause) == "http://***@h refused"
