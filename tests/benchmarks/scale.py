"""What a large job costs: unit costs measured on one thread here, and what follows from them.

    python tests/benchmarks/scale.py

writes reports/scale.md: 220,000 filings of 10,000 tokens through a model of 8 billion parameters,
an autoencoder trained on 1e9 tokens, 1e7 pairs. CPU seconds of one thread, two rounds.
"""

import gc
import os
import platform
import tempfile
import time
from pathlib import Path
from string import Template

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from layouts import Writer, html_report
from pairs import processor, universe
from scipy import sparse

import finsae
from finsae.embed.transformer import Transformer
from finsae.features import Features, TokenCodes, pool
from finsae.pairs.cointegration import all_pairs, engle_granger
from finsae.sae import TopK, Training, load
from finsae.sources.edgar import extract_business

ROUNDS = 2
REPORT = Path(__file__).resolve().parents[2] / "reports" / "scale.md"
TEMPLATE = Path(__file__).with_name("scale_template.md")

FILINGS, LENGTH, YEARS = 220_000, 10_000, 16
TOKENS = FILINGS * LENGTH
# A decoder of Llama 3's shape: 32 blocks, width 4,096.
PARAMETERS, BLOCKS, WIDTH, WINDOW, OVERLAP = 8.0e9, 32, 4_096, 4_096, 512
LATENTS, K, SAE_TOKENS, BATCH = 65_536, 64, 1e9, 8_192
PAIRS = 1e7
# NVIDIA's data sheets: dense bf16 in FLOP/s, memory in bytes/s.
CARDS = {"H100 SXM": (989e12, 3.35e12), "A100 80 GB SXM": (312e12, 2.04e12), "L4": (121e12, 0.3e12)}
SHARE = 0.4  # of the peak, assumed
DISK = 3e9  # bytes/s of one NVMe disk, assumed
PAGE_BYTES = 1.5e6  # of a 10-K's main document, assumed


