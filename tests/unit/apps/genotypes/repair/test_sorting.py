from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.sorting import ChromosomeOrder, RecordSort

SITES = st.tuples(st.sampled_from(["1", "chr2", "X", "odd", "10"]), st.integers(1, 9))


@settings(max_examples=40, deadline=None)
@given(sites=st.lists(SITES, max_size=60), memory=st.sampled_from([1, 300, 1000, 10**6]))
def test_runs_of_any_size_give_the_stable_sort(sites, memory):
    records = [f"{name}\t{at}\t{number}".encode() for number, (name, at) in enumerate(sites)]
    contigs = ["X", "10"]
    met = [name for name, _ in sites if name not in {"1", "chr2", "X", "10"}]
    order = [*contigs, "1", "chr2", *dict.fromkeys(met)]
    expected = [
        record
        for _, record in sorted(
            zip(sites, records, strict=True), key=lambda pair: (order.index(pair[0][0]), pair[0][1])
        )
    ]
    with TemporaryDirectory() as folder:
        key = ChromosomeOrder([b"X", b"10"]).key
        sort = RecordSort(Path(folder), key, memory=memory)
        assert list(sort.sorted(iter(records), Progress(lambda _: None))) == expected
        assert list(Path(folder).iterdir()) == []
    highest, moved = (-1, -1), 0
    for name, at in sites:
        here = (order.index(name), at)
        moved += here < highest
        highest = max(highest, here)
    assert sort.moved == moved


def test_a_sorted_file_makes_one_run(tmp_path):
    records = [b"1\t%d\t." % at for at in range(1, 1000)]
    sort = RecordSort(tmp_path, ChromosomeOrder([]).key, memory=2000)
    stream = sort.sorted(iter(records), Progress(lambda _: None))
    assert next(stream) == records[0]
    assert len(list(tmp_path.iterdir())) == 1
    assert [records[0], *stream] == records


def test_natural_order_is_that_of_the_numbers():
    names = [b"MT", b"10", b"chr9", b"X", b"2", b"odd", b"Y"]
    order = ChromosomeOrder([])
    assert sorted(names, key=lambda name: order.key(name + b"\t1\t.")) == [
        b"2",
        b"chr9",
        b"10",
        b"X",
        b"Y",
        b"MT",
        b"odd",
    ]
