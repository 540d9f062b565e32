"""Settings come from the environment, whole or not at all."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, is_secret, load_settings


def test_defaults_find_the_knowledge_files() -> None:
    settings = load_settings({})
    assert (settings.models_dir / "nlp.cfg").is_file()
    assert settings.evaluator_url == ""


def test_values_get_their_type() -> None:
    settings = load_settings(
        {"TRIAGE_WORKERS": "3", "TRIAGE_PAGE_TIMEOUT_S": "1.5", "TRIAGE_HOME": "/srv/triage", "PATH": "/bin"}
    )
    assert (settings.workers, settings.page_timeout_s, settings.home) == (3, 1.5, Path("/srv/triage"))


def test_every_fault_is_told_at_once_with_the_known_names() -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({"TRIAGE_WORKERS": "many", "TRIAGE_OCR": "x"})
    for words in (
        "TRIAGE_WORKERS must be a whole number",
        "TRIAGE_OCR is not a setting",
        "TRIAGE_OCR_ENGINE",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRIAGE_WORKERS", "0"),
        ("TRIAGE_WORKERS", "-1"),
        ("TRIAGE_MAX_PAGES", "0"),
        ("TRIAGE_PAGE_TIMEOUT_S", "nan"),
        ("TRIAGE_PAGE_TIMEOUT_S", "inf"),
        ("TRIAGE_EVALUATOR_RETRIES", "-1"),
    ],
)
def test_numbers_that_leave_nothing_to_work_with_are_refused(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{variable} must be .*, at least [01]"):
        load_settings({variable: value})


def test_a_secret_does_not_show() -> None:
    assert "hunter2" not in repr(load_settings({"TRIAGE_EVALUATOR_TOKEN": "hunter2"}))


def test_every_setting_says_what_it_is() -> None:
    source = Path(__file__).parent.parent.joinpath("pipeline", "settings.py").read_text(encoding="utf-8")
    for field in fields(Settings):
        _, _, rest = source.partition(f"    {field.name}: ")
        assert rest.split("\n", 2)[1].lstrip().startswith('"""'), field.name


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    settings = load_settings({"TRIAGE_EVALUATOR_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.evaluator_token == "hunter2"
    assert load_settings({"TRIAGE_KEY_FILE": "/k"}).key_file == "/k"  # a setting of that name is itself


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"TRIAGE_KEYS_FILE": "/nowhere"}, r"TRIAGE_KEYS_FILE names a file that .*FileNotFoundError"),
        ({"TRIAGE_KEYS_FILE": "/nowhere", "TRIAGE_KEYS": "k"}, "TRIAGE_KEYS_FILE and TRIAGE_KEYS are both"),
        ({"TRIAGE_NONE_FILE": "/etc/hostname"}, "TRIAGE_NONE_FILE is not a setting"),
    ],
)
def test_a_secrets_file_that_is_of_no_use_is_named(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load_settings(environ)


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("evaluator_token", "x", True),
        ("evaluator_token", "", False),
        ("ledger_url", "postgresql://triage:hunter2@db/triage", True),
        ("ledger_url", "postgresql://triage@db/triage", False),
        ("key_file", "/run/secrets/keys", False),
        ("output_dir", "/srv/a:b@c", False),
    ],
)
def test_what_is_a_secret(name: str, text: str, secret: bool) -> None:
    assert is_secret(name, text) is secret


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("keys", "k1=x", True),
        ("fax_secrets", "example=x", True),
        ("fax_tokens", "example=x", True),
        ("evaluator_token", "x", True),
        ("evaluator_token", "", False),
        ("ledger_url", "postgresql://u:p@host/db", True),
        ("ledger_url", "postgresql://host/db?user=u&password=p", True),
        ("ledger_url", "postgresql://u@host/db", False),
        ("sftp_key_passphrase", "x", True),
        ("workers", "2", False),
    ],
)
def test_what_must_not_be_kept_in_clear_by_others(name: str, text: str, secret: bool) -> None:
    assert is_secret(name, text) is secret