def timed(work):
    gc.collect()
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def matmul(size=2_048):
    """FLOP/s of this thread in a product of matrices, float32."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    return 2 * 4 * size**3 / timed(lambda: [torch.mm(a, b) for _ in range(4)])[1]


def reading(texts, layer=5):
    """Tokens a second, FLOP/s, and what was read."""
    model = Transformer("minilm", device="cpu")
    model.fit(texts)
    net = model._network.net
    of_blocks = sum(p.numel() for p in net.encoder.layer[:layer].parameters())
    list(model.tokens(texts[:1], [layer]))
    found, seconds = timed(lambda: list(model.tokens(texts, [layer])))
    kept = sum(len(states) for _, states, _ in found)
    pieces = model._windows([len(ids) for ids, _ in model._network.encode(texts)])
    run = sum(piece.stop - piece.start for piece in pieces)
    rows = np.concatenate([states[:, 0] for _, states, _ in sorted(found, key=lambda f: f[0])])
    spans = np.concatenate([s for _, _, s in sorted(found, key=lambda f: f[0])])
    ends = np.cumsum([0, *(len(states) for _, states, _ in sorted(found, key=lambda f: f[0]))])
    return kept / seconds, 2 * of_blocks * run / seconds, (rows, ends, spans)


def training(rows, latents, steps=12, k=32):
    """Tokens a second of training, and its FLOP/s, from the difference of a long and a short run.

    Counted are the encoder's product forward, 2 d n, and the products with k rows: decoding and the
    gradients of code, decoder and encoder, 8 d k.
    """
    width, batch = rows.shape[1], 4_096
    data = np.ascontiguousarray(np.resize(rows, (batch, width)))

    def run(epochs):
        schedule = Training(epochs=epochs, batch=batch)
        return timed(lambda: TopK(latents, k, training=schedule, device="cpu").fit(data))[1]

    run(2)
    seconds = (run(2 + steps) - run(2)) / steps
    flops = 2 * width * latents + 8 * width * k
    return batch / seconds, flops * batch / seconds


def encoding(rows):
    """Tokens a second through the shipped autoencoder, and the codes."""
    coder = load("demo")
    coder.encode(rows[:1_000])
    codes, seconds = timed(lambda: coder.encode(rows))
    return len(rows) / seconds, codes


def pooling(codes, ends, spans):
    """Tokens a second pooled to companies, and stored bytes a feature that a company has."""
    held = TokenCodes.of(sparse.csr_array(codes), ends, spans)
    matrix, seconds = timed(lambda: pool(held, codes.shape[1]))
    companies = finsae.sample().companies.iloc[: matrix.shape[0]]
    made = Features.build(matrix, companies, [str(n) for n in range(matrix.shape[1])])
    with tempfile.TemporaryDirectory() as folder:
        made.save(folder)
        size = (Path(folder) / "features.npz").stat().st_size
    return codes.shape[0] / seconds, matrix.nnz / matrix.shape[0], size / matrix.nnz


def cutting():
    """Bytes a second of Item 1 cut out of HTML."""
    reports = [html_report(Writer(seed)) for seed in range(30)]
    _, seconds = timed(lambda: [extract_business(report, "10-K") for report in reports])
    return sum(map(len, reports)) / seconds


def testing():
    """Seconds a pair, given pairs and every ordered pair of a universe, lags by AIC."""
    logs = universe(400)
    y, x = np.triu_indices(60, 1)
    given = timed(lambda: engle_granger(logs[:, y], logs[:, x]))[1] / len(y)
    return given, timed(lambda: all_pairs(logs))[1] / (400 * 399)


def measured():
    """One round of everything."""
    descriptions = finsae.sample().companies["description"].tolist()
    texts = [" ".join(descriptions[n : n + 20]) for n in range(0, 60, 20)]  # of some 3,000 tokens
    found = {"matmul": matmul()}
    found["read"], found["read_flops"], (rows, ends, spans) = reading(texts)
    rows32 = rows.astype(np.float32)
    found["train"], found["train_flops"] = training(rows32, 8_192)
    found["train_wide"], found["train_wide_flops"] = training(rows32, 32_768, steps=4)
    found["encode"], codes = encoding(rows)
    found["pool"], found["active"], found["bytes"] = pooling(codes, ends, spans)
    found["cut"] = cutting()
    found["pair"], found["every_pair"] = testing()
    return found


def hours(seconds):
    return seconds / 3_600


def per_token(layer):
    """FLOP a token through the blocks up to a layer: weights, and attention over half a window."""
    share = layer / BLOCKS
    return share * (2 * PARAMETERS + 4 * WIDTH * BLOCKS * WINDOW / 2)


def forward(layer, tokens, peak):
    """GPU hours; windows overlap, so that some tokens are read twice."""
    twice = WINDOW / (WINDOW - OVERLAP)
    return hours(per_token(layer) * tokens * twice / (SHARE * peak))


def sae_hours(peak, memory):
    """GPU hours of 1e9 tokens: the encoder's product, and Adam over all weights each step."""
    product = SAE_TOKENS * (2 * WIDTH * LATENTS + 8 * WIDTH * K) / (SHARE * peak)
    weights = 2 * WIDTH * LATENTS
    adam = SAE_TOKENS / BATCH * weights * 28 / (0.7 * memory)  # reads w, g, m, v; writes w, m, v
    return hours(product), hours(adam)


