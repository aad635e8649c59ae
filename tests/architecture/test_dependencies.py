"""Every library is declared, used, pinned, and has a reason that can be read."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.architecture.source_tree import PACKAGES, ROOT, modules

REASONS = ROOT / "docs" / "decisions" / "0004-libraries.md"

# Imported though not declared: the part of a declared library that has a name of its own.
PARTS = {"pydantic_core", "markupsafe"}

# Declared though no line imports them, and why.
USED_WITHOUT_IMPORT: dict[str, str] = {
    "psycopg": "imported by SQLAlchemy, for addresses that begin with postgresql+psycopg",
    "statsmodels": "imported by the name of the data set, when one is read",
}


def _project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def _requirements(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def _pins() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    odd = [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert not odd, "only name==version: no local version tags, addresses or paths"
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


def _imported() -> set[str]:
    names = {name.split(".")[0] for module in modules() for name, _ in module.imports()}
    return names - set(PACKAGES) - set(sys.stdlib_module_names)


def test_every_dependency_has_its_reason_in_the_decisions() -> None:
    project = _project()
    declared = _requirements(
        project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    )
    reasons = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", REASONS.read_text(), flags=re.MULTILINE))
    assert {canonicalize_name(name) for name in reasons} == set(declared)
    assert not [name for name, reason in reasons.items() if len(reason) < 15]


def test_every_import_is_declared_and_every_dependency_is_imported() -> None:
    distributions = packages_distributions()
    imported = {package: {canonicalize_name(name) for name in distributions.get(package, [package])} for package in _imported()}
    project = _project()
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    declared = set(_requirements(project["dependencies"] + extras))
    assert [p for p, names in imported.items() if not names & declared and p not in PARTS] == [], "imported but not declared"
    assert declared - set().union(*imported.values()) - set(USED_WITHOUT_IMPORT) == set(), "declared but not imported"
    assert all(USED_WITHOUT_IMPORT.values())


def test_every_dependency_has_a_lower_bound_that_its_pin_satisfies() -> None:
    project, pins = _project(), _pins()
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        for name, requirement in _requirements(lines).items():
            assert any(part.operator == ">=" for part in requirement.specifier), f"{name} has no lower bound"
            assert pins[name] in requirement.specifier, f"{name} is pinned outside its bounds"
