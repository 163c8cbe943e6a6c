import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from labeling.errors import ArtifactError
from labeling.models.artifact import MANIFEST_NAME, verify_artifact, write_artifact
from rewriting.errors import VectorError
from rewriting.index.indexed_request import IndexedRequest, RequestTexts, request_id
from rewriting.index.request_index import ARTIFACT_KIND, RequestIndex
from rewriting.index.vector_index import VectorIndexSettings
from streams.turn import AssistantId

HOME = AssistantId("home")
DIMENSION = 24


def requests(*numbers: int) -> list[IndexedRequest]:
    return [
        IndexedRequest(
            request_id=request_id(f"request {number}"),
            text=f"spiel lied {number} größer",
            interpretation="" if number % 3 == 0 else f"Music|Play|song={number}✓",
        )
        for number in numbers
    ]


def vectors(*numbers: int) -> NDArray[np.float32]:
    """Of each number one that is its own."""
    if not numbers:
        return np.empty((0, DIMENSION), np.float32)
    rows = [np.random.default_rng(number).standard_normal(DIMENSION) for number in numbers]
    stacked = np.stack(rows).astype(np.float32)
    unit: NDArray[np.float32] = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
    return unit


def index_of(*numbers: int, version: int = 1, settings: VectorIndexSettings | None = None) -> RequestIndex:
    return RequestIndex.of(
        HOME, "encoder 1", requests(*numbers), vectors(*numbers), version=version, settings=settings
    )


def assert_holds(index: RequestIndex, *numbers: int) -> None:
    """It holds these requests and no others, and finds them as plain arithmetic does."""
    assert len(index) == len(numbers)
    assert index.ids.tolist() == sorted(request.request_id for request in requests(*numbers))
    for seed in (1001, 1002, 1003, *numbers[:3]):
        query = vectors(seed)[0]
        similarities = vectors(*numbers).astype(np.float16).astype(np.float64) @ query
        nearest = [requests(numbers[i])[0] for i in np.argsort(-similarities)]
        for k in (1, 5, len(numbers) + 10):
            matches = index.search(query, k)
            assert [match.entry for match in matches] == nearest[:k]
            assert [match.similarity for match in matches] == pytest.approx(
                sorted(similarities.tolist(), reverse=True)[:k], abs=1e-5
            )


def test_an_empty_index_finds_nothing_and_takes_changes() -> None:
    empty = RequestIndex.empty(HOME, "encoder 1", DIMENSION)
    assert empty.search(vectors(1)[0], 5) == []
    assert (len(empty), empty.version, empty.base_name) == (0, 0, None)

    assert_holds(empty.with_changes(1, requests(1, 2, 3), vectors(1, 2, 3)), 1, 2, 3)
    assert len(empty) == 0


def test_a_change_is_found_and_leaves_the_index_before_it_as_it_was() -> None:
    before = index_of(*range(40))
    removed = [request.request_id for request in requests(0, 7, 39, 1_000)]
    after = before.with_changes(2, requests(50, 51), vectors(50, 51), removed)

    assert_holds(before, *range(40))
    assert_holds(after, *(n for n in (*range(40), 50, 51) if n not in (0, 7, 39)))
    assert (before.version, after.version) == (1, 2)


def test_what_is_removed_is_found_again_only_when_it_is_put_again() -> None:
    index = index_of(1, 2, 3)
    (gone,) = (request.request_id for request in requests(2))
    index = index.with_changes(2, removed=[gone])
    assert_holds(index, 1, 3)
    index = index.with_changes(3, requests(2), vectors(2))
    assert_holds(index, 1, 2, 3)
    index = index.with_changes(4, removed=[gone])
    assert_holds(index, 1, 3)
    assert_holds(index.compacted(), 1, 3)


def test_a_request_put_again_is_found_by_its_new_vector_alone() -> None:
    index = index_of(1, 2, 3)
    (former,) = requests(2)
    renewed = IndexedRequest(request_id=former.request_id, text="new", interpretation="newer")
    for changed in (
        index.with_changes(2, [renewed], vectors(9)),
        index.with_changes(2, [former], vectors(8)).with_changes(3, [renewed], vectors(9)),
        index.with_changes(2, [renewed], vectors(9)).compacted(),
    ):
        (match,) = changed.search(vectors(9)[0], 1)
        assert match.entry == renewed
        assert match.similarity == pytest.approx(1, abs=1e-3)
        assert [match.entry.text for match in changed.search(vectors(2)[0], 10)].count("new") == 1
        assert len(changed) == 3


@pytest.mark.parametrize("flat_up_to", [1_000_000, 100])
def test_many_changes_are_found_before_and_after_compaction(flat_up_to: int) -> None:
    index = index_of(*range(200), settings=VectorIndexSettings(flat_up_to=flat_up_to))
    held = set(range(200))
    random = np.random.default_rng(11)
    for version in range(2, 60):
        added = sorted({int(n) for n in random.integers(0, 400, 9)})
        removed = sorted({int(n) for n in random.integers(0, 400, 9)} - set(added))
        index = index.with_changes(
            version, requests(*added), vectors(*added), [r.request_id for r in requests(*removed)]
        )
        held = (held | set(added)) - set(removed)
    numbers = sorted(held)
    assert_holds(index, *numbers)
    compacted = index.compacted()
    assert_holds(compacted, *numbers)
    assert compacted.changes == 0
    assert compacted.version == index.version == 59


