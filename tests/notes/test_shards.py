"""A shard holds what is in a bucket's files, wherever they lie, whatever reading them does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline_lib.artifacts import ArtifactStore, Provenance
from pipeline_lib.config import ParseConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import shards
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.corpus.shards import write_shard
from pipeline_lib.notes.corpus.snapshot import Bucket, CorpusSnapshot
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.stores.notes import SHARD_FILES, open_shard, read_shard_pieces
from pipeline_lib.workers import LossReason, ProcessLost
from tasks.ingest import ingest
from tests.notes.tiny_archives import ARCHIVE_SUFFIXES, archive_of, tar_of, zip_of
from tests.notes.tiny_files import TUNE_ABC, midi_file, rising_line

Write = Callable[[dict[str, bytes]], Path]
Tables = dict[str, pa.Table]

LOW, MIDDLE, HIGH = (midi_file(rising_line(pitch)) for pitch in (36, 60, 84))
BROKEN = MIDDLE[:-30]
BOOK = TUNE_ABC + b"\n" + TUNE_ABC.replace(b"X:1", b"X:2").replace(b"e2", b"f2")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def whole_bucket(snapshot: CorpusSnapshot) -> Bucket:
    (bucket,) = snapshot.buckets(1)
    return bucket


@pytest.fixture
def write_bucket(tmp_path: Path) -> Callable[[Bucket], Tables]:
    """Write a shard; its tables by name."""
    store = ArtifactStore(tmp_path / "artifacts")

    def write(bucket: Bucket) -> Tables:
        with store.draft("notes", Provenance("ingest", "key", "c0de")) as (draft, finished):
            write_shard(partial(open_shard, draft), bucket, ParseConfig())
        return {
            name: store.read_table(finished[0], file.name) for name, file in SHARD_FILES.items()
        }

    return write


class Isolation:
    """Stands for the worker process: reads in this one, and is lost when a test says so."""

    def __init__(self) -> None:
        self.losses: dict[str, list[LossReason]] = {}
        """How processes that read a content are lost, one after another, by its SHA-256."""
        self.read: list[list[str]] = []
        """What each process marked, by SHA-256."""

    def __call__(self, function: Callable[..., None], limits: object, *args: Any) -> None:
        files = args[2]
        self.read.append([])

        def mark(position: int) -> None:
            content = files[position].sha256
            self.read[-1].append(content)
            if self.losses.get(content):
                raise ProcessLost(position, self.losses[content].pop(0), "it died")

        function(mark, *args)


@pytest.fixture
def isolation(monkeypatch: pytest.MonkeyPatch) -> Isolation:
    isolation = Isolation()
    monkeypatch.setattr(shards, "run_isolated", isolation)
    return isolation


def outcomes(tables: Tables) -> dict[str, str | None]:
    rows = tables["pieces"].to_pylist()
    assert len({row["piece_id"] for row in rows}) == len(rows)
    return {row["sha256"]: row["reject_reason"] for row in rows}


FILES = {"low.mid": LOW, "d/broken.mid": BROKEN, "book.abc": BOOK}


def test_a_shard_has_the_pieces_of_all_files_in_a_process_of_its_own(
    write_corpus: Write, write_bucket: Callable[[Bucket], Tables]
) -> None:
    tables = write_bucket(whole_bucket(scan_corpus(write_corpus(FILES))))
    for name, (_, schema, _) in SHARD_FILES.items():
        assert tables[name].schema.remove_metadata().equals(schema.remove_metadata())
        assert tables[name].schema.metadata[b"schema"] == schema.metadata[b"schema"]
    assert outcomes(tables) == {
        sha256(LOW): None,
        sha256(BROKEN): RejectReason.TRUNCATED,
        sha256(BOOK): None,
    }
    assert sorted(tables["pieces"]["n_notes"].to_pylist()) == [0, 8, 11, 11]
    assert len(tables["notes"]) == 30
    assert sorted(set(tables["tracks"]["piece_id"].to_pylist())) == sorted(
        row["piece_id"] for row in tables["pieces"].to_pylist() if row["n_notes"]
    )


def test_an_error_in_the_other_process_comes_back(
    write_corpus: Write, write_bucket: Callable[[Bucket], Tables]
) -> None:
    bucket = whole_bucket(scan_corpus(write_corpus(FILES)))
    (Path(bucket.root) / "low.mid").write_bytes(HIGH)
    with pytest.raises(CorpusError, match="changed or removed after the corpus was scanned"):
        write_bucket(bucket)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_members_of_an_archive_are_read_as_files_are(
    write_corpus: Write,
    write_bucket: Callable[[Bucket], Tables],
    isolation: Isolation,
    suffix: str,
) -> None:
    plain = write_bucket(whole_bucket(scan_corpus(write_corpus({"x/a.mid": LOW, "x/b.abc": BOOK}))))
    members = [("b.abc", BOOK), ("README", b"not read"), ("a.mid", LOW)]
    root = write_corpus({f"archived/x{suffix}": archive_of(suffix, members)}) / "archived"
    archived = write_bucket(whole_bucket(scan_corpus(root)))
    for name in SHARD_FILES:
        rows, expected = (sorted(map(str, t[name].to_pylist())) for t in (archived, plain))
        assert rows == expected


def test_of_an_archive_only_what_is_in_the_bucket_is_read(
    write_corpus: Write, write_bucket: Callable[[Bucket], Tables], isolation: Isolation
) -> None:
    root = write_corpus({"x.zip": zip_of([("a.mid", LOW), ("b.mid", MIDDLE), ("c.mid", HIGH)])})
    snapshot = scan_corpus(root)
    bucket = Bucket(0, str(root), (snapshot.files[0], snapshot.files[2]))
    assert set(outcomes(write_bucket(bucket))) == {sha256(LOW), sha256(HIGH)}
    assert isolation.read == [[sha256(LOW), sha256(HIGH)]]


def test_a_content_that_occurs_twice_is_read_once(
    write_corpus: Write, write_bucket: Callable[[Bucket], Tables], isolation: Isolation
) -> None:
    archive = zip_of([("a.mid", LOW), ("copy.mid", LOW), ("b.mid", HIGH)])
    root = write_corpus({"a.mid": LOW, "b.kar": LOW, "x.zip": archive, "y.zip": archive})
    tables = write_bucket(whole_bucket(scan_corpus(root)))
    assert sorted(tables["pieces"]["sha256"].to_pylist()) == sorted([sha256(LOW), sha256(HIGH)])
    assert sorted(isolation.read[0]) == sorted([sha256(LOW), sha256(HIGH)])


def test_an_archive_that_breaks_off_gives_its_first_members(
    write_corpus: Write, write_bucket: Callable[[Bucket], Tables], isolation: Isolation
) -> None:
    whole = tar_of([("a.mid", LOW), ("b.mid", MIDDLE)])
    root = write_corpus({"x.tar": whole[: 3 * 512 + 10]})
    assert outcomes(write_bucket(whole_bucket(scan_corpus(root)))) == {sha256(LOW): None}


def test_renaming_changes_nothing(
    write_corpus: Write, tmp_path: Path, isolation: Isolation
) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    contents = {"a.mid": LOW, "b.mid": MIDDLE, "c.mid": BROKEN, "d.abc": BOOK, "e.kar": LOW}
    shards_written = set()
    for names in (contents, ["z.mid", "y/y.mid", "x.mid", "a.abc", "b.kar"]):
        folder = f"corpus {len(shards_written)}"
        files = {f"{folder}/{n}": c for n, c in zip(names, contents.values(), strict=True)}
        bucket = whole_bucket(scan_corpus(write_corpus(files) / folder))
        with store.draft("notes", Provenance("ingest", "key", "c0de")) as (draft, finished):
            write_shard(partial(open_shard, draft), bucket, ParseConfig())
        shards_written.add(finished[0])
    assert len(shards_written) == 1


def change(root: Path) -> None:
    (root / "a.mid").write_bytes(HIGH)


def remove(root: Path) -> None:
    (root / "a.mid").unlink()


def change_member(root: Path) -> None:
    (root / "x.zip").write_bytes(zip_of([("b.mid", HIGH)]))


def rename_member(root: Path) -> None:
    (root / "x.zip").write_bytes(zip_of([("c.mid", MIDDLE)]))


def damage_archive(root: Path) -> None:
    (root / "x.zip").write_bytes(b"no archive")


def remove_archive(root: Path) -> None:
    (root / "x.zip").unlink()


def encrypt_member(root: Path) -> None:
    data = bytearray((root / "x.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (root / "x.zip").write_bytes(data)


@pytest.mark.parametrize(
    "happens",
    [
        *(change, remove),
        *(change_member, rename_member, damage_archive, remove_archive, encrypt_member),
    ],
)
def test_a_file_that_is_not_what_was_scanned_stops_the_run(
    write_corpus: Write,
    write_bucket: Callable[[Bucket], Tables],
    isolation: Isolation,
    happens: Callable[[Path], None],
) -> None:
    root = write_corpus({"a.mid": LOW, "x.zip": zip_of([("b.mid", MIDDLE)])})
    bucket = whole_bucket(scan_corpus(root))
    happens(root)
    with pytest.raises(CorpusError, match="changed or removed") as caught:
        write_bucket(bucket)
    name = "a.mid" if happens in (change, remove) else "x.zip"
    assert str(root / name) in str(caught.value.path)


# Processes that are lost


@pytest.fixture
def bucket(write_corpus: Write) -> Bucket:
    """A plain file and three members of an archive."""
    members = [("a.mid", LOW), ("b.mid", MIDDLE), ("c.mid", HIGH)]
    return whole_bucket(
        scan_corpus(write_corpus({"x.tgz": tar_of(members, "w:gz"), "d.abc": BOOK}))
    )


@pytest.mark.parametrize("content", [MIDDLE, BOOK], ids=["member", "plain file"])
def test_a_file_that_kills_two_processes_becomes_a_row_and_the_others_are_read(
    write_bucket: Callable[[Bucket], Tables], isolation: Isolation, bucket: Bucket, content: bytes
) -> None:
    isolation.losses[sha256(content)] = [LossReason.CRASHED] * 2
    tables = write_bucket(bucket)
    everything = {sha256(c): None for c in (LOW, MIDDLE, HIGH, BOOK)}
    assert outcomes(tables) == {**everything, sha256(content): RejectReason.CRASHED}
    (row,) = (r for r in tables["pieces"].to_pylist() if r["reject_reason"])
    assert (row["piece_id"], row["n_notes"], row["reject_detail"]) == (
        *(sha256(content)[:16], 0),
        "it died",
    )
    assert len(isolation.read) == 3
    assert sha256(content) not in isolation.read[-1]


def test_one_crash_is_not_held_against_a_file(
    write_bucket: Callable[[Bucket], Tables], isolation: Isolation, bucket: Bucket
) -> None:
    isolation.losses = {sha256(c): [LossReason.CRASHED] for c in (LOW, HIGH)}
    assert set(outcomes(write_bucket(bucket)).values()) == {None}
    assert len(isolation.read) == 3


def test_a_file_that_takes_too_long_is_not_tried_again(
    write_bucket: Callable[[Bucket], Tables], isolation: Isolation, bucket: Bucket
) -> None:
    isolation.losses[sha256(LOW)] = [LossReason.TIMED_OUT]
    assert outcomes(write_bucket(bucket))[sha256(LOW)] == RejectReason.TIMED_OUT
    assert [sha256(LOW) in read for read in isolation.read] == [True, False]


def test_a_bucket_of_nothing_but_killers_is_a_shard(
    write_bucket: Callable[[Bucket], Tables], isolation: Isolation, bucket: Bucket
) -> None:
    isolation.losses = {sha256(c): [LossReason.CRASHED] * 2 for c in (LOW, MIDDLE, HIGH, BOOK)}
    tables = write_bucket(bucket)
    assert set(outcomes(tables).values()) == {RejectReason.CRASHED}
    assert len(tables["notes"]) == 0


def test_a_process_that_is_lost_before_it_reads_is_no_files_fault(
    write_bucket: Callable[[Bucket], Tables], bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> None:
        raise ProcessLost(None, LossReason.CRASHED, "no interpreter")

    monkeypatch.setattr(shards, "run_isolated", lose)
    with pytest.raises(ProcessLost, match="no interpreter"):
        write_bucket(bucket)


@pytest.mark.slow
@pytest.mark.alone
def test_a_book_of_many_tunes_has_time_for_each(tmp_path: Path) -> None:
    """Real processes: the book takes several times what a file may take, none of its tunes does."""
    tune = "X:{n}\nT:T\nM:2/4\nL:1/8\nK:C\n{bars}\n\n"
    root = tmp_path / "corpus"
    root.mkdir()
    bars = "CDEF GABc|" * 750  # some tenths of a second
    book = "".join(tune.format(n=n, bars=bars) for n in range(1, 41))
    (root / "book.abc").write_text(book)
    (root / "symphony.abc").write_text(tune.format(n=1, bars=bars * 25))
    store = ArtifactStore(tmp_path / "artifacts")
    (bucket,) = scan_corpus(root).buckets(1)
    shard = ingest(store, bucket, ParseConfig(file_limit_sec=1.0))
    rows = read_shard_pieces(store, shard).to_pylist()
    by_tune = {row["tune"]: row["reject_reason"] for row in rows}
    assert by_tune == {None: RejectReason.TIMED_OUT, **dict.fromkeys(range(1, 41))}
