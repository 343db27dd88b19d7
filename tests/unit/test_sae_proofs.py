"""What each method promises, on data whose truth is known: twenty proofs, here and beside.

 1. Groups of layers are recovered, AMAD falls to 0, scales change nothing:
    test_sae_groups.test_three_blocks_are_found,
    test_sae_groups.test_amad_falls_to_zero_with_the_number_of_groups,
    test_sae_groups.test_a_scale_per_layer_changes_nothing
 2. One random layer per token, of mean length 1 (in our unit):
    test_sae_group.test_every_token_is_read_at_one_random_layer,
    test_sae_group.test_layers_are_brought_to_one_length
 3. TopK recovers the dictionary:
    test_sae_core.test_a_planted_dictionary_is_recovered,
    test_sae_proofs.test_planted_directions_are_found
 4. AuxK's gradient reaches dead latents only, and a step lowers it:
    test_sae_core.test_auxk_moves_dead_latents_only_and_one_step_lowers_it
 5. BatchTopK keeps k B, and its threshold gives k on new tokens:
    test_sae_proofs.test_a_batch_keeps_exactly_k_per_token_and_tokens_differ,
    test_sae_proofs.test_the_wanted_number_of_latents_is_active_on_new_tokens
 6. JumpReLU's kernel estimates the density:
    test_sae_gradients.test_the_kernel_estimates_the_density_at_the_threshold
 7. Gated's auxiliary loss leaves the decoder alone:
    test_sae_gradients.test_the_gates_auxiliary_loss_cannot_move_the_decoder
 8. Matryoshka with one prefix is BatchTopK:
    test_sae_proofs.test_matryoshka_with_one_prefix_is_batch_topk
 9. Matryoshka absorbs less:
    test_sae_proofs.test_prefixes_keep_a_parent_from_being_absorbed
10. g-SAE without influence is TopK; with it, what moves the loss is kept:
    test_sae_proofs.test_what_moves_the_models_loss_is_kept
11. GBA's frequencies end below their targets and directions are found, unless targets are wrong:
    test_sae_proofs.test_biases_bring_frequencies_to_their_targets
12. Top-AFA finds the true number of directions of each token:
    test_sae_proofs.test_every_token_gets_its_own_number_of_latents
13. Its bound is 0 where code and token have one length:
    test_sae_proofs.test_the_bound_on_orthogonality_by_hand
14. Every latent of Feature Choice takes its number of tokens; Mutual Choice is BatchTopK:
    test_sae_proofs.test_every_latent_takes_its_number_of_tokens,
    test_sae_proofs.test_mutual_choice_is_batch_topk
15. AbsTopK needs one latent for both ends of an axis:
    test_sae_proofs.test_both_ends_of_an_axis_need_one_latent
16. ITDA: exact on an orthonormal dictionary, the same atoms in a rotated space, more with less
    tolerance:
    test_sae_proofs.test_matching_pursuit_is_exact_on_orthonormal_rows,
    test_sae_proofs.test_the_same_tokens_are_kept_in_a_rotated_space,
    test_sae_proofs.test_less_tolerance_keeps_more_tokens
17. The planted linear share of an error is found:
    test_sae_evaluation.test_a_planted_linear_share_is_found
18. Gradient pursuit errs less than the encoder with the same decoder and L0:
    test_sae_proofs.test_pursuit_errs_less_than_the_encoder
19. Transfer beats scratch at equal steps:
    test_sae_transfer.test_a_transferred_sae_begins_ahead_and_ends_below_scratch
20. Documents: pooled over their own tokens only (there is no padding), and NPMI:
    test_pooling_properties.test_sparse_pooling_equals_dense,
    test_explain_groups.test_npmi_by_hand
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from finsae import sae
from finsae.plugins import make
from finsae.sae import Training, evaluate
from finsae.sae.architectures.batch_topk import BatchTopK
from finsae.sae.architectures.feature_choice import FeatureChoice, chosen
from finsae.sae.architectures.g_sae import GradientSAE
from finsae.sae.architectures.gba import GroupBias
from finsae.sae.architectures.itda import ITDA
from finsae.sae.architectures.matryoshka import Matryoshka
from finsae.sae.architectures.top_afa import TopAFA, length_bound
from finsae.sae.architectures.topk import TopK
from finsae.sae.losses import Moment
from finsae.sae.pursuit import matching_pursuit
from finsae.sae.selection import largest_of_batch

TRAINING = Training(epochs=8, batch=256, lr=3e-3)


def sparse_data(tokens=8192, features=48, width=24, active=3, *, signed=False, seed=0):
    """Tokens that are sums of a few of `features` directions, which do not depend on `seed`."""
    directions = np.random.default_rng(99).normal(size=(features, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    on = random.random((tokens, features)) < active / features
    size = on * (0.5 + random.random((tokens, features)))
    if signed:
        size *= random.choice([-1, 1], size=size.shape)
    x = size @ directions + 0.01 * random.normal(size=(tokens, width))
    return x.astype(np.float32), directions


def fitted(name, latents=64, k=3, x=None, **settings):
    x = sparse_data()[0] if x is None else x
    settings = {"training": TRAINING, "device": "cpu"} | settings
    return make("coder", name, latents=latents, k=k, **settings).fit(x)


@pytest.mark.parametrize(
    "name",
    [
        "topk",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("batch-topk", "gated", "matryoshka", "jumprelu", "l1")
        ),
    ],
)
def test_planted_directions_are_found(name):
    x, directions = sparse_data(features=32, width=32)
    coder = fitted(name, x=x, training=Training(epochs=12, batch=256, lr=5e-3))
    best = np.abs(directions @ coder.W_dec_.T).max(axis=1)
    assert best.mean() > 0.9, best.mean()
    rng = np.random.default_rng(0).normal(size=coder.W_dec_.shape)
    chance = np.abs(directions @ (rng / np.linalg.norm(rng, axis=1, keepdims=True)).T).max(axis=1)
    assert best.mean() > chance.mean() + 0.2


def test_all_twenty_proofs_exist():
    listed = re.findall(r"(test_\w+)\.(test_\w+)", __doc__)
    assert [int(n) for n in re.findall(r"(?m)^ ?(\d+)\. ", __doc__)] == list(range(1, 21))
    tests = Path(__file__).parents[1]
    for module, name in listed:
        (path,) = tests.glob(f"*/{module}.py")
        assert f"\ndef {name}(" in path.read_text(), f"{module}.{name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["batch-topk", "matryoshka", "jumprelu", "gated", "l1"])
def test_the_wanted_number_of_latents_is_active_on_new_tokens(name):
    coder = fitted(name, k=4)
    found = evaluate(coder, sparse_data(seed=1)[0])
    # BatchTopK keeps what is positive only, and this data has three directions a token
    assert 4 * 0.8 < found.l0 < 4 * 1.15, found.l0


def test_a_batch_keeps_exactly_k_per_token_and_tokens_differ():
    coder = BatchTopK(64, 4, device="cpu")
    x = torch.from_numpy(sparse_data(512)[0])
    random = torch.Generator().manual_seed(0)
    weights = {
        "W_enc": torch.randn(64, 24, generator=random),
        "W_dec": torch.randn(64, 24, generator=random),
        "b_enc": torch.zeros(64),
        "b_dec": torch.zeros(24),
    }
    memory = {}
    moment = Moment(0, 10, Training(), torch.zeros(0, dtype=torch.int64), memory)
    codes = coder.step(weights, x, moment).codes
    assert len(codes.values) == 4 * 512 and (codes.values > 0).all()
    assert codes.starts.diff().float().std() > 0.5
    assert memory["threshold"] == codes.values.min()
    final = {**weights, **coder.finish(weights, memory)}
    again = coder.select(final, x)  # one threshold for all: strictly above the smallest
    assert len(again.values) == 4 * 512 - 1


@pytest.mark.slow
def test_matryoshka_with_one_prefix_is_batch_topk():
    one, other = fitted("matryoshka", prefixes=(1,)), fitted("batch-topk")
    np.testing.assert_allclose(one.W_dec_, other.W_dec_, atol=2e-3)
    assert evaluate(one, sparse_data(seed=1)[0]).fvu == pytest.approx(
        evaluate(other, sparse_data(seed=1)[0]).fvu, rel=0.02
    )


def family(tokens=12_000, seed=0):
    """Parents, each with children that fire only together with it (Chanin et al. 2024)."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(9).normal(size=(24, 24)))[0]
    parents = random.random((tokens, 4)) < 0.3
    children = parents[:, :, None] & (random.random((tokens, 4, 4)) < 0.35)
    on = np.concatenate([parents, children.reshape(tokens, 16)], axis=1)
    return (on @ directions[:20]).astype(np.float32), directions, parents


