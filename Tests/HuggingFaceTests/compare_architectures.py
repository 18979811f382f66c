#!/usr/bin/env python3
"""Compares the built program with transformers on scaled random models of published architectures.

    pip install torch transformers        (written for PyTorch 2.13 and transformers 5.24, CPU)
    python3 compare_architectures.py --program .build/release/mile-dist [MODEL ...]

Each model has every key of a published config.json; only sizes and the vocabulary are smaller. Weights are random. Rows of
tokens that are no printable ASCII are small, so that greedy tokens show as text. The vocabulary is that of bytes.

Per model:
* the directory is imported, as published and as transformers writes it; both give the same weights, and each its own
  files, where config.json differs in the type of the weights only;
* the export reloads into transformers with difference 0.0, in fp32, and as torch rounds in bf16 and fp16;
* CE of each token is within 1e-4;
* 200 greedy tokens are equal;
* loss and gradient norm of 20 optimizer steps are within 2e-5 and 1e-4 of their size;
* the trained model's export reloads with difference 0.0, and its CE is within 1e-4.

Exits with 1 if anything differs. --references-only makes the directories and references without the program.
"""

import argparse
import json
import math
import os
import re
import sys

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "references"))
import comparison  # noqa: E402

LENGTH, BATCH, STEPS = 48, 6, 20
GREEDY = 200
LEARNING_RATE, BETAS, EPSILON, DECAY, CLIP = 2e-3, (0.9, 0.95), 1e-8, 0.1, 1.0
WARMUP, MINIMUM_RATIO = 3, 0.1
PROMPT = "First Citizen: "
VOCABULARY = 257

LLAMA3 = {"high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
          "rope_type": "llama3"}
