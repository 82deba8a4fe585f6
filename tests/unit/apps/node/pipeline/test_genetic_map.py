import gzip

import numpy as np
import pytest

from apps.node.pipeline.genetic_map import centimorgans, read_map, write_minimac_map
from apps.node.pipeline.panels import PanelError


@pytest.fixture
def map_file(tmp_path):
    path = tmp_path / "map.gz"
    path.write_bytes(gzip.compress(b"pos\tchr\tcM\n1000000\t20\t5.0\n2000000\t20\t7.0\n"))
    return path


def test_places_are_linear_within_the_map_and_1_cm_per_mb_beyond(map_file):
    places = centimorgans(np.array([500_000, 1_000_000, 1_250_000, 2_000_000, 4_000_000]), map_file)
    assert places == pytest.approx([4.5, 5.0, 5.5, 7.0, 9.0])


def test_without_a_map_1_mb_is_1_cm():
    assert centimorgans(np.array([0, 3_000_000]), None) == pytest.approx([0, 3])


def test_minimac_map_has_its_columns_and_no_header(tmp_path, map_file):
    write_minimac_map(tmp_path / "out", map_file, "chr20")
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines == ["chr20\t.\t5\t1000000", "chr20\t.\t7\t2000000"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"pos chr cM\n2 20 1\n1 20 2\n"), "rises"),
        (gzip.compress(b"pos chr cM\n2 20 x\n"), "not a genetic map"),
        (b"plain", "not a genetic map"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, content, said):
    path = tmp_path / "map.gz"
    path.write_bytes(content)
    with pytest.raises(PanelError, match=said):
        read_map(path)
