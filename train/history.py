"""What a run has been made with so far: settings, data sets and the steps each was used for.

A state carries it, so that a resumed run goes on with the same or says what differs, and a checkpoint's
header credits everything its weights have learnt from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from train.config import TrainConfig, from_mapping
from train.tree import flat

RECORDED = ("settings", "commit", "clips", "seconds", "hits", "kits", "corpora", "sources")
"""Of a manifest, in states and checkpoints."""
FREE = {
    "workers",
    "machine",
    "checkpointing",
    "validate_every",
    "save_every",
    "patience",
    "shards",
    "manifest",
}
"""Settings that change nothing of what is learnt; shards are compared by what they hold."""
MOST_NAMED = 5
"""Differences that a message names."""


@dataclasses.dataclass(frozen=True)
class DataUse:
    """A data set and where in the run it came in."""

    shards: str
    """As the settings named it."""
    fingerprint: str
    record: dict[str, Any]
    """Of its manifest (`RECORDED`)."""
    first_step: int = 0
    first_sample: int = 0
    """Samples a rank had heard before it."""


@dataclasses.dataclass(frozen=True)
class History:
    """Of one run; rank 0 writes it into states and checkpoints."""

    config: dict[str, Any]
    """The settings now."""
    data: list[DataUse]
    """At least one; the last is in use."""
    initial: dict[str, Any] | None = None
    """Record of the weights it began from."""
    decoding: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Decode settings of the weights it began from."""
    changes: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Settings changed on the way: `{"step": 250, "what": "seed 0 -> 1"}`."""

    def data_sets(self, step: int) -> list[dict[str, Any]]:
        """Every data set used until `step`: its record, `shards`, and `steps` [first, last]."""
        ends = [use.first_step for use in self.data[1:]] + [step]
        return [
            {"shards": use.shards, "steps": [use.first_step, end], **use.record}
            for use, end in zip(self.data, ends, strict=True)
        ]


def data_use(shards: str, paths: Sequence[str], manifest: Mapping[str, Any]) -> DataUse:
    """A data set as it is known by its manifest and the names of its shards, wherever they lie."""
    what = [
        [Path(path).name for path in paths],
        *(manifest.get(name) for name in ("settings_hash", "clips", "hits", "shards")),
    ]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    return DataUse(shards, digest, {key: manifest[key] for key in RECORDED})


def from_state(saved: Mapping[str, Any]) -> History | None:
    """The history in a state's progress; None where an older version saved it.

    Raises:
        ValueError: it is damaged.
    """
    if "history" not in saved:
        return None
    try:
        values = dict(saved["history"])
        return History(**{**values, "data": [DataUse(**use) for use in values["data"]]})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"damaged history ({error})") from error


def differences(before: History, config: TrainConfig, data: DataUse) -> list[str]:
    """What differs between a saved run and one that would go on from it, each as `name old -> new`."""
    old, new = flat(dataclasses.asdict(from_mapping(before.config))), flat(dataclasses.asdict(config))
    names = dict.fromkeys([*new, *old])
    found = [
        f"{name} {old.get(name)!r} -> {new.get(name)!r}"
        for name in names
        if name not in FREE and old.get(name) != new.get(name)
    ]
    last = before.data[-1]
    if last.fingerprint != data.fingerprint:
        one, other = last.record.get("clips"), data.record.get("clips")
        found.append(f"shards {last.shards} ({one} clips) -> {data.shards} ({other} clips)")
    return found


def going_on(
    before: History, config: TrainConfig, data: DataUse, step: int, samples: int, accept: bool
) -> History:
    """The history of a run that goes on from `step`, after `samples` of a rank.

    Raises:
        ValueError: settings or data differ and `accept` does not say that they may; the message names them.
    """
    found = differences(before, config, data)
    if found and not accept:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise ValueError(
            f"saved with other settings or data: {'; '.join(found[:MOST_NAMED])}{more}; "
            "use those, choose another --output, or go on all the same with --accept-changes"
        )
    uses = list(before.data)
    if uses[-1].fingerprint != data.fingerprint:
        uses.append(dataclasses.replace(data, first_step=step, first_sample=samples))
    return dataclasses.replace(
        before,
        config=dataclasses.asdict(config),
        data=uses,
        changes=[*before.changes, *({"step": step, "what": what} for what in found)],
    )
