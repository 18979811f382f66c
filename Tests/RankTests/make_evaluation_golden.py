#!/usr/bin/env python3
"""Writes Golden/evaluation.json: what PyTorch and transformers' LlamaForCausalLM say of three domains and their buckets.

    pip install torch transformers        (made with PyTorch 2.13 and transformers 5.23, CPU)
    python3 make_evaluation_golden.py

Weights and tokens follow from `uniform`, as in make_golden.py; the embedding, which is the head too, is doubled, so that
entropies and confidences spread, and repetitions in the text make the model right at times. Low ids are frequent, as in
text. Everything runs in double precision except what transformers itself does in single precision. Definitions are those
of the page EvaluationAndTasks.md, written here a second time: buckets by cumulated counts, entropies by whole nats, the
calibration error of Guo et al. (2017) with 15 bins.
"""

import json
import math
import os

import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from make_golden import COMMON, LENGTH, MODELS, VOCABULARY, initial, table_order, uniform

DOMAINS = {"prose": 7, "code": 4, "dialogue": 9}
TRAINING_SEQUENCES = 12
IGNORED = [5]
BINS = 15
# A number this close to the edge of a bucket could fall on its other side in single precision.
MARGIN = 1e-4


def skewed(count, stream):
    v = (uniform(count, stream) + 1) / 2
    return (v * v * v * VOCABULARY).astype(numpy.int64)


def model():
    sizes = MODELS["gqa-tied"]
    config = LlamaConfig(
        **COMMON, **{key: value for key, value in sizes.items() if key != "rope_theta"}, attention_bias=False,
        rope_parameters={"rope_type": "default", "rope_theta": sizes["rope_theta"]}, attn_implementation="sdpa")
    model = LlamaForCausalLM(config).double().eval()
    tensors = sorted(model.named_parameters(), key=lambda tensor: table_order(tensor[0]))
    with torch.no_grad():
        for stream, (name, parameter) in enumerate(tensors):
            parameter.copy_(initial(name, parameter, stream) * (2 if "embed_tokens" in name else 1))
    return model


def frequency_names(counts):
    """The fewest most frequent ids with at least 80 % (95 %) of the occurrences; ties by id."""
    order = numpy.argsort(-counts, kind="stable")
    before = numpy.concatenate([[0], numpy.cumsum(counts[order])[:-1]]) / counts.sum()
    names = {}
    for id, share in zip(order, before):
        names[int(id)] = "low" if counts[id] == 0 or share >= 0.95 else "medium" if share >= 0.80 else "high"
    return names


def entropy_name(h):
    return next((f"{k}-{k + 1}" for k in range(6) if h < k + 1), "6+")


def gather(names, keys, ce):
    result = {}
    for name in names:
        chosen = [c for key, c in zip(keys, ce) if key == name]
        result[name] = {"tokens": len(chosen), "ce": math.fsum(chosen) / len(chosen) if chosen else None}
    return result


def main():
    network = model()
    length = LENGTH + 1
    training = skewed(TRAINING_SEQUENCES * length, 700)
    counts = numpy.bincount(training, minlength=VOCABULARY)
    targeted = counts.copy()
    targeted[list(IGNORED)] = 0
    frequency = frequency_names(targeted)
    ce, targets, domains, entropy, confidence, correct = [], [], [], [], [], []
    for index, (name, sequences) in enumerate(DOMAINS.items()):
        tokens = torch.from_numpy(skewed(sequences * length, 701 + index)).reshape(sequences, length)
        with torch.no_grad():
            logits = network(input_ids=tokens[:, :-1], use_cache=False).logits.reshape(-1, VOCABULARY)
        wanted = tokens[:, 1:].reshape(-1)
        log_p = torch.log_softmax(logits, -1)
        top = log_p.max(-1)
        for n in range(wanted.numel()):
            if int(wanted[n]) in IGNORED:
                continue
            ce.append(-log_p[n, wanted[n]].item())
            targets.append(int(wanted[n]))
            domains.append(name)
            entropy.append(-(log_p[n].exp() * log_p[n]).sum().item())
            confidence.append(top.values[n].exp().item())
            correct.append(float(top.indices[n] == wanted[n]))
    assert all(abs(h - round(h)) > MARGIN for h in entropy)
    assert all(abs(p * BINS - round(p * BINS)) > MARGIN for p in confidence)
    # Predictions of both kinds, or the calibration would be the mean confidence.
    assert 5 <= sum(correct) <= len(correct) - 5
    ce, confidence, correct = numpy.array(ce), numpy.array(confidence), numpy.array(correct)
    edges = numpy.linspace(0, 1, BINS + 1)
    error = 0.0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    by_domain = gather(DOMAINS, domains, ce)
    worst = max(by_domain, key=lambda name: by_domain[name]["ce"])
    total = math.fsum(ce)
    result = {
        "tokens": len(ce), "ce": total / len(ce), "perplexity": math.exp(total / len(ce)),
        "uniform_mean": sum(d["ce"] for d in by_domain.values()) / len(by_domain),
        "worst": {"name": worst, "ce": by_domain[worst]["ce"]}, "calibration_error": error,
        # An id below 256 is a byte here.
        "bits_per_byte": total / math.log(2) / len(ce), "domains": by_domain,
        "frequency": gather(["high", "medium", "low"], [frequency[t] for t in targets], ce),
        "entropy": gather([f"{k}-{k + 1}" for k in range(6)] + ["6+"], [entropy_name(h) for h in entropy], ce),
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden", "evaluation.json")
    with open(path, "w") as file:
        json.dump({"counts": counts.tolist(), "result": result}, file, indent=None, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
