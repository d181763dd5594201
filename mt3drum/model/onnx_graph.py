"""The decoding network as two ONNX graphs: encoder with onset head, and decoder as a pure function.

The caller keeps the decoder's state: a call takes the keys and values of the tokens so far and returns those
of its own tokens. One graph serves single steps, windows and beams: a mask says which entries a row sees.
Built node by node in half a second; torch's exporter took minutes for the same graphs. Equal to
`InferenceModel` in float32 up to rounding (tests/mt3drum/model/test_onnx_graph.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mt3drum.extras import need
from mt3drum.model.decoder_step import CachedDecoder, Layer
from mt3drum.model.inference import InferenceModel
from mt3drum.model.stem import FRAMES_PER_STATE
from tokenizer.codec import NUM_SPECIAL

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20  # the first opset with Gelu
IR_VERSION = 10  # readable by onnxruntime 1.17 and later
_EPSILON = 1e-5  # of the layer norms, torch's default
Shape = Sequence[int | str]
"""Sizes of a tensor; strings name variable sizes."""
_SHIFT = 64  # a power of two
_SMALL = 256  # elements: smaller constants are not worth a Cast


def cross_names(layers: int) -> list[str]:
    """Outputs of the encoder and inputs of the decoder: keys and values [b h m k] of every layer's
    cross-attention, keys scaled."""
    return [f"cross_{layer}_{part}" for layer in range(layers) for part in ("key", "value")]


def own_names(layers: int) -> list[str]:
    """Inputs of the decoder: keys and values [b h e k] of the tokens so far."""
    return [f"own_{layer}_{part}" for layer in range(layers) for part in ("key", "value")]


def new_names(layers: int) -> list[str]:
    """Outputs of the decoder: keys and values [b h w k] of its input tokens."""
    return [f"new_{layer}_{part}" for layer in range(layers) for part in ("key", "value")]


def encoder_graph(model: InferenceModel, half: bool = True) -> ModelProto:
    """`bands` [b window mel t], as `LogMel` gives them -> `onset` [b t c] logits, `velocity` [b t c] / 127
    before the sigmoid, `time_keys` [b t k] and `cross_names`.

    Args:
        half: store weights as float16 where that is lossless.

    Raises:
        MissingExtra: onnx is not installed.
        ValueError: the model has no decoder, or other parts than the usual ones.
    """
    if model.config.variants:
        raise ValueError(f"{', '.join(model.config.variants)}: only networks of the usual parts are exported")
    if model.decoder is None:
        raise ValueError("the model has no decoder; only models with one are exported")
    graph, config = _Graph(half), model.config
    factor, offset = (x.T[None, :, :, None] for x in model.level)
    x = graph("Add", graph("Mul", "bands", factor), offset)
    x = graph("Transpose", x, perm=[0, 1, 3, 2])  # [b window t mel]
    for (kernel, bias), strides, pads in zip(
        model.kernels, ((1, 4), (FRAMES_PER_STATE, 2)), ((1, 3), (1, 1)), strict=True
    ):
        x = graph("Conv", x, kernel.contiguous(), bias, strides=list(strides), pads=[*pads, *pads])
        x = graph("Gelu", x)
    x = graph("Transpose", x, perm=[0, 2, 3, 1])  # [b t mel c]
    x = graph.linear(graph("Reshape", x, np.array([0, 0, -1])), *model.project)
    angle = torch.arange(config.codec.segment_steps // FRAMES_PER_STATE)[:, None] * model.rate.cpu()
    turn = graph.constant(angle.cos()), graph.constant(angle.sin())
    heads, pairs = config.width // config.head_width, len(model.rate)
    for layer in model.layers:
        query, key, value = graph.heads_of(layer, x, heads, turn, pairs)
        scores = graph("MatMul", query, graph("Transpose", key, perm=[0, 1, 3, 2]))
        x = graph(
            "Add", x, graph.merged(graph("MatMul", graph("Softmax", scores, axis=-1), value), layer.self_out)
        )
        x = graph.feed_forward(layer, x)
    states = graph.norm(x, model.final_norm)
    memory = graph("Add", states, model.code[None])
    _heads(graph, model, states, memory)
    for number, layer in enumerate(model.decoder.layers):
        assert layer.cross_kv is not None
        both = graph("Split", graph.linear(memory, layer.cross_kv), outputs=2, axis=-1, num_outputs=2)
        for name, part in zip(cross_names(number + 1)[-2:], both, strict=True):
            graph.output(name, graph.split_heads(part, heads), ("b", heads, "m", config.head_width))
    return graph.model("encoder", {"bands": ("b", len(config.audio.windows), config.audio.mel_bands, "t")})


def decoder_graph(decoder: CachedDecoder, half: bool = True) -> ModelProto:
    """Build the decoder: rows of tokens in, next-token logits of each out; a row is a position or a beam.

    Inputs: `tokens` [b w] int32; `position` [b w] float32, in the sequence; `mask` [b w e+w], 0 where a row
    sees an entry and -inf elsewhere, past entries first, then the rows; `own_names`; `cross_names` and
    `time_keys` of the encoder. Outputs: `logits` [b w v] and `new_names`.

    Args:
        half: as in `encoder_graph`.

    Raises:
        MissingExtra: onnx is not installed.
    """
    graph, heads, layers = _Graph(half), decoder.heads, len(decoder.layers)
    pairs = len(decoder.rate)
    x = graph("Gather", decoder.embedding, "tokens", axis=0)
    angle = graph("Mul", graph("Unsqueeze", "position", np.array([1, 3])), decoder.rate)  # [b 1 w pair]
    turn = graph("Cos", angle), graph("Sin", angle)
    mask = graph("Unsqueeze", "mask", np.array([1]))
    own, cross, new = own_names(layers), cross_names(layers), new_names(layers)
    for number, layer in enumerate(decoder.layers):
        at = slice(2 * number, 2 * number + 2)
        query, key, value = graph.heads_of(layer, x, heads, turn, pairs)
        for name, part in zip(new[at], (key, value), strict=True):
            graph.output(name, part, ("b", heads, "w", decoder.head_width))
        keys, values = (
            graph("Concat", past, part, axis=2) for past, part in zip(own[at], (key, value), strict=True)
        )
        scores = graph("MatMul", query, graph("Transpose", keys, perm=[0, 1, 3, 2]))
        weight = graph("Softmax", graph("Add", scores, mask), axis=-1)
        x = graph("Add", x, graph.merged(graph("MatMul", weight, values), layer.self_out))
        assert layer.cross_norm is not None and layer.cross_q is not None and layer.cross_out is not None
        query = graph.split_heads(graph.linear(graph.norm(x, layer.cross_norm), layer.cross_q), heads)
        keys, values = cross[at]
        scores = graph("MatMul", query, graph("Transpose", keys, perm=[0, 1, 3, 2]))
        mixed = graph("MatMul", graph("Softmax", scores, axis=-1), values)
        x = graph.feed_forward(layer, graph("Add", x, graph.merged(mixed, layer.cross_out)))
    head = graph.linear(graph.norm(x, decoder.final_norm), decoder.head_weight, decoder.head_bias)
    sizes = np.array([NUM_SPECIAL, decoder.others - NUM_SPECIAL, len(decoder.head_bias) - decoder.others])
    special, others, pointer = graph("Split", head, sizes, outputs=3, axis=-1)
    time = graph("MatMul", pointer, graph("Transpose", "time_keys", perm=[0, 2, 1]))
    graph.output("logits", graph("Concat", special, time, others, axis=-1), ("b", "w", "v"))
    width = decoder.head_width
    inputs: dict[str, Shape] = {
        "tokens": ("b", "w"),
        "position": ("b", "w"),
        "mask": ("b", "w", "n"),
        **{name: ("b", heads, "e", width) for name in own},
        **{name: ("b", heads, "m", width) for name in cross},
        "time_keys": ("b", "t", len(decoder.head_bias) - decoder.others),
    }
    return graph.model("decoder", inputs)


def _heads(graph: _Graph, model: InferenceModel, states: str, memory: str) -> None:
    """Onset head and time keys; each state covers two frames."""
    frames, drums = model.config.codec.segment_steps, model.config.codec.num_drums
    head = graph.linear(states, *model.heads["onset_head"])  # [b s (f o c)]
    head = graph("Reshape", head, np.array([0, frames, 2, drums]))
    for name, part in zip(
        ("onset", "velocity"), graph("Split", head, outputs=2, axis=2, num_outputs=2), strict=True
    ):
        graph.output(name, graph("Squeeze", part, np.array([2])), ("b", frames, drums))
    keys = graph.linear(memory, *model.heads["time_key"])
    graph.output("time_keys", graph("Reshape", keys, np.array([0, frames, -1])), ("b", frames, "k"))


class _Graph:
    """A graph built by calling it once per node; tensor names are strings, arrays become constants."""

    def __init__(self, half: bool) -> None:
        need("onnx", "onnx")
        import onnx

        self.onnx, self.half = onnx, half
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs: dict[str, Shape] = {}
        self.count = 0

    def __call__(
        self, kind: str, *inputs: str | Tensor | np.ndarray, outputs: int = 1, **attributes: Any
    ) -> Any:
        """Add a node. Returns the name of its output, or the names of its outputs."""
        given = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        made = [self._name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, given, made, **attributes))
        return made[0] if outputs == 1 else made

    def _name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def constant(self, value: Tensor | np.ndarray) -> str:
        """Store values that float16 holds exactly, as in a checkpoint, as float16; also those it holds after
        scaling by `_SHIFT` (small ones of a scaled query would lose bits). Loading folds the casts."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        array = np.asarray(array, order="C")
        name = self._name("constant")
        if self.half and array.dtype == np.float32 and array.size > _SMALL:
            for shift in (1, _SHIFT):
                half = (array * np.float32(shift)).astype(np.float16)
                if np.array_equal(half.astype(np.float32) / np.float32(shift), array):
                    self.constants.append(self.onnx.numpy_helper.from_array(half, name))
                    cast = self("Cast", name, to=self.onnx.TensorProto.FLOAT)
                    return cast if shift == 1 else str(self("Mul", cast, np.array(1 / shift, np.float32)))
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def output(self, name: str, value: str, shape: Shape) -> None:
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self.outputs[name] = shape

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """Linear layer with weight [out in]."""
        product = self("MatMul", x, weight.T)
        return str(product if bias is None else self("Add", product, bias))

    def norm(self, x: str, gain: Tensor) -> str:
        return str(self("LayerNormalization", x, gain, axis=-1, epsilon=_EPSILON))

    def split_heads(self, x: str, heads: int) -> str:
        """[b w (h k)] -> [b h w k]"""
        return str(self("Transpose", self("Reshape", x, np.array([0, 0, heads, -1])), perm=[0, 2, 1, 3]))

    def merged(self, mixed: str, out: Tensor) -> str:
        """[b h w k] -> [b w d]"""
        flat = self("Reshape", self("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, 0, -1]))
        return self.linear(flat, out)

    def heads_of(
        self, layer: Layer, x: str, heads: int, turn: tuple[str, str], pairs: int
    ) -> tuple[str, str, str]:
        """Query and key, rotated by their positions, and value: [b h w k] each.

        Rotary position rotates adjacent pairs. Queries and keys list the first elements of all pairs, then
        the second, then the rest: products are unchanged, and rotation needs no interleaving.
        """
        weight = layer.self_qkv.float()
        size = len(weight) // (3 * heads)
        order = [*range(0, 2 * pairs, 2), *range(1, 2 * pairs, 2), *range(2 * pairs, size)]
        rows = weight.unflatten(0, (3, heads, size))
        rows = torch.cat((rows[:2, :, order], rows[2:])).flatten(0, 2)
        product = self.linear(self.norm(x, layer.self_norm), rows)
        parts = self("Split", product, outputs=3, axis=-1, num_outputs=3)
        query, key, value = (self.split_heads(part, heads) for part in parts)
        rest = size - 2 * pairs
        return self._turned(query, turn, pairs, rest), self._turned(key, turn, pairs, rest), value

    def _turned(self, heads: str, turn: tuple[str, str], pairs: int, rest: int) -> str:
        cosine, sine = turn
        sizes = np.array([pairs, pairs, rest] if rest else [pairs, pairs])
        first, second, *others = self("Split", heads, sizes, outputs=len(sizes), axis=-1)
        left = self("Sub", self("Mul", first, cosine), self("Mul", second, sine))
        right = self("Add", self("Mul", first, sine), self("Mul", second, cosine))
        return str(self("Concat", left, right, *others, axis=-1))

    def feed_forward(self, layer: Layer, x: str) -> str:
        hidden = self("Gelu", self.linear(self.norm(x, layer.ff_norm), *layer.ff_in))
        return str(self("Add", x, self.linear(hidden, *layer.ff_out)))

    def model(self, name: str, inputs: Mapping[str, Shape]) -> ModelProto:
        """The complete, checked model."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        given = [
            helper.make_tensor_value_info(n, types.INT32 if n == "tokens" else types.FLOAT, shape)
            for n, shape in inputs.items()
        ]
        made = [helper.make_tensor_value_info(n, types.FLOAT, shape) for n, shape in self.outputs.items()]
        graph = helper.make_graph(self.nodes, name, given, made, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="mt3drum",
        )
        self.onnx.checker.check_model(model)
        return model
