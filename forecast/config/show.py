"""A configuration for reading: with every default filled in, and the JSON Schema of all that can be written.

It must not check anything: `forecast.config.load` has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from forecast.config.arguments import TASK_ARGUMENTS, signature_model, validate_plain
from forecast.config.components import find_model, model_names, sink_kinds, source_kinds
from forecast.config.sections import Component, Config, ModelSection, SinkSection, SourceSection
from forecast.config.text import Raw

_DEFINITIONS = "#/$defs/{model}"


def resolved(config: Config) -> Raw:
    """Returns the whole configuration as plain values, the defaults of sections and components filled in."""
    shown: Raw = config.model_dump(mode="json")
    for position, model in enumerate(config.models):
        maker = find_model(model.model)
        assert maker is not None, "a checked configuration names models that exist"
        shown["models"][position] = _filled(model, maker, TASK_ARGUMENTS)
    for name in ("source", "future", "static"):
        section: SourceSection | None = getattr(config.data, name)
        if section is not None:
            shown["data"][name] = _filled(section, source_kinds()[section.kind], frozenset())
    if config.score is not None and config.score.sink is not None:
        shown["score"]["sink"] = _filled(config.score.sink, sink_kinds()[config.score.sink.kind], frozenset())
    return shown


def json_schema() -> Raw:
    """Returns the JSON Schema of a configuration file, with one variant for every source and model of the registries."""
    schema: Raw = Config.model_json_schema(ref_template=_DEFINITIONS)
    makers = {name: find_model(name) for name in model_names()}
    models = {name: (maker, TASK_ARGUMENTS) for name, maker in makers.items() if maker is not None}
    sources = {kind: (source, frozenset[str]()) for kind, source in source_kinds().items()}
    _add_variants(schema["$defs"], ModelSection, "model", models)
    _add_variants(schema["$defs"], SourceSection, "kind", sources)
    _add_variants(schema["$defs"], SinkSection, "kind", {kind: (sink, frozenset[str]()) for kind, sink in sink_kinds().items()})
    return schema


def _filled(section: Component, component: Callable[..., object], reserved: frozenset[str]) -> Raw:
    own: Raw = section.model_dump(mode="json", include=set(type(section).model_fields))
    arguments = validate_plain(signature_model(component, reserved), section.arguments)
    return own | arguments.model_dump(mode="json", by_alias=True)


def _add_variants(
    definitions: Raw, section: type[BaseModel], key: str, components: Mapping[str, tuple[Callable[..., object], frozenset[str]]]
) -> None:
    """Replaces the open definition of a section by one closed variant for each component."""
    own = definitions[section.__name__]
    variants: list[Raw] = []
    for name, (component, reserved) in components.items():
        arguments = signature_model(component, reserved).model_json_schema(ref_template=_DEFINITIONS)
        definitions |= arguments.pop("$defs", {})
        properties = {**own["properties"], **arguments.get("properties", {}), key: {"const": name}}
        required = sorted({key, *arguments.get("required", [])})
        variants.append(
            {"type": "object", "title": name, "properties": properties, "required": required, "additionalProperties": False}
        )
    definitions[section.__name__] = {"oneOf": variants, "description": own.get("description", "")}