def absorption(coder):
    """Share of a parent's tokens on which the latent nearest to it stays silent."""
    x, directions, parents = family(3000, seed=5)
    codes, missed = coder.encode(x), []
    for parent in range(4):
        latent = int((coder.W_dec_ @ directions[parent]).argmax())
        fires = codes[:, [latent]].toarray().ravel() > 0
        missed.append(1 - fires[parents[:, parent]].mean())
    return float(np.mean(missed))


@pytest.mark.slow
def test_prefixes_keep_a_parent_from_being_absorbed():
    x = family()[0]
    training = Training(epochs=15, batch=256, lr=3e-3)
    found = {"batch-topk": [], "matryoshka": []}
    for seed in range(3):
        own = {"training": training, "random_state": seed, "device": "cpu"}
        found["batch-topk"].append(absorption(BatchTopK(20, 3, **own).fit(x)))
        nested = Matryoshka(20, 3, prefixes=(0.2, 1), **own).fit(x)
        found["matryoshka"].append(absorption(nested))
    assert np.mean(found["matryoshka"]) < np.mean(found["batch-topk"]) - 0.05, found


@pytest.mark.slow
def test_both_ends_of_an_axis_need_one_latent():
    x = sparse_data(features=24, width=24, signed=True)[0]
    new = sparse_data(features=24, width=24, signed=True, seed=1)[0]
    ends = {
        (name, latents): evaluate(fitted(name, latents, x=x), new).fvu
        for name, latents in (("abs-topk", 24), ("topk", 24), ("topk", 48))
    }
    assert ends["abs-topk", 24] < ends["topk", 48] < ends["topk", 24]


