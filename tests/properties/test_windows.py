"""Windows cover every token once, with as much around it as there is; batches keep their budget."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from finsae.embed.windows import Window, batches, windows


@st.composite
def shapes(draw):
    size = draw(st.integers(1, 40))
    return draw(st.integers(0, 300)), size, draw(st.integers(0, size // 2 if size > 1 else 0))


@given(shapes())
def test_windows_keep_each_token_once_from_the_best_window(shape):
    tokens, size, overlap = shape
    pieces = windows(7, tokens, size=size, overlap=overlap)
    assert [token for p in pieces for token in range(p.first, p.last)] == list(range(tokens))
    for piece in pieces:
        assert piece.text == 7 and piece.stop - piece.start == min(size, tokens)
        assert 0 <= piece.start <= piece.first < piece.last <= piece.stop <= tokens
    for earlier, later in pairwise(pieces):
        assert earlier.stop - later.start >= overlap

    def context(piece, token):
        left = token - piece.start if piece.start else tokens
        right = piece.stop - 1 - token if piece.stop < tokens else tokens
        return min(left, right)

    for piece in pieces:
        for token in range(piece.first, piece.last):
            showing = [other for other in pieces if other.start <= token < other.stop]
            best = max(context(other, token) for other in showing)
            assert context(piece, token) >= best - 1  # a tie may go either way


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(10, 300), st.integers(0, 3))
def test_batches_hold_every_window_once_within_the_budget(lengths, budget, extra):
    pieces = [Window(text, 0, length, 0, length) for text, length in enumerate(lengths)]
    found = list(batches(pieces, budget=budget, extra=extra))
    assert sorted(piece for batch in found for piece in batch) == pieces
    for batch in found:
        longest = max(piece.stop for piece in batch) + extra
        assert len(batch) == 1 or len(batch) * longest <= budget