def test_nearly_all_removed_leaves_the_rest_to_be_found() -> None:
    index = index_of(*range(300), settings=VectorIndexSettings(flat_up_to=10))
    removed = [request.request_id for request in requests(*range(297))]
    assert_holds(index.with_changes(2, removed=removed), 297, 298, 299)


def test_wrong_changes_are_refused() -> None:
    index = index_of(1, 2, 3)
    with pytest.raises(VectorError, match="both added and removed"):
        index.with_changes(2, requests(4), vectors(4), [requests(4)[0].request_id])
    with pytest.raises(VectorError, match="24"):
        index.with_changes(2, requests(4), vectors(4)[:, :20])
    with pytest.raises(VectorError, match="no index is made"):
        index.with_changes(2, requests(4, 5), vectors(4))
    with pytest.raises(VectorError, match="give"):
        index.search(vectors(4)[0][:20], 3)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    index = index_of(*range(30)).with_changes(7, requests(40), vectors(40), [requests(3)[0].request_id])
    manifest = index.save(tmp_path / "base")
    assert manifest.facts == {
        "assistant_id": "home",
        "encoder_id": "encoder 1",
        "version": 7,
        "count": 30,
        "dimension": DIMENSION,
    }
    loaded = RequestIndex.load(tmp_path / "base")
    assert_holds(loaded, *(n for n in (*range(30), 40) if n != 3))
    assert (loaded.assistant_id, loaded.encoder_id, loaded.version) == (HOME, "encoder 1", 7)
    assert loaded.base_name == "base"
    RequestIndex.empty(HOME, "encoder 1", DIMENSION).save(tmp_path / "empty")
    assert len(RequestIndex.load(tmp_path / "empty")) == 0


def test_the_same_requests_make_the_same_files(tmp_path: Path) -> None:
    one = index_of(*range(30), version=2).save(tmp_path / "one")
    other = index_of(*reversed(range(29)), version=1).with_changes(2, requests(29), vectors(29))
    assert other.save(tmp_path / "other").files == one.files


def test_damage_is_found(tmp_path: Path) -> None:
    index_of(1, 2, 3).save(tmp_path / "base")
    for path in sorted((tmp_path / "base").iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 4]))
        with pytest.raises(ArtifactError):
            RequestIndex.load(tmp_path / "base")
        path.write_bytes(content)
    assert_holds(RequestIndex.load(tmp_path / "base"), 1, 2, 3)


def test_an_artifact_that_does_not_fit_itself_is_refused(tmp_path: Path) -> None:
    index = index_of(1, 2, 3)
    manifest = index.save(tmp_path / "base")

    def copy(into: Path) -> None:
        for file in manifest.files:
            (into / file.path).write_bytes((tmp_path / "base" / file.path).read_bytes())

    write_artifact(tmp_path / "counted", ARTIFACT_KIND, copy, facts={**manifest.facts, "count": 4})
    with pytest.raises(ArtifactError, match="says 4 of 24"):
        RequestIndex.load(tmp_path / "counted")
    write_artifact(tmp_path / "nameless", ARTIFACT_KIND, copy, facts={"count": 3})
    with pytest.raises(ArtifactError, match="not those of a request index"):
        RequestIndex.load(tmp_path / "nameless")

    def copy_other_texts(into: Path) -> None:
        copy(into)
        RequestTexts.of(requests(1, 2)).save(into)

    write_artifact(tmp_path / "texts", ARTIFACT_KIND, copy_other_texts, facts=manifest.facts)
    with pytest.raises(ArtifactError, match="not those of its 3 ids"):
        RequestIndex.load(tmp_path / "texts")
    assert json.loads((tmp_path / "base" / MANIFEST_NAME).read_text())["kind"] == ARTIFACT_KIND
    assert verify_artifact(tmp_path / "base", ARTIFACT_KIND) == manifest


def test_an_id_is_the_same_for_ever() -> None:
    assert request_id("play jazz") == 1_633_778_841_828_779_309
    assert all(0 <= request_id(str(number)) < 2**63 for number in range(1_000))
    assert len({request_id(str(number)) for number in range(10_000)}) == 10_000


def test_texts_of_requests_are_kept_in_any_script() -> None:
    some = [
        IndexedRequest(request_id=5, text="", interpretation=""),
        IndexedRequest(request_id=2, text="点歌 🎵", interpretation="音乐"),
        IndexedRequest(request_id=9, text="x" * 10_000, interpretation="\x00\n"),
    ]
    texts = RequestTexts.of(some)
    assert [texts.request(request.request_id) for request in some] == some
    assert RequestTexts.of([]).size_bytes == 0
