"""What YAML may say, and what it may not do."""

import math
from pathlib import Path

import pytest

from forecast.config.text import parse_yaml, read_yaml, to_yaml
from forecast.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("true", True), ("False", False), ("1e-3", 1e-3), ("1E5", 1e5), (".5", 0.5), ("-.inf", -math.inf),
        ("12:30", "12:30"), ("2026-11-20", "2026-11-20"), ("010", 10), ("0x10", "0x10"), ("1_000", "1_000"), ("~", None), ("", None),
        ("'7'", "7"), ("NA", "NA"), ("-3", -3), ("+4", 4), ("1.", 1.0), ("e5", "e5"), ("[1, a]", [1, "a"]), ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, value: object) -> None:
    found = parse_yaml(text, "test")[0]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "a: !!python/tuple [1]",
        "!local x",
        "a: !!binary aGk=",
    ],
)
def test_a_tag_that_would_build_an_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not readable as plain YAML"):
        parse_yaml(text, "test")


def test_references_are_refused_so_that_a_few_lines_cannot_unfold_to_gigabytes() -> None:
    with pytest.raises(ConfigError, match=r"reference \*a is not allowed"):
        parse_yaml("a: &a [x, x]\nb: [*a, *a]", "test")


def test_a_key_that_stands_twice_is_reported_with_its_line_at_any_depth() -> None:
    value, twice = parse_yaml("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n", "test")
    assert value == {"a": 1, "b": {"c": 2}}
    assert [line.split(";")[0] for line in twice] == [
        "c: stands twice, the second time in line 4", "a: stands twice, the second time in line 5"
    ]  # fmt: skip


def test_a_syntax_error_names_file_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("data:\n  source: [1,\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml, line 3, column 1"):
        read_yaml(file)


@pytest.mark.parametrize(
    ("content", "message"), [(b"- 1\n", "holds list, not a mapping"), (b"\xff\xfe", "not UTF-8"), (b"", "NoneType")]
)
def test_a_file_that_holds_no_sections_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_yaml(tmp_path / "c.yaml")


def test_a_configuration_that_is_not_there_is_a_configuration_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "nowhere.yaml")


def test_what_is_written_is_read_back_equal() -> None:
    value = {"a": [1, 2.5, "no", None, True], "b": {"path": "x/y", "date": "2026-11-20", "small": 1e-7, "text": "1e-3"}}
    assert parse_yaml(to_yaml(value), "test") == (value, [])
