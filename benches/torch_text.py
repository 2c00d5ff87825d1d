#!/usr/bin/env python3
"""The same CPC on text in PyTorch, for comparison on the same machine within the same minute.

    python3 -m venv VENV && VENV/bin/pip install torch numpy        (several GB; only for measurements, never a dependency)
    VENV/bin/python torch_text.py step    [--hidden 512] [--embedding 256] [--batch 64] [--sparse] [--compile] [--threads 2]
    VENV/bin/python torch_text.py extract [--sentences 20000]

Both use this model: an embedding, a convolution over tokens (kernel 1), ReLU, the mean over the real tokens of a sentence, a GRU over
sentences, 3 linear heads with bias. Every position whose 3 futures lie in its window predicts, against all other sentences of the
batch. The optimizer is Adam. `--sparse` gives the embedding sparse gradients and SparseAdam, which is how `cpc` updates it; without it
Adam updates every row, which is what most users of PyTorch do. `--last` predicts from the last position only (CPC-NLP-PyTorch).
Tokens are random, with lengths and frequencies like those of verses of the King James Bible: 8 to 32 tokens, 25 on average, the r-th most
frequent with a share of (r + 2.7)^-1.25. This gives 2,600 distinct tokens in 576 sentences (the Bible has 1,900); benches/text.rs draws in
the same way. Prints the median over the steps as JSON: seconds per step, steps per second and sentences per second.
"""
import argparse, json, time
import torch, torch.nn as nn, torch.nn.functional as F


class Cpc(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.embedding = nn.Embedding(a.vocab, a.embedding, sparse=a.sparse)
        self.conv = nn.Conv1d(a.embedding, a.hidden, a.kernel, padding=a.kernel // 2)
        self.context = nn.GRU(a.hidden, a.context, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(a.context, a.hidden) for _ in range(a.steps_ahead))
        self.last = a.last

    def encode(self, ids, real):  # (S, L): tokens, and 1 for real ones
        x = self.embedding(ids) * real[:, :, None]
        x = F.relu(self.conv(x.transpose(1, 2)))  # (S, D, L)
        return (x * real[:, None]).sum(2) / real.sum(1, keepdim=True)

    def loss(self, ids, real, batch):
        z = self.encode(ids, real).view(batch, -1, self.conv.out_channels)
        B, W, D = z.shape
        K = len(self.heads)
        c = self.context(z)[0][:, : W - K]
        first = W - K - 1 if self.last else 0
        c = c[:, first:].reshape(-1, c.shape[2])
        at = (torch.arange(B)[:, None] * W + torch.arange(first, W - K)).reshape(-1)
        flat, total = z.reshape(B * W, D), 0.0
        for k, head in enumerate(self.heads, 1):
            total = total + F.cross_entropy(head(c) @ flat.t() / D**0.5, at + k)
        return total


def batch(a, sentences, generator):
    lengths = (8 + 40 * torch.rand(sentences, generator=generator)).long().clamp(max=32)
    share = (torch.arange(a.vocab) + 3.7) ** -1.25
    ids = torch.multinomial(share, sentences * 32, replacement=True, generator=generator).view(sentences, 32)
    real = (torch.arange(32) < lengths[:, None]).float()
    longest = int(lengths.max())
    return ids[:, :longest].contiguous(), real[:, :longest].contiguous()


def median(times):
    return sorted(times)[len(times) // 2]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=("step", "extract"))
    ap.add_argument("--vocab", type=int, default=20_000); ap.add_argument("--embedding", type=int, default=256)
    ap.add_argument("--hidden", type=int, default=512); ap.add_argument("--context", type=int, default=512)
    ap.add_argument("--kernel", type=int, default=1); ap.add_argument("--steps-ahead", type=int, default=3)
    ap.add_argument("--batch", type=int, default=64); ap.add_argument("--window", type=int, default=9)
    ap.add_argument("--sentences", type=int, default=20_000); ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--sparse", action="store_true"); ap.add_argument("--last", action="store_true")
    ap.add_argument("--compile", action="store_true"); ap.add_argument("-n", type=int, default=20)
    a = ap.parse_args()
    torch.manual_seed(0); torch.set_num_threads(a.threads)
    generator = torch.Generator().manual_seed(0)
    m = Cpc(a)
    times = []
    if a.what == "step":
        sentences = a.batch * a.window
        table, rest = list(m.embedding.parameters()), [p for n, p in m.named_parameters() if "embedding" not in n]
        opts = [torch.optim.Adam(rest + ([] if a.sparse else table), lr=2e-4)]
        if a.sparse:
            opts.append(torch.optim.SparseAdam(table, lr=2e-4))
        loss = torch.compile(m.loss, dynamic=False) if a.compile else m.loss
        batches = [batch(a, sentences, generator) for _ in range(a.n + 3)]
        for ids, real in batches:
            t = time.perf_counter()
            loss(ids, real, a.batch).backward()
            for opt in opts:
                opt.step(); opt.zero_grad()
            times.append(time.perf_counter() - t)
        times = times[3:]
    else:
        sentences = a.sentences
        parts = [batch(a, 512, generator) for _ in range(-(-sentences // 512))]
        sentences = 512 * len(parts)
        with torch.inference_mode():
            for _ in range(5):
                t = time.perf_counter()
                for ids, real in parts:
                    m.encode(ids, real)
                times.append(time.perf_counter() - t)
    s = median(times)
    print(json.dumps({**vars(a), "seconds": round(s, 4), "steps_per_second": round(1 / s, 2),
                      "sentences_per_second": round(sentences / s, 1), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
