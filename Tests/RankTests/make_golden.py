#!/usr/bin/env python3
"""Writes Golden/*.json: twenty optimizer steps of transformers' models with PyTorch's AdamW and clipping.

    pip install torch transformers        (made with PyTorch 2.13 and transformers 5.24, CPU)
    python3 make_golden.py

Weights, tokens and projection directions follow from `uniform`, which TestSupport's HashedNumbers repeats, so only
results are stored. Everything runs in double precision except what transformers itself does in single precision
(RMSNorm's statistics and the rotary angles).

`reference` is the authors' trainer played by one process: each of its ranks has a micro-batch of its own, alpha is the
mean over the ranks of 1 / mean(w), ignored positions count in both means, and gradients are averaged over ranks and
accumulation steps. Its probability floor is 1e-2 here: the authors' 1e-8 would clamp nothing in a vocabulary this small.

Per case: loss, alpha and norm of the gradient before clipping of every step, and what the twenty steps added to every
tensor, as: norm, projections on two directions.
"""

import json
import math
import os
import sys

import numpy
import torch
import torch.nn.functional as F

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "references"))
from small_models import integers, network, table_order, uniform  # noqa: E402

LENGTH, BATCH, STEPS, VOCABULARY = 8, 12, 20, 29
REFERENCE_RANKS = 3
IGNORED = [0, 5]
LEARNING_RATE, BETAS, EPSILON, DECAY, CLIP = 4e-3, (0.9, 0.95), 1e-8, 0.1, 1.5
WARMUP, MINIMUM_RATIO = 3, 0.1
COMMON = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": VOCABULARY,
          "max_position_embeddings": LENGTH, "initializer_range": 0.02, "rms_norm_eps": 1e-5}
MODELS = {
    "mha": {"num_attention_heads": 2, "num_key_value_heads": 2, "rope_theta": 10000.0, "tie_word_embeddings": False},
    "gqa-tied": {"num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 500000.0,
                 "tie_word_embeddings": True},
    "biased": {"num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 20.0, "tie_word_embeddings": False,
               "head_dim": 6, "attention_bias": True, "mlp_bias": True, "rope_scaling": "llama3", "rope_factor": 2.0,
               "rope_low_freq_factor": 1.0, "rope_high_freq_factor": 4.0, "rope_original_max_position_embeddings": 32},
    "qwen3": {"num_attention_heads": 4, "num_key_value_heads": 2, "rope_theta": 1000000.0,
              "tie_word_embeddings": True, "architecture": "qwen3", "head_dim": 6},
}
LOSSES = [("mile", 1.5), ("focal", 2.0), ("cross_entropy", 1.0)]
# Normalisation and micro-batch; for the global one the micro-batch does not matter.
NORMALIZATIONS = [("global", 5), ("reference", 1), ("reference", 4)]
FLOOR = {"global": 0.0, "reference": 1e-2}


def initial(name, parameter, stream):
    """Gains 1 + u/4, biases u/4, matrices u sqrt(3 / columns); rounded to single precision."""
    u = uniform(parameter.numel(), stream)
    if name.endswith("bias"):
        values = u / 4
    else:
        values = 1 + u / 4 if parameter.dim() == 1 else u * (3 / parameter.shape[1]) ** 0.5
    return torch.from_numpy(values.astype(numpy.float32).astype(numpy.float64).reshape(tuple(parameter.shape)))


def learning_rate(step):
    if step <= WARMUP:
        return LEARNING_RATE * step / WARMUP
    t = (step - 1 - WARMUP) / (STEPS - WARMUP)
    return LEARNING_RATE * (MINIMUM_RATIO + (1 - MINIMUM_RATIO) * (1 + math.cos(math.pi * t)) / 2)


def weights(kind, gamma, logits, cross_entropy, floor):
    """Detached; an ignored target has cross-entropy 0, as the authors' focal loss sees it."""
    if kind == "mile":
        p = torch.clamp(F.softmax(logits.detach(), -1), floor, 1.0)
        return (1 - (p * p.log()).sum(-1)) ** gamma
    if kind == "focal":
        return (1 - torch.exp(-cross_entropy.detach())) ** gamma
    return torch.ones_like(cross_entropy)


