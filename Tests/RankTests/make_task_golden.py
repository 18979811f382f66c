#!/usr/bin/env python3
"""Writes Golden/tasks.json: what lm-evaluation-harness's definitions give on a few documents, for a model of transformers.

    pip install numpy torch transformers        (made with PyTorch 2.13 and transformers 5.23, CPU)
    python3 make_task_golden.py

The definitions are those of the harness, version 0.4.13 (lm_eval/api/model.py `_encode_pair` and `loglikelihood`,
lm_eval/models/huggingface.py `_loglikelihood_tokens`, lm_eval/api/task.py `process_results`, lm_eval/api/metrics.py),
written here a second time for one request after another, with a tokenizer whose ids are bytes, 256 the end token, no BOS.
Weights follow from `uniform`, as in make_golden.py. Everything runs in double precision except what transformers itself
does in single precision.

The file holds the documents as lines of a task file, and of each its log-likelihoods and judgements.
"""

import json
import math
import os

import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from make_golden import initial, integers, table_order

MAX_LENGTH, END = 40, 256
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 257, "max_position_embeddings": MAX_LENGTH, "rms_norm_eps": 1e-5}
# What is closer than this could be decided otherwise in single precision.
MARGIN = 1e-3

CHOICES = [
    {"context": "The cat sat", "choices": ["on the mat.", "in a long, long and winding sentence.", "up"], "label": 0},
    {"context": "Question: why?\nAnswer:", "choices": ["no", "yes"], "label": 1},
    {"context": "Blanks at the end \n ", "choices": ["go", "with the choice"], "label": 1},
    {"context": "Letters of two bytes:", "choices": ["\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc", "au", "or"],
     "label": 0},
    {"context": "Letters of three and four bytes:", "choices": ["\u4e2d\u6587", "\U0001f600 x", "plain text"], "label": 2},
    {"context": "A tie goes to the first", "choices": ["of two", "of two"], "label": 0},
    {"context": "A tie goes to the first", "choices": ["of two", "of two"], "label": 1},
    {"context": "", "choices": ["Nothing before.", "Nothing at all before this."], "label": 1},
    {"context": "This context is much longer than the positions that the model has, so that its start is lost.",
     "choices": ["short", "a longer choice"], "label": 0},
    {"context": "No delim", "choices": ["iter", "eter", "s"], "label": 2, "delimiter": ""},
    {"context": "Exactly as long as fits", "choices": ["sixteen bytes..", "forty bytes are all the positions: no!"],
     "label": 1},
]
CONTEXTS = [
    {"contexts": ["The trophy", "The suitcase"], "completion": " was too small.", "label": 1},
    {"contexts": ["Ann ", "Joan"], "completion": " had the key.", "label": 0},
    {"contexts": ["", "An empty context beside"], "completion": " one that is not.", "label": 0},
    {"contexts": ["Far too long a context for the positions there are here", "short"], "completion": " end", "label": 1},
]
LAST = [
    {"context": "She opened the", "completion": " door"},
    {"context": "", "completion": "word"},
    {"context": "A context of more tokens than the model has positions for, which happens", "completion": " often"},
]
# Last words that greedy decoding gives, found by trying contexts.
GREEDY = 3


def network():
    config = LlamaConfig(
        **SIZES, attention_bias=False, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, attn_implementation="sdpa")
    model = LlamaForCausalLM(config).double().eval()
    tensors = sorted(model.named_parameters(), key=lambda tensor: table_order(tensor[0]))
    with torch.no_grad():
        for stream, (name, parameter) in enumerate(tensors):
            parameter.copy_(initial(name, parameter, stream))
    return model


MODEL = network()


def tok_encode(text):
    return list(text.encode("utf-8"))


def encode_pair(context, continuation):
    n_spaces = len(context) - len(context.rstrip())
    if n_spaces > 0:
        continuation = context[-n_spaces:] + continuation
        context = context[:-n_spaces]
    whole_enc = tok_encode(context + continuation)
    context_enc = tok_encode(context)
    return context_enc, whole_enc[len(context_enc):]


def log_probabilities(tokens):
    with torch.no_grad():
        return torch.log_softmax(MODEL(input_ids=torch.tensor([tokens]), use_cache=False).logits[0], -1)