@pytest.mark.slow
def test_one_sae_serves_every_smaller_k():
    new = sparse_data(seed=1)[0]
    every = fitted("topk", k=8, loss="every-k")
    plain = fitted("topk", k=8)

    def fvu(coder, k):
        rebuilt = coder.decode(coder.encode(new, k=k))
        return np.square(rebuilt - new).sum() / np.square(new - new.mean(0)).sum()

    assert fvu(every, 1) < fvu(plain, 1)
    assert fvu(every, 2) < fvu(plain, 2)
    own = evaluate(fitted("topk", k=2), new).fvu
    assert fvu(every, 2) < 1.25 * own
    assert every.k == 8 and (np.diff(every.encode(new, k=2).indptr) <= 2).all()


@pytest.mark.slow
def test_multi_topk_can_be_read_at_four_times_k():
    new = sparse_data(seed=1)[0]
    plain, multi = fitted("topk", k=3), fitted("topk", k=3, loss="multi")

    def fvu(coder, k):
        rebuilt = coder.decode(coder.encode(new, k=k))
        return np.square(rebuilt - new).sum() / np.square(new - new.mean(0)).sum()

    assert fvu(multi, 12) < fvu(plain, 12)


def test_unit_rows_change_no_output_of_an_l1_sae():
    coder = make("coder", "l1", latents=64, k=3)
    random = torch.Generator().manual_seed(0)
    weights = {
        "W_enc": torch.randn(64, 24, generator=random),
        "W_dec": 3 * torch.randn(64, 24, generator=random),
        "b_enc": 0.1 * torch.randn(64, generator=random),
        "b_dec": torch.randn(24, generator=random),
    }
    x = torch.from_numpy(sparse_data(100)[0])

    def rebuilt(w):
        u = torch.relu((x - w["b_dec"]) @ w["W_enc"].T + w["b_enc"])
        return u @ w["W_dec"]

    final = coder.finish(weights, {})
    torch.testing.assert_close(rebuilt(final), rebuilt(weights), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(final["W_dec"].norm(dim=1), torch.ones(64))


@pytest.mark.parametrize("name", ["jumprelu", "gated", "l1"])
def test_a_penalty_that_is_not_positive_is_refused(name):
    with pytest.raises(ValueError, match="penalty must be positive"):
        make("coder", name, latents=64, k=3, penalty=0).fit(sparse_data(1000)[0])


def test_the_every_k_option_and_the_topk_loss_are_told_apart():
    with pytest.raises(ValueError, match='did you mean "every-k"'):
        TopK(64, 3, loss="everyk").fit(sparse_data(1000)[0])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def random_weights(latents, width, seed=0):
    W_dec = unit(normal(latents, width, seed=seed))
    b_enc, b_dec = 0.1 * normal(latents, seed=seed + 1), torch.zeros(width, dtype=torch.float64)
    return {"W_enc": normal(latents, width, seed=seed + 2), "W_dec": W_dec} | {
        "b_enc": b_enc,
        "b_dec": b_dec,
    }


def test_what_moves_the_models_loss_is_kept():
    w, x = random_weights(40, 16), normal(300, 16, seed=7)
    topk = TopK(40, 4, device="cpu").select(w, x)
    g = normal(300, 16, seed=8)
    without = GradientSAE(40, 4, influence=0.0, device="cpu").select(w, x, g)
    for one, other in zip(without, topk, strict=True):
        assert torch.equal(one, other)
    coder = GradientSAE(40, 4, unit="none", device="cpu")
    w["W_dec"] = torch.eye(40, 16, dtype=torch.float64)  # latent 7 alone feels coordinate 7
    g = torch.zeros(300, 16, dtype=torch.float64)
    g[:, 7] = 1e9
    codes = coder.select(w, x, g)
    pre = x @ w["W_enc"].T + w["b_enc"]
    kept = (codes.latents.view(300, 4) == 7) & (codes.values.view(300, 4) > 0)
    assert torch.equal(kept.any(1), pre[:, 7] > 0)
    assert (pre[:, 7] > 0).sum() > (pre.argsort(1).argsort(1)[:, 7] >= 36).sum() + 50
    tokens = codes.tokens()
    torch.testing.assert_close(codes.values, pre[tokens, codes.latents].relu())


@pytest.mark.slow
def test_biases_bring_frequencies_to_their_targets():
    x, directions = sparse_data(features=32, width=32, active=1.5)
    new = sparse_data(features=32, width=32, active=1.5, seed=1)[0]
    training = Training(epochs=80, batch=512, lr=5e-3)
    shares = {}
    for span, k in ((20.0, 12), (100.0, 44)):  # the first group fires on 10 % of tokens, or 50 %
        coder = GroupBias(
            320, k, groups=6, span=span, training=training, random_state=1, device="cpu"
        ).fit(x)
        targets, density = coder.targets().numpy(), evaluate(coder, new).density
        assert (density <= 1.5 * targets).mean() > 0.95
        assert (coder.threshold_ >= 0).all() and (coder.threshold_ > 0).mean() > 0.9
        nearest = (directions @ coder.W_dec_.T).max(axis=1)
        shares[round(float(targets.max()), 1)] = (nearest > 0.9).mean()
    assert shares[0.1] > 0.6 and shares[0.5] < 0.1, shares


def test_biases_stay_within_a_tokens_length():
    coder = GroupBias(32, 4, groups=4, device="cpu")
    x, w = normal(200, 9), {"W_dec": unit(normal(32, 9, seed=1)), "b_dec": torch.zeros(9)}
    w |= {"W_enc": w["W_dec"], "b_enc": torch.zeros(32, dtype=torch.float64)}
    w["b_dec"] = w["b_dec"].double()
    coder.start(w, x)
    assert coder.targets().sum() == pytest.approx(4) and "b_enc" not in w
    assert coder.targets()[0] == pytest.approx(100 * coder.targets()[-1])
    memory = {"bias": torch.linspace(-2.9, 0, 32, dtype=torch.float64)}
    before = memory["bias"].clone()
    for step in range(10):  # latents 29 to 31 fire too often, 0 never
        found = coder.step(w, x, Moment(step, 100, Training(), torch.zeros(0).long(), memory))
    moved = memory["bias"]
    assert (moved[-3:] < before[-3:]).all() and moved[0] > before[0]
    assert (moved <= 0).all() and (moved >= -3).all()
    assert set(found.gradients) == {"W_dec", "b_dec", "amplitude"}


def test_negative_amplitudes_survive_being_folded():
    coder = GroupBias(32, 4, groups=4, device="cpu")
    w = {"W_dec": unit(normal(32, 9, seed=1)), "b_dec": normal(9), "amplitude": normal(32, seed=2)}
    bias = -normal(32, seed=3).abs()
    assert (w["amplitude"] < 0).any()
    again, memory = coder.reopen(coder.finish(w, {"bias": bias}))
    torch.testing.assert_close(again, w)
    torch.testing.assert_close(memory["bias"], bias)


def orthonormal(count=200, width=32):
    """Tokens of one to eight orthonormal rows, with sizes 1 to 2; and how many each has."""
    rows = torch.linalg.qr(normal(width, width, seed=3))[0]
    random = np.random.default_rng(0)
    active = random.integers(1, 9, size=count)
    codes = np.zeros((count, width))
    for token, number in enumerate(active):
        codes[token, random.permutation(width)[:number]] = 1 + random.random(number)
    return rows, torch.from_numpy(codes) @ rows, torch.from_numpy(active)


def test_every_token_gets_its_own_number_of_latents():
    rows, x, active = orthonormal()
    codes = TopAFA(32, 16, device="cpu").select({"W_enc": rows, "W_dec": rows}, x)
    sizes = codes.values.view(200, 16)
    assert torch.equal((sizes > 1e-4).sum(1), active)
    rebuilt = torch.zeros(200, 32, dtype=torch.float64)
    rebuilt.scatter_add_(1, codes.latents.view(200, 16), sizes)
    torch.testing.assert_close(rebuilt @ rows, x, rtol=0, atol=1e-9)


def test_the_bound_on_orthogonality_by_hand():
    codes, dense = torch.tensor([2.0, 5**0.5]), torch.tensor([2.0, 2.0])
    torch.testing.assert_close(length_bound(codes, dense, 101), torch.tensor([0.0, 1 / 400]))


@pytest.mark.parametrize("budget", ["uniform", "zipf"])
def test_every_latent_takes_its_number_of_tokens(budget):
    coder = FeatureChoice(40, 4, budget=budget, device="cpu")
    w, x = random_weights(40, 16), normal(256, 16, seed=5)
    w["b_enc"] = w["b_enc"] + 20  # all positive
    moment = Moment(3, 10, Training(), torch.zeros(0).long())
    codes = coder.largest(w, x, moment)
    budgets = coder.budgets(256, 3)
    counts = torch.bincount(codes.latents, minlength=40)
    assert counts.tolist() == budgets.tolist() and (counts > 0).all()
    assert budgets.sum() == 4 * 256
    assert (np.ptp(budgets) <= 1) if budget == "uniform" else (budgets[0] > 8 * budgets[-1])
    pre = x @ w["W_enc"].T + w["b_enc"]
    for latent in (0, 11, 39):
        tokens = codes.tokens()[codes.latents == latent]
        assert set(tokens.tolist()) == set(
            pre[:, latent].topk(int(counts[latent])).indices.tolist()
        )
    torch.testing.assert_close(codes.values, pre[codes.tokens(), codes.latents])
    assert (codes.tokens().diff() >= 0).all()
    least = torch.stack([codes.values[codes.latents == n].min() for n in range(40)])
    torch.testing.assert_close(moment.memory["threshold"], least)


def test_mutual_choice_is_batch_topk():
    w, x = random_weights(40, 16), normal(256, 16, seed=5)
    together = (x @ w["W_enc"].T + w["b_enc"]).relu()
    bar = together.flatten().topk(3 * 256).values[-1]
    codes = largest_of_batch(x, w["W_enc"], w["b_enc"], 3 * 256)
    found = torch.zeros_like(together)
    found[codes.tokens(), codes.latents] = codes.values
    torch.testing.assert_close(found, torch.where(together >= bar, together, 0.0))


def test_fractions_of_a_token_are_right_in_the_mean():
    coder = FeatureChoice(64, 1, budget="zipf")
    drawn = np.mean([coder.budgets(16, step) for step in range(4000)], axis=0)
    weight = 1 / (np.arange(64) + 3.7)
    np.testing.assert_allclose(drawn, 16 * weight / weight.sum(), atol=0.03)
    none = chosen(
        normal(5, 3), normal(8, 3, seed=1), torch.zeros(8).double(), np.eye(8, dtype=int)[0]
    )
    assert none.latents.tolist() in ([], [0])


def test_thresholds_keep_every_latent_firing_on_new_tokens():
    coder = fitted("feature-choice", k=4)
    found = evaluate(coder, sparse_data(seed=1)[0])
    assert found.dead == 0 and 4 * 0.8 < found.l0 < 4 * 1.15
    assert np.ptp(found.density) < 0.06  # 4 / 64 each


def test_matching_pursuit_is_exact_on_orthonormal_rows():
    rows, x, active = orthonormal()
    codes = matching_pursuit(x, rows, 8)
    dense = torch.zeros(200, 32, dtype=torch.float64)
    dense.index_put_((codes.tokens(), codes.latents), codes.values, accumulate=True)
    torch.testing.assert_close(dense @ rows, x, rtol=0, atol=1e-9)
    assert torch.equal((codes.values > 1e-9).sum(), active.sum())


def collected(x, tolerance=0.2, **settings):
    settings = {"training": Training(batch=64), "device": "cpu"} | settings
    return ITDA(400, 4, tolerance=tolerance, **settings).fit(x)


def test_the_same_tokens_are_kept_in_a_rotated_space():
    x = sparse_data(640, features=40, width=32, active=2)[0]
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(32, 32)))[0].astype(np.float32)
    one, other = collected(x), collected(3 * x @ turn)
    assert 30 < one.latents < 400 and len(one.atoms_) == one.latents
    assert sae.shared_atoms(one, other) > 0.97
    assert sae.shared_atoms(one, collected(x, random_state=1)) < 0.7
    kept = x[one.atoms_] - one.b_dec_
    np.testing.assert_allclose(
        one.W_dec_, kept / np.linalg.norm(kept, axis=1, keepdims=True), atol=1e-6
    )


def test_less_tolerance_keeps_more_tokens():
    x = sparse_data(640, features=40, width=32, active=2)[0]
    rough, fine = collected(x, 0.2), collected(x, 0.1)
    assert fine.latents > rough.latents
    assert evaluate(fine, x).fvu < evaluate(rough, x).fvu


def test_pursuit_errs_less_than_the_encoder():
    coder = fitted("topk", training=Training(epochs=4, batch=256, lr=3e-3))
    new = sparse_data(2000, seed=1)[0]
    own = evaluate(coder, new)
    by_gradient = evaluate(sae.pursue(coder), new)
    by_matching = evaluate(sae.pursue(coder, method="matching"), new)
    assert by_gradient.fvu < by_matching.fvu < own.fvu
    assert (np.diff(sae.pursue(coder).encode(new).indptr) <= 3).all()
    assert evaluate(sae.pursue(coder, k=6), new).fvu < by_gradient.fvu