# The files as published. `scaled` replaces the sizes.
PUBLISHED = {
    "Llama-3.1-8B": {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": 128001, "hidden_act": "silu", "hidden_size": 4096,
        "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 131072, "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 8.0, **LLAMA3}, "rope_theta": 500000.0,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.43.0.dev0",
        "use_cache": True, "vocab_size": 128256},
    "Llama-3.2-1B": {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
        "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, **LLAMA3}, "rope_theta": 500000.0,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "use_cache": True, "vocab_size": 128256},
    "SmolLM2-135M": {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0,
        "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041666666666666664,
        "intermediate_size": 1536, "is_llama_config": True, "max_position_embeddings": 8192, "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None,
        "rope_theta": 100000, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.40.1",
        "use_cache": True, "vocab_size": 49152},
    "Mistral-7B-v0.3": {
        "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": None,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.42.0.dev0",
        "use_cache": True, "vocab_size": 32768},
    "Qwen2.5-0.5B": {
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
        "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2",
        "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers_version": "4.40.1", "use_cache": True, "use_mrope": False, "use_sliding_window": False,
        "vocab_size": 151936},
    "Qwen3-0.6B": {
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
        "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
        "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
        "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": True, "use_sliding_window": False, "vocab_size": 151936},
    "Mistral-7B-v0.1": {
        "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
        "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
        "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0", "use_cache": True, "vocab_size": 32000},
    "SmolLM3-3B": {
        "architectures": ["SmolLM3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": None, "eos_token_id": 128001, "hidden_act": "silu", "hidden_size": 2048,
        "initializer_range": 0.02, "intermediate_size": 11008, "layer_types": ["full_attention"] * 36,
        "max_position_embeddings": 65536, "max_window_layers": 28, "mlp_bias": False, "model_type": "smollm3",
        "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0] * 9, "num_attention_heads": 16,
        "num_hidden_layers": 36, "num_key_value_heads": 4, "pad_token_id": None, "pretraining_tp": 2,
        "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 5000000.0, "sliding_window": None,
        "torch_dtype": "bfloat16", "transformers_version": "4.54.0.dev0", "use_cache": False,
        "use_sliding_window": False, "vocab_size": 128256},
}
# hidden, ffn, layers, heads, key/value heads, head size where the file states one.
SCALED = {
    "Llama-3.1-8B": (64, 160, 2, 8, 2, None), "Llama-3.2-1B": (64, 160, 2, 8, 2, 16),
    "SmolLM2-135M": (72, 160, 3, 9, 3, None), "Mistral-7B-v0.3": (64, 160, 2, 8, 2, None),
    "Qwen2.5-0.5B": (56, 160, 2, 14, 2, None), "Qwen3-0.6B": (48, 160, 2, 6, 2, 16),
    "Mistral-7B-v0.1": (64, 160, 2, 8, 2, None), "SmolLM3-3B": (64, 160, 4, 8, 2, None),
}


def scaled(name):
    """The published file with smaller sizes."""
    hidden, intermediate, layers, heads, groups, head_size = SCALED[name]
    config = dict(PUBLISHED[name])
    config.update(hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
                  num_attention_heads=heads, num_key_value_heads=groups, vocab_size=VOCABULARY)
    if head_size is not None:
        config["head_dim"] = head_size
    for key in ("layer_types", "no_rope_layers"):
        if key in config:
            config[key] = config[key][:layers]
    return config


def random_model(directory, seed):
    """Weights for the config.json in `directory`, in fp32."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(directory), dtype=torch.float32)
    quiet = [token for token in range(VOCABULARY) if not 32 <= token < 127]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
            elif parameter.dim() == 1:
                parameter.normal_(1, 0.1)
            else:
                parameter.normal_(0, 1.2 / math.sqrt(parameter.shape[1]))
            if "embed_tokens" in name or "lm_head" in name:
                parameter[quiet] *= 0.01
    return model


def text_of(seed):
    """Printable text whose tokens, with the end token, are BATCH whole sequences."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(97, 123, (BATCH * LENGTH,), generator=generator)
    blanks = torch.rand(BATCH * LENGTH, generator=generator) < 0.15
    return bytes(torch.where(blanks, 32, letters).tolist())


def sequences_of(text):
    tokens = torch.tensor(list(text) + [256])
    return torch.stack([tokens[s * LENGTH:s * LENGTH + LENGTH + 1] for s in range(BATCH)])


def cross_entropy(model, sequences):
    logits = model(input_ids=sequences[:, :-1], use_cache=False).logits.reshape(-1, VOCABULARY)
    return F.cross_entropy(logits, sequences[:, 1:].reshape(-1), reduction="none"), logits


def greedy(model):
    """The most probable tokens, each from a pass over the whole sequence."""
    tokens = list(PROMPT.encode())
    for _ in range(GREEDY):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
        tokens.append(int(logits.argmax()))
    return tokens


def learning_rate(step):
    if step <= WARMUP:
        return LEARNING_RATE * step / WARMUP
    t = (step - 1 - WARMUP) / (STEPS - WARMUP)
    return LEARNING_RATE * (MINIMUM_RATIO + (1 - MINIMUM_RATIO) * (1 + math.cos(math.pi * t)) / 2)


def train(model, sequences):
    """Loss and norm of the gradient of each step, with the MiLe loss of gamma 1; trains the model."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": DECAY},
              {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON)
    steps = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        ce, logits = cross_entropy(model, sequences)
        log_p = torch.log_softmax(logits.detach(), -1)
        weight = 1 - (log_p.exp() * log_p).sum(-1)
        loss = (weight * ce).sum() / weight.sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.step()
        steps.append((loss.item(), norm.item()))
    return steps


class Comparison(comparison.Comparison):
    """The checks of one model."""

    def __init__(self, name, program, folder, references_only):
        super().__init__(name, program, folder)
        self.references_only = references_only

    def load(self, name):
        model, info = AutoModelForCausalLM.from_pretrained(
            self.path(name), dtype=torch.float32, output_loading_info=True)
        odd = [key for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info.get(key)]
        self.check(f"{name} loads without remarks about weights", not odd, str(odd) if odd else "")
        return model

    def content(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def kept(self, directory):
        """Names and bytes of the files beside the weights, with fp32 as the type of the weights."""
        files = {name: self.content(f"{directory}/{name}") for name in sorted(os.listdir(self.path(directory)))
                 if not name.endswith(".safetensors")}
        files["config.json"] = re.sub(rb'dtype": "\w+"', b'dtype": "float32"', files["config.json"])
        return files

    def difference(self, a, b):
        """The largest difference of two models' tensors, whose names must be equal."""
        a, b = a.state_dict(), b.state_dict()
        if a.keys() != b.keys():
            return math.inf
        return max(float((a[key].double() - b[key].double()).abs().max()) for key in a)

    def ce_of_program(self, checkpoint, number):
        self.run("eval", checkpoint, "--data", "text=text.txt", "--sequence-length", str(LENGTH), "--per-token",
                 f"tokens-{number}.jsonl")
        with open(self.path(f"tokens-{number}.jsonl")) as file:
            rows = [json.loads(line) for line in file]
        return torch.tensor([row["ce"] for row in rows], dtype=torch.float64), [row["token"] for row in rows]

    def compare_ce(self, what, checkpoint, number, model, sequences):
        found, tokens = self.ce_of_program(checkpoint, number)
        with torch.no_grad():
            expected, _ = cross_entropy(model, sequences)
        if tokens != sequences[:, 1:].reshape(-1).tolist():
            return self.check(f"{what}: CE", False, "other targets")
        worst = float((found - expected).abs().max())
        self.check(f"{what}: CE of each token", worst < 1e-4, f"{worst:.1e} of 1e-4, mean {float(expected.mean()):.3f}")

    def prepare(self):
        """The directory as published, and as transformers writes it; the text; the model in double precision."""
        os.makedirs(self.path("published"))
        with open(self.path("published/config.json"), "w") as file:
            json.dump(scaled(self.name), file, indent=2)
        self.model = random_model(self.path("published"), seed=len(self.name))
        tied = self.model.config.tie_word_embeddings
        tensors = {name: parameter.detach().contiguous() for name, parameter in self.model.named_parameters()
                   if not (tied and name == "lm_head.weight")}
        save_file(tensors, self.path("published/model.safetensors"), metadata={"format": "pt"})
        self.model.save_pretrained(self.path("newer"))
        text = text_of(seed=1)
        with open(self.path("text.txt"), "wb") as file:
            file.write(text)
        self.sequences = sequences_of(text)

    def references(self):
        """What transformers computes alone: the trajectory is sane, and greedy tokens are text."""
        model = self.model.double()
        tokens = greedy(model)
        steps = train(model, self.sequences)
        self.check("greedy tokens are printable", all(32 <= token < 127 for token in tokens))
        self.check("training reduces the loss", steps[-1][0] < steps[0][0], f"{steps[0][0]:.3f} to {steps[-1][0]:.3f}")
        return tokens, steps

    def all(self):
        self.prepare()
        original = self.load("published")
        self.check("the two forms hold the same weights", self.difference(original, self.load("newer")) == 0)
        if self.references_only:
            self.references()
            return
        printed = self.run("import", "published", "--output", "imported")
        self.run("import", "newer", "--output", "imported-newer")
        for form in ("", "-newer"):
            self.run("export", f"imported{form}", "--output", f"exported{form}")
        self.check("both forms give the same weights", self.content("exported/model.safetensors")
                   == self.content("exported-newer/model.safetensors"))
        for made, exported in (("published", "exported"), ("newer", "exported-newer")):
            # The directory has no tokenizer. Its export has the one of bytes.
            made, exported_files = self.kept(made), self.kept(exported)
            names = [*made, "tokenizer.json", "tokenizer_config.json"]
            self.check(f"files of {exported}", sorted(exported_files) == names
                       and all(exported_files[name] == made[name] for name in made), " ".join(exported_files))
        exported = self.load("exported")
        self.check("architecture", type(exported) is type(original), type(exported).__name__)
        self.check("exported weights", self.difference(original, exported) == 0, "difference 0.0")
        with torch.no_grad():
            worst = float((original(self.sequences).logits - exported(self.sequences).logits).abs().max())
        self.check("logits of the export in transformers", worst == 0, f"difference {worst}")
        for dtype, torch_dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
            self.run("export", "imported", "--output", f"exported-{dtype}", "--dtype", dtype)
            halves = load_file(self.path(f"exported-{dtype}/model.safetensors"))
            full = load_file(self.path("exported/model.safetensors"))
            equal = halves.keys() == full.keys() and all(
                halves[key].dtype == torch_dtype and torch.equal(halves[key], full[key].to(torch_dtype)) for key in full)
            self.check(f"export --dtype {dtype}", equal)

        double = self.load("published").double()
        self.compare_ce("imported", "imported", 1, double, self.sequences)
        tokens, steps = self.references()
        shown = self.run("generate", "imported", "--prompt", PROMPT, "--temperature", "0", "--max-tokens", str(GREEDY))
        expected = bytes(tokens).decode("ascii")
        # The program prints the prompt, the text, and a line feed.
        self.check(f"{GREEDY} greedy tokens", shown.rstrip("\n") == expected.rstrip("\n"),
                   "" if shown.rstrip("\n") == expected.rstrip("\n") else f"\n  {shown!r}\n  {expected!r}")
        self.train_program(printed, steps)

    def train_program(self, printed, steps):
        section = re.search(r"^model: \{.*?\}$", printed, re.MULTILINE | re.DOTALL)
        if section is None:
            return self.check("import prints the section model", False, printed)
        with open(self.path("run.yaml"), "w") as file:
            file.write(f"""{section.group(0)}
data:
  tokenizer: bytes
  train: [{{name: text, path: text.txt}}]
  sequence_length: {LENGTH}
optimizer: {{learning_rate: {LEARNING_RATE}, beta1: {BETAS[0]}, beta2: {BETAS[1]}, epsilon: {EPSILON},
            weight_decay: {DECAY}, gradient_clip: {CLIP}}}
schedule: {{kind: cosine, warmup_steps: {WARMUP}, total_steps: {STEPS}, minimum_ratio: {MINIMUM_RATIO}}}
training: {{global_batch_size: {BATCH}, micro_batch_size: 2, threads: 1}}
checkpoint: {{every: {STEPS}}}
logging: {{directory: run, every: 1}}
""")
        self.run("run.yaml", "--initialize-from", "imported")
        with open(self.path("run/metrics.jsonl")) as file:
            rows = [row for row in map(json.loads, file) if "grad_norm" in row]
        self.check("steps", [row["step"] for row in rows] == list(range(1, STEPS + 1)))
        for key, column, tolerance in (("loss", 0, 2e-5), ("grad_norm", 1, 1e-4)):
            worst = max(abs(row[key] / step[column] - 1) for row, step in zip(rows, steps))
            self.check(f"{key} of {STEPS} steps", worst < tolerance, f"{worst:.1e} of {tolerance:.0e}")
        self.run("export", "run/checkpoints", "--output", "trained")
        self.run("import", "trained", "--output", "again")
        self.run("export", "again", "--output", "trained-again")
        trained, again = self.load("trained"), self.load("trained-again")
        self.check("trained weights reload", self.difference(trained, again) == 0, "difference 0.0")
        self.compare_ce("trained", "run/checkpoints", 2, trained.double(), self.sequences)


def main():
    parser = argparse.ArgumentParser(description="Compares the program with transformers on scaled random models.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: all of {', '.join(PUBLISHED)}")
    comparison.add_options(parser)
    parser.add_argument("--references-only", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(PUBLISHED)
    if unknown:
        parser.error(f"no such models: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with comparison.working_folder(arguments.folder) as folder:
        return comparison.exit_status(
            Comparison(name, arguments.program, folder, arguments.references_only)
            for name in arguments.models or PUBLISHED)


if __name__ == "__main__":
    sys.exit(main())
