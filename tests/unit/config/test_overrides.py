"""`--set` reaches every leaf, and says what is wrong when it cannot."""

from typing import Any

import pytest

from forecast.config.overrides import apply_overrides


def raw() -> dict[str, Any]:
    return {"task": {"horizon": 7}, "models": [{"model": "gru"}], "seed": 1}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("task.horizon=14", ("task", "horizon"), 14),
        ("models.0.hidden_size=64", ("models", 0, "hidden_size"), 64),
        ("models.0.rate=1e-3", ("models", 0, "rate"), 1e-3),
        ("task.levels=[0.1, 0.9]", ("task", "levels"), [0.1, 0.9]),
        ("output=a=b", ("output",), "a=b"),
        ("score.alias=best", ("score", "alias"), "best"),
        ("task.step=null", ("task", "step"), None),
    ],
)
def test_an_override_puts_a_typed_value_at_its_path(override: str, path: tuple[str | int, ...], value: object) -> None:
    changed: Any = raw()
    assert apply_overrides(changed, [override]) == []
    for part in path:
        changed = changed[part]
    assert changed == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.horizon", "not of the form"),
        ("=3", "not of the form"),
        ("task..x=3", "not of the form"),
        ("models.3.x=1", "names item '3' of a list of 1"),
        ("models.first.x=1", "names item 'first' of a list of 1"),
        ("seed.x=1", "goes into seed, which is the value 1"),
        ("seed=[1", "not readable as plain YAML"),
    ],
)
def test_an_override_that_cannot_be_applied_says_why(override: str, message: str) -> None:
    (mistake,) = apply_overrides(raw(), [override])
    assert message in mistake


def test_all_overrides_are_tried_and_all_mistakes_reported() -> None:
    assert len(apply_overrides(raw(), ["a", "models.9=1", "seed=2"])) == 2
