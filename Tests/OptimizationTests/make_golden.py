#!/usr/bin/env python3
"""Writes Golden/adamw.json: twenty updates of torch.optim.AdamW, in double precision.

    pip install torch        (made with PyTorch 2.13, CPU)
    python3 make_golden.py

Parameters and gradients follow from `uniform`, which AdamWGoldenTests.swift repeats. Every fifth gradient is tiny, so
that epsilon decides its update. The case with a schedule clips with torch's clip_grad_norm_ and follows LambdaLR.
"""

import json
import math
import os

import torch

COUNT, STEPS = 37, 20
CASES = [
    {"name": "decay", "weight_decay": 0.1, "epsilon": 1e-8, "clip": 0.0, "warmup": 0, "scheduled": False},
    {"name": "no decay", "weight_decay": 0.0, "epsilon": 1e-8, "clip": 0.0, "warmup": 0, "scheduled": False},
    {"name": "large epsilon", "weight_decay": 0.1, "epsilon": 1e-2, "clip": 0.0, "warmup": 0, "scheduled": False},
    {"name": "clip and schedule", "weight_decay": 0.1, "epsilon": 1e-8, "clip": 1.0, "warmup": 5, "scheduled": True},
]
LEARNING_RATE, BETAS = 1e-2, (0.9, 0.95)


def uniform(count, stream):
    """`count` numbers in [-1, 1), multiples of 2^-23: the finaliser "lowbias32" of (index, stream)."""
    numbers = []
    for index in range(count):
        x = (index * 0x9E3779B9 + stream * 0x85EBCA6B + 0x1234567) & 0xFFFFFFFF
        x ^= x >> 16
        x = (x * 0x7FEB352D) & 0xFFFFFFFF
        x ^= x >> 15
        x = (x * 0x846CA68B) & 0xFFFFFFFF
        x ^= x >> 16
        numbers.append((x >> 8) / 2**23 - 1)
    return numbers


def gradient(step):
    """Between 2^-1 and 2^2 in size over the steps; every fifth element 2^-27 of that."""
    scale = 2.0 ** ((step * 7) % 4 - 1)
    return [scale * u * (2.0**-27 if i % 5 == 0 else 1) for i, u in enumerate(uniform(COUNT, step))]


def factor(case, step):
    """Learning rate of update `step`, from 1."""
    if not case["scheduled"]:
        return 1.0
    if step <= case["warmup"]:
        return step / case["warmup"]
    progress = (step - 1 - case["warmup"]) / (STEPS - case["warmup"])
    return (1 + math.cos(math.pi * progress)) / 2


def run(case):
    p = torch.nn.Parameter(torch.tensor(uniform(COUNT, 0), dtype=torch.float64))
    optimizer = torch.optim.AdamW(
        [p], lr=LEARNING_RATE, betas=BETAS, eps=case["epsilon"], weight_decay=case["weight_decay"], foreach=False)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: factor(case, done + 1))
    parameters, norms = [], []
    for step in range(1, STEPS + 1):
        p.grad = torch.tensor(gradient(step), dtype=torch.float64)
        norms.append(p.grad.norm().item())
        if case["clip"] > 0:
            torch.nn.utils.clip_grad_norm_([p], case["clip"])
        optimizer.step()
        schedule.step()
        if step in (1, 2, STEPS):
            parameters.append(p.detach().tolist())
    state = optimizer.state[p]
    return {**case, "norms": norms, "parameters": parameters, "first_moment": state["exp_avg"].tolist(),
            "second_moment": state["exp_avg_sq"].tolist()}


if __name__ == "__main__":
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "adamw.json"), "w") as file:
        json.dump({"learning_rate": LEARNING_RATE, "beta1": BETAS[0], "beta2": BETAS[1], "cases": [run(c) for c in CASES]},
                  file, separators=(",", ":"))
        file.write("\n")
