"""The static site: drum transcription in the browser, without a server.

The graphs are made from a checkpoint, and tables and settings are written beside them.
"""

from __future__ import annotations

import json
from pathlib import Path

from mt3drum.decoding import DecodeConfig
from mt3drum.files import write_whole
from mt3drum.model.checkpoint import CheckpointError, load_inference_model
from mt3drum.model.onnx_graph import decoder_graph, encoder_graph
from mt3drum.web.rules import site_rules

GRAPHS = ("encoder.onnx", "decoder.onnx")
RULES = "rules.json"


def write_model(checkpoint: Path, folder: Path) -> None:
    """The graphs of a checkpoint and what else the browser needs of it; makes the folder.

    Raises:
        CheckpointError: the checkpoint cannot be used, or not in the browser.
        MissingExtra: onnx is not installed.
        OSError: a file cannot be written.
    """
    import torch

    model, header = load_inference_model(checkpoint, dtype=torch.float32)
    try:
        rules = site_rules(model.config, DecodeConfig.from_dict(header["decoding"]))
        encoder = encoder_graph(model)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint}: not for the browser: {error}") from error
    assert model.decoder is not None
    for name, graph in zip(GRAPHS, (encoder, decoder_graph(model.decoder)), strict=True):
        write_whole(folder / name, graph.SerializeToString())
    write_whole(folder / RULES, json.dumps(rules, separators=(",", ":")))
