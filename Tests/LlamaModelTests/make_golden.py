#!/usr/bin/env python3
"""Writes Golden/*.json: what PyTorch and transformers compute for small models of each architecture.

    pip install torch transformers        (made with PyTorch 2.13 and transformers 5.24, CPU)
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
import sys

import numpy
import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "references"))
from small_models import integers, network, table_order, uniform  # noqa: E402

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
    "biased": {"hidden_size": 36, "intermediate_size": 50, "num_attention_heads": 6, "num_key_value_heads": 2,
               "vocab_size": 71, "rms_norm_eps": 1e-5, "rope_theta": 500.0, "tie_word_embeddings": False,
               "head_dim": 10, "attention_bias": True, "mlp_bias": True, "rope_scaling": "llama3", "rope_factor": 8.0,
               "rope_low_freq_factor": 1.0, "rope_high_freq_factor": 4.0, "rope_original_max_position_embeddings": 32},
    "mistral": {"hidden_size": 34, "intermediate_size": 50, "num_attention_heads": 4, "num_key_value_heads": 2,
                "vocab_size": 71, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
                "architecture": "mistral", "head_dim": 6, "sliding_window": LENGTH},
    "qwen2": {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 4, "num_key_value_heads": 2,
              "vocab_size": 73, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True,
              "architecture": "qwen2", "rope_scaling": "linear", "rope_factor": 2.5},
    "qwen3": {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 4, "num_key_value_heads": 2,
              "vocab_size": 73, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": False,
              "architecture": "qwen3", "head_dim": 18, "attention_bias": True},
    "smollm3": {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 4, "num_key_value_heads": 2,
                "vocab_size": 73, "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "tie_word_embeddings": True,
                "architecture": "smollm3", "mlp_bias": True, "no_rope_layer_interval": 2},
}


def fill(tensor, stream):
    """Gains 1 + u/4, biases u/4, the embedding u, matrices u sqrt(3 / columns), the head twice that; rounded to single
    precision."""
    name, parameter = tensor
    u = uniform(parameter.numel(), stream)
    if name.endswith("bias"):
        values = u / 4
    elif parameter.dim() == 1:
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
    model = network({**COMMON, **sizes})
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