def forward(model, sequences, kind, gamma, floor):
    """CE, weight and whether it counts, of every target."""
    logits = model(input_ids=sequences[:, :-1], use_cache=False).logits.reshape(-1, VOCABULARY)
    targets = sequences[:, 1:].reshape(-1)
    counts = torch.ones(targets.numel(), dtype=torch.float64)
    for token in IGNORED:
        counts[targets == token] = 0
    cross_entropy = F.cross_entropy(logits, torch.where(counts > 0, targets, -100), reduction="none")
    return cross_entropy, weights(kind, gamma, logits, cross_entropy, floor), counts


def global_step(model, batch, kind, gamma):
    cross_entropy, w, counts = forward(model, batch, kind, gamma, FLOOR["global"])
    loss = (w * counts * cross_entropy).sum() / (w * counts).sum()
    loss.backward()
    return loss.item(), (counts.sum() / (w * counts).sum()).item()


def reference_step(model, batch, kind, gamma, micro_batch):
    micro_steps = batch.split(micro_batch * REFERENCE_RANKS)
    loss, alpha = 0.0, 0.0
    for micro_step in micro_steps:
        ranks = [forward(model, part, kind, gamma, FLOOR["reference"]) for part in micro_step.split(micro_batch)]
        mean_alpha = sum(1 / w.mean() for _, w, _ in ranks) / REFERENCE_RANKS
        value = sum((mean_alpha * w * ce).mean() for ce, w, _ in ranks) / REFERENCE_RANKS / len(micro_steps)
        value.backward()
        loss += value.item()
        alpha += mean_alpha.item() / len(micro_steps)
    return loss, alpha


def run(sizes, kind, gamma, normalization, micro_batch):
    model = network({**COMMON, **sizes})
    tensors = sorted(model.named_parameters(), key=lambda tensor: table_order(tensor[0]))
    starts = [initial(name, parameter, stream) for stream, (name, parameter) in enumerate(tensors)]
    with torch.no_grad():
        for (_, parameter), start in zip(tensors, starts):
            parameter.copy_(start)
    groups = [{"params": [p for _, p in tensors if p.dim() > 1], "weight_decay": DECAY},
              {"params": [p for _, p in tensors if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON)
    tokens = torch.from_numpy(integers(STEPS * BATCH * (LENGTH + 1), 300, VOCABULARY)).reshape(STEPS, BATCH, LENGTH + 1)
    steps = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        if normalization == "global":
            loss, alpha = global_step(model, tokens[step - 1], kind, gamma)
        else:
            loss, alpha = reference_step(model, tokens[step - 1], kind, gamma, micro_batch)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.step()
        steps.append((loss, alpha, norm))
    return {
        "kind": kind, "gamma": gamma, "normalization": normalization, "micro_batch_size": micro_batch,
        "probability_floor": FLOOR[normalization],
        "loss": [s[0] for s in steps], "alpha": [s[1] for s in steps], "grad_norm": [s[2] for s in steps],
        "change": {name: digest(p.detach() - start, stream)
                   for stream, ((name, p), start) in enumerate(zip(tensors, starts))},
    }


def digest(change, stream):
    """Norm and projections."""
    flat = change.reshape(-1).numpy()
    projections = [float(flat @ uniform(flat.size, 1000 + 2 * stream + k)) for k in range(2)]
    return [float(numpy.linalg.norm(flat))] + projections


def shortened(value):
    """Seven digits: the tolerances start at the sixth."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return [shortened(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden")
    os.makedirs(folder, exist_ok=True)
    for name, sizes in MODELS.items():
        cases = [run(sizes, *loss, *normalization) for loss in LOSSES for normalization in NORMALIZATIONS]
        settings = {
            "model": {**COMMON, **sizes}, "sequence_length": LENGTH, "global_batch_size": BATCH, "steps": STEPS,
            "reference_ranks": REFERENCE_RANKS, "ignored_targets": IGNORED, "learning_rate": LEARNING_RATE,
            "beta1": BETAS[0], "beta2": BETAS[1], "epsilon": EPSILON, "weight_decay": DECAY, "gradient_clip": CLIP,
            "warmup_steps": WARMUP, "minimum_ratio": MINIMUM_RATIO,
        }
        with open(os.path.join(folder, f"{name}.json"), "w") as file:
            json.dump(shortened({**settings, "cases": cases}), file, indent=None, separators=(",", ":"))
            file.write("\n")
