"""Code is small enough to be read in one go. An exception is named here with its reason, and only while it needs one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from statistics import median

import pytest

from tests.architecture.source_tree import Function, Module, modules

MODULE_LINES = 300
FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 10
CLASS_METHODS = 12
CONSTRUCTOR_ARGUMENTS = 9
NESTING = 4

# What may be larger, and why: {"module" or "module:Class.function": "reason"}.
LONGER_MODULES: Mapping[str, str] = {}
LONGER_FUNCTIONS: Mapping[str, str] = {}
LARGER_CLASSES: Mapping[str, str] = {}
WIDER_CONSTRUCTORS: Mapping[str, str] = {
    "forecast.ensembling.auto:AutoForecaster.__init__": "the task, what people may fix of the ensemble, and two ports; all but H default",
    "forecast.storage.sources.csv_source:CsvSource.__init__": "what every file source is asked for, and what marks its values",
    "forecast.storage.sources.sql_source:SqlSource.__init__": "what every source is asked for, and where the rows are",
    "forecast.networks.network:Network.__init__": "five exchangeable parts and what joins them; `build` is what people call",
}
DEEPER_FUNCTIONS: Mapping[str, str] = {}

_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)

Measure = Callable[[Module], Iterator[tuple[str, int]]]


def _module_lines(module: Module) -> Iterator[tuple[str, int]]:
    yield module.name, len(module.text.splitlines())


def _body_lines(function: Function) -> int:
    """Lines from `def` to the end without the docstring; nested functions count."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1) if has_docstring else whole


def _function_lines(module: Module) -> Iterator[tuple[str, int]]:
    return ((name, _body_lines(function)) for name, function in module.functions())


def _is_method(node: ast.AST) -> bool:
    """A property reads like an attribute, and a dunder is spelt by Python: neither is one more thing to learn."""
    if not isinstance(node, Function) or node.name.startswith("__"):
        return False
    return not any(isinstance(d, ast.Name) and d.id in {"property", "cached_property"} for d in node.decorator_list)


def _class_methods(module: Module) -> Iterator[tuple[str, int]]:
    for node in module.classes():
        yield f"{module.name}:{node.name}", sum(map(_is_method, node.body))


def _constructor_arguments(module: Module) -> Iterator[tuple[str, int]]:
    """Of classes that write their constructor; a record (dataclass, named tuple) is as wide as what it records."""
    for name, function in module.functions():
        if function.name == "__init__":
            arguments = function.args
            yield name, len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs) - 1


def _depth(node: ast.AST) -> int:
    """Blocks inside blocks below a node; an `elif` is the same depth as its `if`; a nested function starts anew."""
    deepest = 0
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, Function | ast.ClassDef | ast.Lambda):
                continue
            chained = isinstance(node, ast.If) and field == "orelse" and isinstance(child, ast.If) and len(node.orelse) == 1
            opens = isinstance(child, _BLOCKS) and not chained
            deepest = max(deepest, _depth(child) + opens)
    return deepest


def _nesting(module: Module) -> Iterator[tuple[str, int]]:
    return ((name, _depth(function)) for name, function in module.functions())


BUDGETS = [
    pytest.param(_module_lines, MODULE_LINES, LONGER_MODULES, id="lines of a module"),
    pytest.param(_function_lines, FUNCTION_LINES, LONGER_FUNCTIONS, id="lines of a function"),
    pytest.param(_class_methods, CLASS_METHODS, LARGER_CLASSES, id="methods of a class"),
    pytest.param(_constructor_arguments, CONSTRUCTOR_ARGUMENTS, WIDER_CONSTRUCTORS, id="arguments of a constructor"),
    pytest.param(_nesting, NESTING, DEEPER_FUNCTIONS, id="nested blocks"),
]


@pytest.mark.parametrize(("measure", "limit", "exceptions"), BUDGETS)
def test_everything_stays_under_its_budget(measure: Measure, limit: int, exceptions: Mapping[str, str]) -> None:
    sizes = dict(pair for module in modules() for pair in measure(module))
    over = {name: size for name, size in sizes.items() if size >= limit and name not in exceptions}
    assert not over, f"not under {limit}: {over}"


@pytest.mark.parametrize(("measure", "limit", "exceptions"), BUDGETS)
def test_an_exception_is_named_only_while_it_is_needed(measure: Measure, limit: int, exceptions: Mapping[str, str]) -> None:
    sizes = dict(pair for module in modules() for pair in measure(module))
    idle = [name for name in exceptions if sizes.get(name, 0) < limit]
    assert not idle, f"no exception needed any more: {idle}"
    assert all(exceptions.values()), "an exception needs its reason"


def test_the_typical_function_is_a_few_lines() -> None:
    lines = [size for module in modules() for _, size in _function_lines(module)]
    assert median(lines) <= MEDIAN_FUNCTION_LINES


def test_the_budgets_see_what_they_measure() -> None:
    """The measures themselves, on a text whose sizes are known."""
    text = '''
class A:
    @property
    def size(self):
        return 0

    def grow(self):
        return 1

    def __init__(self, one, two, *, three):
        """A docstring
        of two lines."""
        for a in one:
            if a:
                pass
            elif two:
                with three:
                    pass
'''
    module = Module("m", "m.py", text, ast.parse(text))
    assert dict(_function_lines(module)) == {"m:A.size": 2, "m:A.grow": 2, "m:A.__init__": 7}
    assert dict(_class_methods(module)) == {"m:A": 1}
    assert dict(_constructor_arguments(module)) == {"m:A.__init__": 3}
    assert dict(_nesting(module)) == {"m:A.size": 0, "m:A.grow": 0, "m:A.__init__": 3}
