"""Export a checkpoint for ONNX Runtime: encoder.onnx, decoder.onnx, and all rules and settings as rules.json.

    python scripts/export_onnx.py --output out/onnx
    python scripts/export_onnx.py --output out/onnx --development $DATA/real/mdb_drums_dev

With --development the kinds of weights are compared: bytes, seconds of work for a minute of music (one
thread), and F on the development recordings; --docs docs/browser.md writes the table there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from data.corpora.annotated import read_mdb
from eval.metrics.f_measure import f_measure
from mt3drum.cli.parser import CommandParser
from mt3drum.extras import need
from mt3drum.model.checkpoint import bundled
from mt3drum.model.onnx_graph import decoder_graph, encoder_graph
from mt3drum.model.onnx_runtime import OnnxDecoder, OnnxModel, session
from mt3drum.transcriber import Transcriber
from mt3drum.web.site import write_model
from scripts.pages.doc_block import replace_block
from tokenizer.maps import LABEL_MAPS

BLOCK = "onnx"
MIXES = ("drum_only", "pseudo_mix")
KINDS = ("float32", "float16", "int8")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = CommandParser(description="Export a checkpoint for ONNX Runtime.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: the bundled one")
    parser.add_argument(
        "--development",
        type=Path,
        metavar="DIR",
        help="compare kinds of weights on these MDB Drums recordings",
    )
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="write the table there")
    return parser.parse_args(arguments)


def quantised(graph: Any) -> bytes:
    """Weights of the matrix products as int8, one scale a column; activations are quantised as they come."""
    need("onnx", "onnxruntime", "onnx")
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(graph, source)
        quantize_dynamic(
            source, target, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8
        )
        return target.read_bytes()


def graphs(model: OnnxModel, kind: str) -> list[bytes]:
    """Encoder and decoder with one of `KINDS` of weights."""
    assert isinstance(model.decoder, OnnxDecoder)
    half = kind == "float16"
    both = encoder_graph(model, half), decoder_graph(model.decoder, half)
    return [quantised(graph) if kind == "int8" else graph.SerializeToString() for graph in both]


def table(checkpoint: Path, development: Path) -> str:
    """Rows of ONNX Runtime with every kind of weights, and of torch."""
    torch.set_num_threads(1)
    rows = [
        "| run by | weights | bytes | seconds a minute | " + " | ".join(f"F, {mix}" for mix in MIXES) + " |",
        "|---|---|---:|---:|" + "---:|" * len(MIXES),
    ]
    for kind in tqdm((*KINDS, "torch"), unit="kind"):
        transcriber = Transcriber.load(
            checkpoint, "cpu", precision="float32", runtime="torch" if kind == "torch" else "onnx"
        )
        size = checkpoint.stat().st_size
        if isinstance(transcriber.model, OnnxModel):
            assert isinstance(transcriber.model.decoder, OnnxDecoder)
            encoder, decoder = graphs(transcriber.model, kind)
            size = len(encoder) + len(decoder)
            transcriber.model.session = session(encoder)
            transcriber.model.decoder.session = session(decoder)
        figures, spent, heard = [], 0.0, 0.0
        for mix in MIXES:
            recordings = read_mdb(development, mix=mix)
            found = {}
            for recording in recordings:
                if recording.audio is None:
                    continue
                began = time.process_time()
                result = transcriber.transcribe_file(recording.audio)
                spent += time.process_time() - began
                heard += result.seconds
                found[recording.name] = list(result.hits)
            references = {recording.name: list(recording.hits) for recording in recordings}
            unjudged = LABEL_MAPS["mdb_class"].unjudged
            figures.append(f_measure(references, found, scheme="5", window=0.05, unjudged=unjudged).micro.f)
        run_by, weights = ("torch", "float16") if kind == "torch" else ("ONNX Runtime", kind)
        f = " | ".join(f"{figure:.3f}" for figure in figures)
        rows.append(f"| {run_by} | {weights} | {size:,} | {60 * spent / heard:.2f} | {f} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse(arguments)
    checkpoint = args.checkpoint or bundled()
    try:
        write_model(checkpoint, args.output)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{checkpoint} -> {args.output}")
    if args.development is not None:
        text = table(checkpoint, args.development)
        print(text)
        if args.docs is not None:
            replace_block(args.docs, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
