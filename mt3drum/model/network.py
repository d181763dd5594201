"""The network: two-window log-mel -> stem -> encoder (+ onset head) -> decoder with a time pointer.

A pointer selects time tokens: the logit of step t is query(decoder state) . key(encoder state at t) / sqrt(d)
(pointer networks, Vinyals et al. 2015, arXiv:1506.03134). In a design experiment, after 8,000 segments, the
time token cost 1.6 nats with the pointer and 3.7 with a classifier.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from x_transformers import Decoder, Encoder

from mt3drum.audio.log_mel import LogMel
from mt3drum.config import ModelConfig
from mt3drum.model.encoder import encoder_of, one_way
from mt3drum.model.stem import FRAMES_PER_STATE, EncoderOutput, sinusoid, stem_of
from mt3drum.model.weight_names import to_network, to_own
from tokenizer.codec import BOS, NUM_SPECIAL, PAD

_GROUP = 4  # segments decoded together: most segments have far fewer tokens than the longest of a batch


class DrumModel(nn.Module):
    """Encoder, onset head and decoder, sized by a `ModelConfig`.

    Its state dict uses our weight names (`mt3drum.model.weight_names`), independent of the module names.
    """

    time_code: Tensor
    reconstruction: nn.Linear  # in pre-training (`train.objective`); no checkpoint keeps it

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        codec, width = config.codec, config.width
        layers = {
            "dim": width,
            "heads": width // config.head_width,
            "attn_dim_head": config.head_width,
            # Two plain products and a softmax in their type: on a CPU the backward pass of
            # scaled_dot_product_attention is slow (docs/performance.md).
            "attn_flash": False,
            "attn_custom_attn_fn": partial(functional.softmax, dim=-1),
            "rotary_pos_emb": True,
            "rotary_emb_dim": config.head_width // 2,
            "ff_mult": config.feed_forward,
            "ff_dropout": config.dropout,
            "verbose": False,
        }
        self.features = LogMel(config.audio)
        self.stem = stem_of(config)
        if config.encoder == "transformer":
            self.encoder = Encoder(depth=config.encoder_layers, **layers)
        else:
            self.encoder = encoder_of(config)
        if config.decoder_layers:
            self.decoder = Decoder(depth=config.decoder_layers, cross_attend=True, **layers)
        self.onset_head = nn.Linear(width, FRAMES_PER_STATE * 2 * codec.num_drums)
        if config.decoder_layers:
            self.embedding = nn.Embedding(codec.size, width)
            self.other_head = nn.Linear(width, codec.size - codec.segment_steps)
            self.time_query = nn.Linear(width, config.head_width)
            self.time_key = nn.Linear(width, FRAMES_PER_STATE * config.head_width)
            nn.init.normal_(self.embedding.weight, std=0.02)
        self.register_buffer("time_code", sinusoid(codec.segment_steps, width), persistent=False)
        # Onsets are rare: start at a probability of about one frame in a hundred.
        with torch.no_grad():
            self.onset_head.bias.fill_(-4.0)
        self.register_state_dict_post_hook(_name_as_ours)
        self.register_load_state_dict_pre_hook(_name_as_modules)

    def encode(self, audio: Tensor) -> EncoderOutput:
        """audio [b n], one segment each -> states and onset head."""
        return self.encode_features(self.features(audio))

    def encode_features(self, mel: Tensor) -> EncoderOutput:
        """mel [b w m t] -> states and onset head."""
        states = self.encoder(self.stem(mel))
        memory = states + self.time_code[::FRAMES_PER_STATE]
        keys = memory.new_empty(len(memory), self.config.codec.segment_steps, 0)
        if self.config.decoder_layers:
            keys = rearrange(self.time_key(memory), "b s (f k) -> b (s f) k", f=FRAMES_PER_STATE)
        head = rearrange(self.onset_head(states), "b s (f o c) -> o b (s f) c", f=FRAMES_PER_STATE, o=2)
        onset = one_way(head[0]) if self.config.head == "instrument" else head[0]
        return EncoderOutput(memory, keys, onset, head[1])

    def embed(self, tokens: Tensor) -> Tensor:
        """tokens [...] -> [... d]; a time token includes the positional code of its step."""
        codec = self.config.codec
        step = (tokens - codec.first_time).clamp(0, codec.segment_steps - 1)
        is_time = (tokens >= codec.first_time) & (tokens < codec.first_drum)
        return self.embedding(tokens) + self.time_code[step] * is_time[..., None]

    def logits(self, states: Tensor, time_keys: Tensor) -> Tensor:
        """Decoder states [b l d], keys [b t k] -> logits over the vocabulary [b l v] in float32."""
        other = self.other_head(states).float()
        query = self.time_query(states) / math.sqrt(self.config.head_width)
        time = torch.einsum("blk,btk->blt", query, time_keys).float()
        return torch.cat((other[..., :NUM_SPECIAL], time, other[..., NUM_SPECIAL:]), dim=-1)

    def decode(self, tokens: Tensor, encoded: EncoderOutput) -> Tensor:
        """Teacher-forced logits [b l v] of tokens [b l] (no BOS): entry l has seen the tokens before l."""
        start = torch.full_like(tokens[:, :1], BOS)
        states = self.decoder(self.embed(torch.cat((start, tokens[:, :-1]), 1)), context=encoded.memory)
        return self.logits(states, encoded.time_keys)

    def forward(self, mel: Tensor, tokens: Tensor) -> tuple[EncoderOutput, Tensor | None]:
        """Log-mel [b w m t] and tokens [b l] -> encoder output and teacher-forced logits [b l v] (None: no
        decoder); logits of padding are arbitrary."""
        encoded = self.encode_features(mel)
        if not self.config.decoder_layers:
            return encoded, None
        decode = self._decode_by_length if tokens.device.type == "cpu" else self.decode
        return encoded, decode(tokens, encoded)

    def _decode_by_length(self, tokens: Tensor, encoded: EncoderOutput) -> Tensor:
        """`decode` in groups of similar length, each without most of its padding."""
        lengths = (tokens != PAD).sum(1)
        logits = encoded.memory.new_zeros(*tokens.shape, self.config.codec.size, dtype=torch.float32)
        for rows in lengths.argsort().split(_GROUP):
            longest = int(lengths[rows].max())
            part = EncoderOutput(*(each[rows] for each in encoded))
            logits[rows, :longest] = self.decode(tokens[rows, :longest], part)
        return logits


def _name_as_ours(module: DrumModel, state: dict[str, Any], prefix: str, _: Any) -> None:
    """`state_dict` hook."""
    _rename(state, prefix, to_own(_below(state, prefix), module.config))


def _name_as_modules(module: DrumModel, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """`load_state_dict` hook; also accepts module names, as in earlier states."""
    _rename(state, prefix, to_network(_below(state, prefix), module.config))


def _below(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _rename(state: dict[str, Any], prefix: str, renamed: dict[str, Any]) -> None:
    """Replace everything below the prefix by `renamed`, in its order; the rest stays."""
    for name in [name for name in state if name.startswith(prefix)]:
        del state[name]
    state.update((prefix + name, value) for name, value in renamed.items())
