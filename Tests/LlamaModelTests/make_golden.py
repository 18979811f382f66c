#!/usr/bin/env python3
"""Writes Golden/*.json: what PyTorch and transformers' LlamaForCausalLM compute for small models.

    pip install torch transformers        (made with PyTorch 2.13 and transformers 5.23, CPU)
    python3 make_golden.py

Weights, tokens, sampled indices and projection directions follow from `uniform`, which GoldenCase.swift repeats, so only
results are stored. Everything runs in double precision except what transformers itself does in single precision
(RMSNorm's statistics and the rotary angles).

Per case: CE and entropy of every target (0 for CE where ignored), the logits at three positions of sequence 0 and, per
loss, its value with `normalization: global` and the gradient of every tensor with the weights detached, as: norm,
projections on two directions, four sampled elements.
"""

import json
import os

import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM

SEQUENCES, LENGTH = 2, 12
IGNORED = [3, 17]
LOGIT_POSITIONS = [0, 6, 11]
LOSSES = [
    {"kind": "mile", "gamma": 1.0, "sigma": 1.0},
    {"kind": "mile", "gamma": 0.5, "sigma": 0.25},
    {"kind": "focal", "gamma": 2.0, "sigma": 1.0},
    {"kind": "cross_entropy", "gamma": 1.0, "sigma": 1.0},
]
COMMON = {"num_hidden_layers": 2, "max_position_embeddings": LENGTH, "initializer_range": 0.02}
CASES = {
    "mha": {"hidden_size": 24, "intermediate_size": 56, "num_attention_heads": 3, "num_key_value_heads": 3,
            "vocab_size": 70, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False},
    "gqa": {"hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 6, "num_key_value_heads": 2,
            "vocab_size": 71, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "tie_word_embeddings": False},
    "tied": {"hidden_size": 40, "intermediate_size": 66, "num_attention_heads": 4, "num_key_value_heads": 2,
             "vocab_size": 73, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True},
}


def uniform(count, stream):
    """`count` numbers in [-1, 1), multiples of 2^-23: the finaliser "lowbias32" of (index, stream)."""
    x = (numpy.arange(count, dtype=numpy.uint64) * 0x9E3779B9 + (stream * 0x85EBCA6B + 0x1234567)) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    x ^= x >> 16
    return (x >> 8).astype(numpy.float64) / 2**23 - 1


def integers(count, stream, bound):
    return ((uniform(count, stream) + 1) / 2 * bound).astype(numpy.int64)


def table_order(name):
    """Sorts Hugging Face's names into the order of the forward pass."""
    parts = ["embed_tokens", "layers", "model.norm", "lm_head"]
    inside = ["input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj", "post_attention_layernorm", "gate_proj",
              "up_proj", "down_proj"]
    where = next(i for i, part in enumerate(parts) if part in name)
    if where != 1:
        return (where, 0, 0)
    return (where, int(name.split(".")[2]), next(i for i, part in enumerate(inside) if part in name))


def fill(tensor, stream):
    """Gains 1 + u/4, the embedding u, matrices u sqrt(3 / columns), the head twice that; rounded to single precision."""
    name, parameter = tensor
    u = uniform(parameter.numel(), stream)
    if parameter.dim() == 1:
        values = 1 + u / 4
    elif "embed_tokens" in name:
        values = u
    else:
        values = u * ((3 / parameter.shape[1]) ** 0.5 * (2 if "lm_head" in name else 1))
    values = values.astype(numpy.float32).astype(numpy.float64).reshape(tuple(parameter.shape))
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values))


def weights(loss, entropy, cross_entropy):
    if loss["kind"] == "mile":
        return (loss["sigma"] + entropy) ** loss["gamma"]
    if loss["kind"] == "focal":
        return (1 - torch.exp(-cross_entropy)) ** loss["gamma"]
    return torch.ones_like(entropy)


def digest(gradient, stream):
    flat = gradient.reshape(-1).numpy()
    picks = integers(4, 500 + stream, flat.size)
    return {
        "norm": float(numpy.linalg.norm(flat)),
        "projections": [float(flat @ uniform(flat.size, 1000 + 2 * stream + k)) for k in range(2)],
        "samples": [float(flat[i]) for i in picks],
    }


def make(name, sizes):
    config = LlamaConfig(
        **COMMON, **{key: value for key, value in sizes.items() if key != "rope_theta"}, attention_bias=False,
        rope_parameters={"rope_type": "default", "rope_theta": sizes["rope_theta"]}, attn_implementation="sdpa")
    model = LlamaForCausalLM(config).double().train()
    tensors = sorted(model.named_parameters(), key=lambda tensor: table_order(tensor[0]))
    for stream, tensor in enumerate(tensors):
        fill(tensor, stream)
    tokens = integers(SEQUENCES * (LENGTH + 1), 300, sizes["vocab_size"]).reshape(SEQUENCES, LENGTH + 1)
    inputs = torch.from_numpy(tokens[:, :-1].copy())
    targets = torch.from_numpy(tokens[:, 1:].copy()).reshape(-1)
    counts = torch.ones(targets.numel(), dtype=torch.float64)
    counts[IGNORED] = 0

    logits = model(input_ids=inputs, use_cache=False).logits.reshape(targets.numel(), -1)
    log_p = torch.log_softmax(logits, -1)
    cross_entropy = -log_p.gather(1, targets[:, None])[:, 0] * counts
    entropy = -(log_p.exp() * log_p).sum(-1)
    losses = []
    for loss in LOSSES:
        w = weights(loss, entropy, cross_entropy).detach() * counts
        value = (w * cross_entropy).sum() / w.sum()
        model.zero_grad()
        value.backward(retain_graph=True)
        losses.append({
            **loss, "loss": value.item(),
            "gradient": {n: digest(p.grad, stream) for stream, (n, p) in enumerate(tensors)},
        })
    return {
        "model": {**COMMON, **sizes}, "sequences": SEQUENCES, "sequence_length": LENGTH, "ignored": IGNORED,
        "cross_entropy": cross_entropy.tolist(), "entropy": entropy.tolist(), "logit_positions": LOGIT_POSITIONS,
        "logits": [logits[t].tolist() for t in LOGIT_POSITIONS], "losses": losses,
    }


def shortened(value):
    """Ten digits: the tolerances start at the seventh."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return [shortened(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden")
    os.makedirs(folder, exist_ok=True)
    for name, sizes in CASES.items():
        with open(os.path.join(folder, f"{name}.json"), "w") as file:
            json.dump(shortened(make(name, sizes)), file, indent=None, separators=(",", ":"))
            file.write("\n")
