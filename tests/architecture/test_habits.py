"""Habits that a linter does not know: names, interfaces, what may be caught, and what must never be called."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tests.architecture.source_tree import ROOT, Module, modules

EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base"}

# Modules that may catch every exception, and why.
CATCH_ALL: Mapping[str, str] = {
    "forecast.baselines.local_forecaster": "the guarded per-series call: one series that crashes must not take the others along",
    "forecast.scoring.guard": "the guarded call of a model: what it raises for one series is a reason in the output, counted and gated",
    "pipelines.exits": "the command line's end: nothing may reach the user as a traceback",
}

# Functions, or classes all of whose methods take **keywords, and why.
OPEN_KEYWORDS: Mapping[str, str] = {
    "forecast.scoring.events:Logger": "the protocol of a structured logger: an event has any fields",
    "forecast.scoring.events:Silence": "the same protocol, saying nothing",
}

# Code in a file, or objects that run code when they are read. `torch.load` may be called with weights_only=True, and only so.
UNSAFE_IMPORTS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch.load", "torch.save"}
UNSAFE_CALLS = {"eval", "exec", "compile", "torch.save", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"}


def _dotted(node: ast.AST) -> str:
    """The dotted name of an expression: `a.b.c`; empty where it is something else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    return ((_dotted(node.func), node) for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def _place(module: Module, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{module.path}:{node.lineno}"


def _decorators(node: ast.ClassDef) -> set[str]:
    return {_dotted(d.func if isinstance(d, ast.Call) else d).split(".")[-1] for d in node.decorator_list}


def _bases(node: ast.ClassDef) -> set[str]:
    return {_dotted(b.value if isinstance(b, ast.Subscript) else b).split(".")[-1] for b in node.bases}


def _abstract_methods(node: ast.ClassDef) -> bool:
    functions = (child for child in node.body if isinstance(child, ast.FunctionDef))
    return any("abstractmethod" in {_dotted(d).split(".")[-1] for d in f.decorator_list} for f in functions)


def _is_interface(node: ast.ClassDef) -> bool:
    return "ABC" in _bases(node) or _abstract_methods(node)


def _unfinished_classes(sources: tuple[Module, ...]) -> list[str]:
    """Concrete classes below an interface of ours that are not @final."""
    classes = [(module, node) for module in sources for node in module.classes()]
    interfaces = {node.name for _, node in classes if _is_interface(node)}
    return [f"{module.name}:{node.name}" for module, node in classes
            if _bases(node) & interfaces and not _is_interface(node) and "final" not in _decorators(node)]  # fmt: skip


def _broad_handlers(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or _dotted(kind) in {"Exception", "BaseException"} for kind in kinds):
                yield _place(module, node)


def _unsafe(module: Module) -> Iterator[str]:
    for name, node in module.imports():
        if name in UNSAFE_IMPORTS or name.split(".")[0] in UNSAFE_IMPORTS:
            yield f"{_place(module, node)} imports {name}"
    for name, call in _calls(module):
        constants = {k.arg: k.value.value if isinstance(k.value, ast.Constant) else None for k in call.keywords}
        pickled = constants.get("allow_pickle", False) is not False or (
            name == "torch.load" and constants.get("weights_only") is not True
        )
        shell = constants.get("shell", False) is not False
        if name in UNSAFE_CALLS or pickled or shell:
            yield f"{_place(module, call)} calls {name}"


def _module(text: str) -> Module:
    return Module("m", "m.py", text, ast.parse(text))


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [module.path for module in modules() if set(module.name.split(".")) & EMPTY_NAMES]
    assert not named


def test_every_module_says_why_it_exists() -> None:
    silent = [module.path for module in modules() if module.tree.body and not ast.get_docstring(module.tree)]
    assert not silent


def test_a_concrete_class_below_an_interface_is_final() -> None:
    assert not _unfinished_classes(modules())


def test_the_search_for_unfinished_classes_finds_one() -> None:
    source = _module("class A(ABC):\n  pass\nclass B(A):\n  pass\n@final\nclass C(A):\n  pass\nclass D:\n  pass\n")
    assert _unfinished_classes((source,)) == ["m:B"]


def test_only_the_named_places_catch_everything() -> None:
    found = [place for module in modules() if module.name not in CATCH_ALL for place in _broad_handlers(module)]
    assert not found, "catch what can be handled, by its type"


def test_a_place_that_catches_everything_is_named_only_while_it_does() -> None:
    catching = {module.name for module in modules() if any(_broad_handlers(module))}
    assert set(CATCH_ALL) <= catching
    assert all(CATCH_ALL.values())


def test_the_search_for_broad_handlers_finds_them() -> None:
    source = _module(
        "try:\n  pass\nexcept ValueError:\n  pass\nexcept (KeyError, Exception):\n  pass\ntry:\n  pass\nexcept:\n  pass\n"
    )
    assert list(_broad_handlers(source)) == ["m.py:5", "m.py:9"]


def test_nothing_reads_or_writes_objects_that_can_run_code() -> None:
    found = [place for module in modules() for place in _unsafe(module)]
    assert not found, "safetensors and JSON hold what is kept; subprocesses get a list of arguments"


def test_the_search_for_unsafe_code_finds_it() -> None:
    lines = ["import pickle", "from joblib import dump", "from torch import load", "torch.load(x)", "np.load(x, allow_pickle=True)",
             "run(x, shell=True)", "eval(x)", "torch.load(x, weights_only=full)", "import torch", "np.load(x, allow_pickle=False)",
             "model.load(x)", "torch.load(x, weights_only=True)"]  # fmt: skip
    assert [any(_unsafe(_module(line))) for line in lines] == [True] * 8 + [False] * 4


def test_errors_are_raised_by_their_own_type() -> None:
    raised = [_place(module, node) for module in modules() for node in ast.walk(module.tree)
              if isinstance(node, ast.Raise) and node.exc is not None
              and _dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) in {"Exception", "NotImplementedError"}]  # fmt: skip
    assert not raised, "errors come from forecast/core/errors.py; an interface is abstract"


def test_no_function_hides_its_arguments_behind_keywords() -> None:
    open_ones = [name for module in modules() for name, function in module.functions() if function.args.kwarg]
    hidden = [name for name in open_ones if not {name, name.rpartition(".")[0]} & set(OPEN_KEYWORDS)]
    assert not hidden, "name the arguments"
    assert all(any(name.startswith(allowed) for name in open_ones) for allowed in OPEN_KEYWORDS), "no exception needed any more"


def test_the_library_prints_nothing() -> None:
    printed = [_place(module, call) for module in modules() if module.name.startswith("forecast.")
               for name, call in _calls(module) if name == "print"]  # fmt: skip
    assert not printed, "results are returned; the command line prints them"


def test_nothing_depends_on_the_salted_hash() -> None:
    salted = [_place(module, call) for module in modules() for name, call in _calls(module) if name == "hash"]
    assert not salted, "hash() differs from process to process: use hashlib"


def test_the_inside_of_the_project_is_what_the_linter_sees() -> None:
    """A folder of Python files beside the two packages would escape the layers."""
    outside = {"tests", "benchmarks", "data", "docs", "examples"}
    found = {
        path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/**/*.py") if not path.relative_to(ROOT).parts[0].startswith(".")
    }
    assert found <= {"forecast", "pipelines", *outside, "build", "demo-output"}
