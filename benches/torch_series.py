#!/usr/bin/env python3
"""The preset ecg-cpc in PyTorch, to measure against on the same machine in the same minute.

    python3 -m venv VENV && VENV/bin/pip install torch numpy        (several GB; only for measuring, never a dependency)
    VENV/bin/python torch_series.py [--batch 64] [--window 600] [--how eager|compiled] [--threads 2]

Four convolutions of 512 channels (kernels 3 1 1 1, strides 2 1 1 1) with batch norm and ReLU over 12 channels, four S4D layers of 512 with state 8
(as in the authors' minimal example: a kernel by broadcast exponentials, a convolution by FFT, GELU, GLU, a residual, layer norm), 14 linear heads,
128 negatives a position from the same sequence, Adam 3e-3. Scores are one matrix product a step and sequence, from which the negatives are picked.
Prints the median seconds of a training step as JSON.
"""
import argparse, json, math, time
import torch, torch.nn as nn, torch.nn.functional as F


class S4d(nn.Module):
    def __init__(self, hidden, state):
        super().__init__()
        self.log_dt = nn.Parameter(torch.rand(hidden) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        self.log_a = nn.Parameter(torch.log(0.5 * torch.ones(hidden, state // 2)))
        self.imag = nn.Parameter(math.pi * torch.arange(state // 2).repeat(hidden, 1).float())
        self.c = nn.Parameter(torch.randn(hidden, state // 2, 2) * 0.5**0.5)
        self.d = nn.Parameter(torch.randn(hidden))
        self.out = nn.Linear(hidden, 2 * hidden)
        self.norm = nn.LayerNorm(hidden)

    def kernel(self, length):
        a = torch.complex(-self.log_a.exp(), self.imag)
        dta = a * self.log_dt.exp()[:, None]
        c = torch.view_as_complex(self.c) * (dta.exp() - 1) / a
        return 2 * torch.einsum("hn,hnl->hl", c, torch.exp(dta[..., None] * torch.arange(length))).real

    def forward(self, x):
        u, n = x.transpose(1, 2), x.shape[1]
        k = torch.fft.rfft(self.kernel(n), n=2 * n)
        y = torch.fft.irfft(k * torch.fft.rfft(u, n=2 * n), n=2 * n)[..., :n] + u * self.d[:, None]
        return self.norm(x + F.glu(self.out(F.gelu(y.transpose(1, 2))), dim=-1))


class Cpc(nn.Module):
    def __init__(self, channels=12, hidden=512, steps=14, negatives=128):
        super().__init__()
        spec = [(channels, 3, 2, 1)] + 3 * [(hidden, 1, 1, 0)]
        self.encoder = nn.Sequential(*(
            nn.Sequential(nn.Conv1d(i, hidden, k, stride=s, padding=p), nn.BatchNorm1d(hidden), nn.ReLU()) for i, k, s, p in spec))
        self.inputs = nn.Linear(hidden, hidden)
        self.context = nn.Sequential(*(S4d(hidden, 8) for _ in range(4)))
        self.heads = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(steps))
        self.steps, self.negatives = steps, negatives

    def loss(self, x, negatives):
        z = self.encoder(x).transpose(1, 2)
        c = self.context(self.inputs(z))
        B, T, D = z.shape
        W = T - self.steps
        at, total = torch.arange(W).expand(B, W), 0.0
        for k, head in enumerate(self.heads, 1):
            scores = head(c[:, :W]) @ z.transpose(1, 2) / math.sqrt(D)
            logits = torch.cat((scores.gather(2, (at + k)[..., None]), scores.gather(2, negatives)), 2)
            total = total + F.cross_entropy(logits.flatten(0, 1), torch.zeros(B * W, dtype=torch.long))
        return total


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--batch", type=int, default=64); ap.add_argument("--window", type=int, default=600)
    ap.add_argument("--how", choices=("eager", "compiled"), default="compiled"); ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("-n", type=int, default=5)
    a = ap.parse_args()
    torch.manual_seed(0); torch.set_num_threads(a.threads)
    m, x = Cpc(), torch.randn(a.batch, 12, a.window)
    opt = torch.optim.Adam(m.parameters(), lr=3e-3)
    loss = torch.compile(m.loss) if a.how == "compiled" else m.loss
    frames = a.window // 2
    times = []
    for i in range(a.n + 2):
        t = time.perf_counter()
        negatives = torch.randint(0, frames, (a.batch, frames - m.steps, m.negatives))
        loss(x, negatives).backward()
        opt.step(); opt.zero_grad()
        times.append(time.perf_counter() - t)
    print(json.dumps({**vars(a), "seconds": round(sorted(times[2:])[a.n // 2], 4), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
