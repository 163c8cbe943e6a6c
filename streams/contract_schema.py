"""JSON Schemas of the contracts, made from the types that decode them."""

from typing import Any

import msgspec
from msgspec import Struct


def contract_schema(kind: type[Struct], title: str, description: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a type, in one piece: without references, defaults and titles of parts."""
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="{name}")
    whole = _inline(schema, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        **{key: value for key, value in whole.items() if key not in ("title", "description")},
    }


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    """Replaces references by what they refer to, and unions with null by the short form of JSON Schema."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        definition = _inline(definitions[node["$ref"]], definitions)
        own = {key: value for key, value in node.items() if key not in ("$ref", "default")}
        return {key: value for key, value in definition.items() if key not in ("title", "description")} | own
    node = {key: value for key, value in node.items() if key not in ("default", "title")}
    if node.get("required") == []:
        del node["required"]
    if "anyOf" in node:
        options = [_inline(option, definitions) for option in node.pop("anyOf")]
        (option,) = [option for option in options if option != {"type": "null"}]
        if "enum" in option:
            return {"enum": [*option["enum"], None]} | node
        return option | {"type": [option["type"], "null"]} | node
    if "enum" in node and len(node["enum"]) == 1:
        return {"const": node["enum"][0]}
    if node.get("type") == "array" and "items" in node:
        return {key: _inline(value, definitions) for key, value in node.items()}
    if "properties" in node:
        properties = {name: _inline(value, definitions) for name, value in node["properties"].items()}
        return node | {"properties": properties}
    return node
