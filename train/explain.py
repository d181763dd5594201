"""Settings as YAML with descriptions from the docstrings of their fields."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from typing import Any

import yaml

from train.config import TrainConfig

WIDTH = 100


def explained(config: TrainConfig) -> str:
    """Every setting of a run, its docstring above it; reading it back gives the same settings."""
    return "\n".join(_section(config, "")) + "\n"


def field_docs(owner: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, on one line."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = " ".join(said.split())
    return found


def _section(owner: Any, indent: str) -> list[str]:
    docs, lines = field_docs(type(owner)), []
    for field in dataclasses.fields(owner):
        value = getattr(owner, field.name)
        if field.name in docs:
            wrapped = textwrap.wrap(docs[field.name], WIDTH - len(indent))
            lines += [f"{indent}# {line}" for line in wrapped]
        if dataclasses.is_dataclass(value):
            lines += [f"{indent}{field.name}:", *_section(value, indent + "  ")]
        else:
            lines.append(f"{indent}{field.name}: {_yaml(value)}")
    return lines


def _yaml(value: Any) -> str:
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
