import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from apps.node.pipeline.engines import hmm
from apps.node.pipeline.engines.hmm import batch_size, posteriors, switch_probabilities


def enumerate_paths(observed, panel, switch, error):
    """Weights and leave-one-out dosages of one haplotype, by summing over every path."""
    typed, haplotypes = panel.shape
    sites = np.arange(typed)
    paths = np.array(list(itertools.product(range(haplotypes), repeat=typed)))
    stays = paths[:, 1:] == paths[:, :-1]
    chain = (switch[1:] / haplotypes + (1 - switch[1:]) * stays).prod(axis=1)
    right = panel[sites, paths] == observed
    seen = np.where(observed < 0, 1.0, np.where(right, 1 - error, error))
    weights = np.zeros((typed, haplotypes))
    left_out = np.zeros((typed, haplotypes))
    for m in range(typed):
        others = chain * np.delete(seen, m, axis=1).prod(axis=1)
        left_out[m] = np.bincount(paths[:, m], others, haplotypes)
        weights[m] = np.bincount(paths[:, m], others * seen[:, m], haplotypes)
    weights /= weights.sum(axis=1, keepdims=True)
    left_out /= left_out.sum(axis=1, keepdims=True)
    return weights, (left_out * panel).sum(axis=1)


@settings(max_examples=25, deadline=None)
@given(
    observed=arrays.arrays(np.int8, (5, 3), elements=st.integers(-1, 1)),
    panel=arrays.arrays(np.uint8, (5, 4), elements=st.integers(0, 1)),
    steps=arrays.arrays(np.float64, 5, elements=st.floats(0, 0.5)),
)
def test_posteriors_equal_the_sum_over_all_paths(observed, panel, steps):
    switch = switch_probabilities(np.cumsum(steps) / 1000, 4)
    found = list(posteriors(observed, panel, switch, error=0.01))
    assert [posterior.site for posterior in found] == [4, 3, 2, 1, 0]
    for target in range(3):
        weights, left_out = enumerate_paths(observed[:, target], panel, switch, 0.01)
        for posterior in found:
            assert posterior.weights[target] == pytest.approx(weights[posterior.site], abs=1e-5)
            assert posterior.leave_one_out[target] == pytest.approx(
                left_out[posterior.site], abs=1e-5
            )


def study(typed, targets, haplotypes, seed=3):
    random = np.random.default_rng(seed)
    panel = random.integers(0, 2, (typed, haplotypes), np.uint8)
    observed = random.integers(-1, 2, (typed, targets)).astype(np.int8)
    switch = switch_probabilities(np.cumsum(random.random(typed)) / 100, haplotypes)
    return observed, panel, switch


def test_computing_in_sections_changes_nothing(monkeypatch):
    observed, panel, switch = study(50, 2, 7)
    whole = list(posteriors(observed, panel, switch))
    monkeypatch.setattr(hmm, "_MEMORY", 0)  # one section more for every square root of the sites
    for one, other in zip(whole, posteriors(observed, panel, switch), strict=True):
        assert one.site == other.site
        assert one.weights == pytest.approx(other.weights, abs=1e-6)
        assert one.leave_one_out == pytest.approx(other.leave_one_out, abs=1e-6)


def test_memory_of_a_batch_is_bounded():
    typed, haplotypes = 1500, 400
    targets = min(300, batch_size(typed, haplotypes))
    observed, panel, switch = study(typed, targets, haplotypes)
    tracemalloc.start()
    for _ in itertools.islice(posteriors(observed, panel, switch), 3):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert typed * targets * haplotypes * 4 > 4 * peak
    assert peak < 1.5 * 128 * 2**20


def test_contradicting_data_stays_finite():
    typed = 2000
    panel = np.tile(np.array([0, 1], np.uint8), (typed, 1))
    observed = np.tile(np.array([0, 1], np.int8), typed // 2)[:, None]
    switch = switch_probabilities(np.zeros(typed), 2)
    for posterior in posteriors(observed, panel, switch):
        assert np.isfinite(posterior.weights).all()
        assert np.isfinite(posterior.leave_one_out).all()


def test_no_typed_site_yields_nothing():
    nothing = np.zeros((0, 4), np.int8)
    assert list(posteriors(nothing, nothing.astype(np.uint8), np.zeros(0, np.float32))) == []
