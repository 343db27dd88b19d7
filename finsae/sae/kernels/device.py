"""What runs on the GPU: the kernels, in Triton's language. The other modules here launch them.

A kernel sees addresses and sizes, in the order of its parameters, and what is known when it is
compiled, in capitals.
"""

import triton
import triton.language as tl


@triton.jit
def _sizes(pre, number, n, SIGNED: tl.constexpr):
    """Give float32 sizes; NaN counts as the largest, as in `torch.topk`."""
    size = tl.load(pre + number, mask=number < n, other=0.0).to(tl.float32)
    if SIGNED:
        size = tl.abs(size)
    size = tl.where(size != size, float("inf"), size)
    return tl.where(number < n, size, float("-inf"))


@triton.jit
def _one_by_one(pre, out, n, WIDTH: tl.constexpr, LANES: tl.constexpr, SIGNED: tl.constexpr):
    """Write the `WIDTH` largest, of equal ones the first; -1 where there are no more."""
    lanes = tl.arange(0, LANES)
    bound = tl.full((), float("inf"), tl.float32)
    at = tl.full((), -1, tl.int32)
    for slot in range(WIDTH):
        best = tl.full([LANES], float("-inf"), tl.float32)
        which = tl.full([LANES], 0, tl.int32) + n
        for start in range(0, n, LANES):
            number = start + lanes
            size = _sizes(pre, number, n, SIGNED)
            left = (size < bound) | ((size == bound) & (number > at))
            better = left & (size > best)
            best = tl.where(better, size, best)
            which = tl.where(better, number, which)
        bound = tl.max(best, 0)
        at = tl.min(tl.where(best == bound, which, n), 0)
        tl.store(out + slot, tl.where(at < n, at, -1))


@triton.jit
def _kth_largest(values, k, PLACES: tl.constexpr):
    """Search for the k-th largest value, bit by bit; with fewer than 32 `PLACES`, no more than it.

    The bits of floats are in the order of the floats once those of negative ones are turned over.
    """
    bits = values.to(tl.int32, bitcast=True)
    key = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.uint32, bitcast=True) ^ 0x80000000
    bar = tl.full((), 0, tl.uint32)
    one = tl.full((), 1, tl.uint32)
    for place in range(PLACES):
        trial = bar | (one << (31 - place))
        bar = tl.where(tl.sum((key >= trial).to(tl.int32), 0) >= k, trial, bar)
    return tl.min(tl.where(key >= bar, values, float("inf")), 0)


@triton.jit
def select(
    pre, out, n, k, tolerance,
    WIDTH: tl.constexpr, LANES: tl.constexpr, PLACES: tl.constexpr, SIGNED: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    pre += row * n
    out += row * WIDTH
    lanes = tl.arange(0, LANES)
    best = tl.full([LANES], float("-inf"), tl.float32)
    for start in range(0, n, LANES):
        best = tl.maximum(best, _sizes(pre, start + lanes, n, SIGNED))
    bar = _kth_largest(best, k, PLACES)
    bar = tl.where(tl.abs(bar) == float("inf"), bar, bar - tolerance * tl.abs(bar))
    count = tl.full((), 0, tl.int32)
    for start in range(0, n, LANES):
        number = start + lanes
        passes = (_sizes(pre, number, n, SIGNED) >= bar) & (number < n)
        at = count + tl.cumsum(passes.to(tl.int32), 0) - 1
        tl.store(out + at, number, mask=passes & (at < WIDTH))
        count += tl.sum(passes.to(tl.int32), 0)
    if count > WIDTH:
        _one_by_one(pre, out, n, WIDTH, LANES, SIGNED)
    else:
        slots = tl.arange(0, WIDTH)
        tl.store(out + slots, tl.full([WIDTH], -1, tl.int32), mask=slots >= count)


@triton.jit
def sums(
    weights, members, order, starts, rows, target, out, squares, width,
    ACC: tl.constexpr, ORDERED: tl.constexpr, FITS: tl.constexpr,
    COLUMNS: tl.constexpr, ENTRIES: tl.constexpr,
):  # fmt: skip
    owner = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < width
    last = tl.load(starts + owner + 1)
    total = tl.zeros([COLUMNS], ACC)
    for start in range(tl.load(starts + owner), last, ENTRIES):
        entry = start + tl.arange(0, ENTRIES)
        live = entry < last
        member = tl.load(members + entry, mask=live, other=0).to(tl.int64)
        if ORDERED:
            entry = tl.load(order + entry, mask=live, other=0).to(tl.int64)
        weight = tl.load(weights + entry, mask=live, other=0.0).to(ACC)
        block = tl.load(
            rows + member[:, None] * width + column[None, :],
            mask=live[:, None] & inside[None, :],
            other=0.0,
        ).to(ACC)
        total += tl.sum(weight[:, None] * block, 0)
    if FITS:
        total -= tl.load(target + owner * width + column, mask=inside, other=0.0).to(ACC)
        tl.store(squares + owner * tl.num_programs(1) + tl.program_id(1), tl.sum(total * total, 0))
    tl.store(out + owner * width + column, total, mask=inside)


@triton.jit
def dots(
    left, rows, tokens, latents, out, entries, width,
    ACC: tl.constexpr, COLUMNS: tl.constexpr, ENTRIES: tl.constexpr,
):  # fmt: skip
    entry = tl.program_id(0).to(tl.int64) * ENTRIES + tl.arange(0, ENTRIES)
    mask = entry < entries
    latent = tl.load(latents + entry, mask=mask, other=-1).to(tl.int64)
    live = latent >= 0
    token = tl.load(tokens + entry, mask=mask, other=0).to(tl.int64)
    total = tl.zeros([ENTRIES], ACC)
    for start in range(0, width, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        inside = live[:, None] & (column < width)[None, :]
        one = tl.load(left + token[:, None] * width + column[None, :], mask=inside, other=0.0)
        other = tl.load(rows + latent[:, None] * width + column[None, :], mask=inside, other=0.0)
        total += tl.sum(one.to(ACC) * other.to(ACC), 1)
    tl.store(out + entry, tl.where(live, total, float("-inf")), mask=mask)


@triton.jit
def adam(
    weight, gradient, mean, square, rounded, rates, width,
    BETA1: tl.constexpr, BETA2: tl.constexpr, EPSILON: tl.constexpr, TINY: tl.constexpr,
    UNIT: tl.constexpr, ROUND: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    column = tl.arange(0, COLUMNS)
    at = tl.program_id(0).to(tl.int64) * width + column
    inside = column < width
    w = tl.load(weight + at, mask=inside, other=0.0)
    g = tl.load(gradient + at, mask=inside, other=0.0)
    if UNIT:
        g -= tl.sum(g * w, 0) * w
    m = tl.load(mean + at, mask=inside, other=0.0)
    v = tl.load(square + at, mask=inside, other=0.0)
    m += (g - m) * (1 - BETA1)
    v = v * BETA2 + (1 - BETA2) * g * g
    w -= tl.load(rates) * m / (tl.sqrt(v) * tl.load(rates + 1) + EPSILON)
    if UNIT:
        w = w / tl.maximum(tl.sqrt(tl.sum(w * w, 0)), TINY)
    tl.store(weight + at, w, mask=inside)
    tl.store(mean + at, m, mask=inside)
    tl.store(square + at, v, mask=inside)
    if ROUND:
        tl.store(rounded + at, w.to(rounded.dtype.element_ty), mask=inside)