def loglikelihood(context, continuation):
    if context == "":
        context_enc, continuation_enc = [END], tok_encode(continuation)
    else:
        context_enc, continuation_enc = encode_pair(context, continuation)
    assert 0 < len(continuation_enc) <= MAX_LENGTH
    inp = (context_enc + continuation_enc)[-(MAX_LENGTH + 1):][:-1]
    logits = log_probabilities(inp)[-len(continuation_enc):]
    wanted = torch.tensor(continuation_enc)
    top = logits.topk(2, -1)
    found = top.indices[:, 0] == wanted
    # The first token that is not the likeliest decides, and it must be clear that it does.
    assert ((top.values[:, 0] - top.values[:, 1]) > MARGIN)[: int(found.long().cumprod(0).sum()) + 1].all()
    truncated = len(context_enc) + len(continuation_enc) > MAX_LENGTH + 1
    return logits.gather(1, wanted[:, None]).sum().item(), bool(found.all()), truncated


def argmax(values):
    order = numpy.sort(values)
    assert order[-1] == order[-2] or order[-1] - order[-2] > MARGIN
    return int(numpy.argmax(values))


def process(document):
    """`ll`, `acc` and the like of a document."""
    if "choices" in document:
        delimiter = document.get("delimiter", " ")
        pairs = [(document["context"], delimiter + choice) for choice in document["choices"]]
    elif "contexts" in document:
        pairs = [(context, document["completion"]) for context in document["contexts"]]
    else:
        pairs = [(document["context"], document["completion"])]
    results = [loglikelihood(*pair) for pair in pairs]
    lls = numpy.array([ll for ll, _, _ in results])
    result = {"ll": lls.tolist(), "truncated": any(truncated for _, _, truncated in results)}
    if "choices" in document:
        completion_len = numpy.array([float(len(choice)) for choice in document["choices"]])
        byte_length = numpy.array([float(len(choice.encode("utf-8"))) for choice in document["choices"]])
        result["acc"] = int(argmax(lls) == document["label"])
        result["acc_norm"] = int(argmax(lls / completion_len) == document["label"])
        result["acc_bytes"] = int(argmax(lls / byte_length) == document["label"])
    elif "contexts" in document:
        result["acc"] = int(argmax(lls) == document["label"])
    else:
        result["acc"] = int(results[0][1])
    return result


def mean(items):
    return sum(items) / len(items)


def mean_stderr(items):
    mu = mean(items)
    return math.sqrt(sum((x - mu) ** 2 for x in items) / (len(items) - 1)) / math.sqrt(len(items))


def aggregate(task, results):
    numbers = {"documents": len(results), "truncated": sum(r["truncated"] for r in results)}
    for metric in ["acc", "acc_norm", "acc_bytes"]:
        if metric in results[0]:
            numbers[metric] = mean([r[metric] for r in results])
            numbers[metric + "_stderr"] = mean_stderr([r[metric] for r in results])
    if task == "last":
        lls = [r["ll"][0] for r in results]
        numbers["perplexity"] = math.exp(-mean(lls))
        # The delta method, where the harness draws bootstrap samples.
        numbers["perplexity_stderr"] = numbers["perplexity"] * mean_stderr(lls)
    return numbers


def greedy_documents():
    """Contexts of lower-case letters behind which greedy decoding writes two printable characters, clearly."""
    found, candidate = [], 0
    while len(found) < GREEDY:
        letters = integers(6 + candidate % 9, 800 + candidate, 26)
        context = "".join(chr(97 + int(letter)) for letter in letters)
        candidate += 1
        tokens, clear = tok_encode(context), True
        for _ in range(2):
            top = log_probabilities(tokens)[-1].topk(2)
            clear = clear and 32 < int(top.indices[0]) < 127 and (top.values[0] - top.values[1]).item() > 10 * MARGIN
            tokens.append(int(top.indices[0]))
        if clear:
            found.append({"context": context, "completion": "".join(map(chr, tokens[-2:]))})
    return found


if __name__ == "__main__":
    tasks = {"choice": CHOICES, "partial": CONTEXTS, "last": LAST + greedy_documents()}
    lines, results, totals = [], [], {}
    for task, documents in tasks.items():
        own = [process(document) for document in documents]
        lines += [json.dumps({"task": task, **document}) for document in documents]
        results += own
        totals[task] = aggregate(task, own)
    judged = [r for r in results if "acc_norm" in r]
    # Each pair of metrics differs somewhere, or a mistake in one of them could not show.
    assert any(r["acc"] != r["acc_norm"] for r in judged) and any(r["acc_norm"] != r["acc_bytes"] for r in judged)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden", "tasks.json")
    with open(path, "w") as file:
        json.dump({"lines": lines, "results": results, "totals": totals}, file, indent=None, separators=(",", ":"))
        file.write("\n")