def values(rounds):
    """All numbers of the report by name."""
    one = {name: [each[name] for each in rounds] for name in rounds[0]}
    best = {name: max(found) for name, found in one.items()}
    best |= {name: min(one[name]) for name in ("pair", "every_pair")}

    def both(name, scale=1.0, digits=0):
        return " / ".join(f"{found * scale:,.{digits}f}" for found in one[name])

    pooled = FILINGS * LATENTS * best["bytes"]
    peak, _ = CARDS["H100 SXM"]
    deep, half = per_token(BLOCKS), per_token(BLOCKS // 2)
    cards = []
    for name, (flops, memory) in CARDS.items():
        product, adam = sae_hours(flops, memory)
        cards.append(
            f"| {name} | {flops / 1e12:,.0f} | {forward(BLOCKS, TOKENS, flops):,.0f} | "
            f"{forward(BLOCKS // 2, TOKENS, flops):,.0f} | {product + adam:.1f} "
            f"({product:.1f} + {adam:.1f}) | {forward(BLOCKS // 2, SAE_TOKENS, flops):,.1f} |"
        )
    hour = SHARE * peak * 3_600
    twice = WINDOW / (WINDOW - OVERLAP)
    return {
        "machine": f"{processor()}, Python {platform.python_version()}, torch {torch.__version__}",
        "date": time.strftime("%Y-%m-%d"),
        "load": f"{os.getloadavg()[0]:.0f}",
        "matmul": both("matmul", 1e-9),
        "read": both("read"),
        "read_flops": both("read_flops", 1e-9),
        "read_share": f"{best['read_flops'] / best['matmul']:.0%}",
        "train": both("train"),
        "train_flops": both("train_flops", 1e-9),
        "train_share": f"{best['train_flops'] / best['matmul']:.0%}",
        "train_wide": both("train_wide"),
        "train_wide_flops": both("train_wide_flops", 1e-9),
        "train_wide_share": f"{best['train_wide_flops'] / best['matmul']:.0%}",
        "encode": both("encode"),
        "pool": both("pool", 1e-6, 2),
        "active": f"{best['active']:,.0f}",
        "bytes": f"{best['bytes']:.1f}",
        "cut": both("cut", 1e-6, 1),
        "pair": both("pair", 1e6, 1),
        "every_pair": both("every_pair", 1e6, 1),
        "tokens": f"{TOKENS / 1e9:.1f}",
        "deep": f"{deep / 1e9:.1f}",
        "half": f"{half / 1e9:.1f}",
        "twice": f"{twice:.2f}",
        "cards": "\n".join(cards),
        "share": f"{SHARE:.0%}",
        "cpu_years": f"{deep * TOKENS * twice / best['matmul'] / 86_400 / 365:,.0f}",
        "dense_tb": f"{TOKENS * WIDTH * 2 / 1e12:.0f}",
        "disk_hours": f"{hours(TOKENS * WIDTH * 2 / DISK):.1f}",
        "sae_tb": f"{SAE_TOKENS * WIDTH * 2 / 1e12:.1f}",
        "sae_disk": f"{hours(SAE_TOKENS * WIDTH * 2 / DISK):.1f}",
        "sae_again": f"{forward(BLOCKS // 2, SAE_TOKENS, peak):.1f}",
        "codes_tb": f"{TOKENS * K * 6 / 1e12:.2f}",
        "pooled_gb": f"{pooled / 1e9:.1f}",
        "weights_gb": f"{2 * WIDTH * LATENTS * 16 / 1e9:.0f}",
        "hour_tokens": f"{hour / (half * twice) / 1e6:,.0f}",
        "hour_filings": f"{hour / (half * twice) / LENGTH:,.0f}",
        "hour_sae": f"{SAE_TOKENS / sum(sae_hours(*CARDS['H100 SXM'])) / 1e9:.1f}",
        "pair_hours": f"{hours(PAIRS * best['pair']):.2f}",
        "every_hours": f"{hours(PAIRS * best['every_pair']):.2f}",
        "fetch_hours": f"{hours(2 * FILINGS / 10):.0f}",
        "raw_gb": f"{FILINGS * PAGE_BYTES / 1e9:,.0f}",
        "cut_hours": f"{hours(FILINGS * PAGE_BYTES / best['cut']):,.0f}",
        "mini_hours": f"{hours(TOKENS / best['read']):,.0f}",
        "mini_encode": f"{hours(TOKENS / best['encode']):,.0f}",
        "similar_gb": f"{(FILINGS / YEARS) ** 2 * 4 / 1e9:.1f}",
        "firms": f"{FILINGS / YEARS:,.0f}",
    }


def main():
    torch.set_num_threads(1)
    found = values([measured() for _ in range(ROUNDS)])
    REPORT.write_text(Template(TEMPLATE.read_text()).substitute(found))
    print(REPORT.read_text())


if __name__ == "__main__":
    main()
