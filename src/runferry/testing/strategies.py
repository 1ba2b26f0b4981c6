"""Any run at all, for hypothesis: everything that the model can say, in any combination."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    ArtifactEntry,
    Blob,
    DataKind,
    Fork,
    KeyPath,
    MediaItem,
    MediaType,
    Role,
    RunState,
    Tree,
)
from runferry.ports import KeyRule, Limits
from runferry.testing.recording import Float32, Histogram, Logged, Recording, Sample
from runferry.testing.reference import EVERYTHING
from runferry.testing.samples import HOSTILE_NAMES, UNICODE_NAMES, header, nan_with_payload

_INT64 = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NAMES = st.one_of(
    st.sampled_from(("loss", "Loss", "a/b", "a_b", "a.b", "a", "b", *HOSTILE_NAMES)),
    st.sampled_from(UNICODE_NAMES),
    _TEXT,
)
_STEPS = st.one_of(st.none(), st.integers(-3, 12), _INT64)
# years 1700 to 2250: what both Arrow and Python can hold
_TIMES = st.one_of(st.none(), st.integers(-8 * 10**18, 8 * 10**18), st.just(0))
_FLOATS = st.one_of(st.floats(), st.builds(nan_with_payload, st.integers(1, 2**51 - 1)))
_FLOAT32 = st.builds(Float32, st.floats(width=32))
_MEDIA_TYPES: tuple[MediaType, ...] = (
    *("image", "audio", "video", "table", "plot", "html"),
    *("object3d", "molecule", "file", "other"),
)


def paths() -> st.SearchStrategy[KeyPath]:
    """Names as structure, alike ones among them."""
    nested = st.lists(_NAMES, min_size=2, max_size=3).map(tuple)
    return st.one_of(_NAMES.map(lambda name: (name,)), nested)


def trees() -> st.SearchStrategy[Tree]:
    """Values of attributes: every type, nested."""
    leaves: st.SearchStrategy[Tree] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        _FLOATS,
        _TEXT,
        st.binary(max_size=8),
        st.datetimes(timezones=st.just(UTC), min_value=datetime(2, 1, 1)).map(_unfolded),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.one_of(_TEXT, st.just("$float")), inner, max_size=3),
        ),
        max_leaves=6,
    )


def _unfolded(time: datetime) -> datetime:
    return time.replace(fold=0)  # says nothing in UTC


def blobs() -> st.SearchStrategy[Blob]:
    """Bytes, or bytes that are gone."""
    return st.one_of(st.binary(max_size=16).map(Blob.from_bytes), st.just(Blob(size=3)))


def _values(kind: DataKind) -> st.SearchStrategy[Logged]:
    match kind:
        case "scalar":
            return st.one_of(_FLOATS, _INT64, st.booleans(), st.none(), _FLOAT32)
        case "text":
            json = st.one_of(
                st.lists(trees(), max_size=2), st.dictionaries(_TEXT, trees(), max_size=2)
            )
            return st.one_of(_TEXT, json, st.just(2**70))
        case "histogram":
            return st.one_of(_histograms(_INT_COUNTS), _histograms(_FLOATS_FINITE))
        case "media":
            item = st.builds(
                MediaItem,
                key=st.just(""),
                at=st.just(Address(0)),
                media_type=st.sampled_from(_MEDIA_TYPES),
                blob=blobs(),
                path=st.one_of(st.none(), _NAMES),
                caption=st.one_of(st.none(), _TEXT),
                metadata=trees(),
            )
            return st.lists(item, min_size=1, max_size=3).map(tuple)


_INT_COUNTS = st.integers(0, 2**53)
_FLOATS_FINITE = st.floats(0, 1e300)


def _histograms(
    counts: st.SearchStrategy[int] | st.SearchStrategy[float],
) -> st.SearchStrategy[Histogram]:
    def of(held: list[int] | list[float]) -> Histogram:
        return Histogram(tuple(map(float, range(len(held) + 1))), tuple(held))

    return st.lists(counts, min_size=1, max_size=4).map(of)


@st.composite
def runs(draw: st.DrawFn, *, max_rows: int = 12) -> Sample:
    """One run with any content."""
    run = Recording(header(f"any-{draw(st.integers(0, 10**6))}", **draw(_headers())))
    kinds: tuple[DataKind, ...] = ("scalar", "scalar", "text", "histogram", "media")
    named = st.dictionaries(paths(), st.sampled_from(kinds), min_size=1, max_size=5)
    series: dict[KeyPath, DataKind] = draw(named)
    for role in ("config", "summary", "environment", "other"):
        values = draw(st.dictionaries(paths(), trees(), max_size=3))
        run.attributes(_ROLES[role], values)
    for _ in range(draw(st.integers(0, max_rows))):
        _row(draw, run, series)
    for chunk in draw(st.lists(_few(), max_size=4, unique_by=_statement)):
        run.put(chunk)
    return run.sample()


def _statement(chunk: chunks.Chunk) -> object:
    """A later document of a kind and name is the same one, stated again; all else is another."""
    return (chunk.kind, chunk.name) if isinstance(chunk, chunks.Document) else id(chunk)


_ROLES: dict[str, Role] = {
    "config": "config",
    "summary": "summary",
    "environment": "environment",
    "other": "other",
}


_KINDS: tuple[DataKind, ...] = ("scalar", "text", "histogram", "media")


def _row(draw: st.DrawFn, run: Recording, series: dict[KeyPath, DataKind]) -> None:
    step = draw(_STEPS)
    frac = draw(st.one_of(st.none(), st.integers(1, 999_999))) if step is not None else None
    chosen = draw(st.lists(st.sampled_from(sorted(series)), unique=True, min_size=1))
    run.log(
        {path: draw(_values(draw(_mostly(series[path])))) for path in chosen},
        step=step,
        step_frac=frac,
        time_ns=draw(_TIMES),
        stream="system" if draw(st.integers(0, 4)) == 0 else "user",
    )
    if draw(st.integers(0, 3)) == 0:
        run.checkpoint()


def _mostly(kind: DataKind) -> st.SearchStrategy[DataKind]:
    """A series is of one kind, until somebody logs a text under the name of a number."""
    return st.integers(0, 5).flatmap(lambda n: st.just(kind) if n else st.sampled_from(_KINDS))


def _headers() -> st.SearchStrategy[dict[str, object]]:
    states: tuple[RunState, ...] = ("running", "finished", "failed", "killed", "unknown")
    maybe = st.one_of(st.none(), _TEXT)
    return st.fixed_dictionaries(
        {},
        optional={
            "name": maybe,
            "project": maybe,
            "group": maybe,
            "job_type": maybe,
            "notes": maybe,
            "parent": maybe,
            "tags": st.lists(_TEXT, unique=True, max_size=3).map(tuple),
            "labels": st.dictionaries(_TEXT, _TEXT, max_size=2),
            "started_ns": _TIMES,
            "ended_ns": _TIMES,
            "state": st.sampled_from(states),
            "exit_code": st.one_of(st.none(), st.integers(-128, 255)),
            "complete": st.booleans(),
            "forked_from": st.one_of(st.none(), st.builds(Fork, _TEXT, st.integers(0, 9))),
        },
    )


def _few() -> st.SearchStrategy[chunks.Chunk]:
    """What is few per run: files, artifacts, documents, raw records, losses."""
    entry = st.builds(ArtifactEntry, _NAMES, blobs(), st.one_of(st.none(), _TEXT))
    entries = st.lists(entry, max_size=2, unique_by=lambda e: e.path).map(tuple)
    return st.one_of(
        st.builds(chunks.File, _NAMES, st.sampled_from(("source", "console", "other")), blobs()),
        st.builds(
            chunks.Artifact,
            _NAMES,
            _TEXT,
            st.sampled_from(("produced", "used")),
            metadata=trees(),
            entries=entries,
        ),
        st.builds(chunks.Document, _TEXT, _TEXT, trees()),
        st.builds(chunks.Raw, _TEXT, _TEXT, st.binary(max_size=8), st.none()),
        st.builds(chunks.Lost, st.builds(Loss, st.just("odd"), st.sampled_from(Fate), _TEXT)),
    )


def limits(*, merges: bool = False) -> st.SearchStrategy[Limits]:
    """What a destination may be like: any of them must get what its plan says, and no less.

    With `merges`, also such as make one row of equal ones: which are equal only after others of
    their columns were rounded is more than `verify` can tell apart from a dropped row.
    """
    coarse = st.sampled_from((Fate.KEPT, Fate.DROPPED, Fate.ROUNDED))
    dropped = st.sampled_from((Fate.KEPT, Fate.DROPPED))
    kept = st.sampled_from((Fate.KEPT, Fate.KEPT, Fate.DROPPED))
    rule = st.builds(
        KeyRule,
        max_length=st.sampled_from((40, 250)),
        allowed=st.sampled_from((None, r"[a-z0-9_/]", r"[\w .:/-]")),
        forbidden=st.sampled_from(((), ("//", ".."))),
        reserved=st.sampled_from(((), ("loss", "step"))),
        ignores_case=st.booleans(),
        must_be_path=st.booleans(),
    )
    return st.builds(
        Limits,
        holds=st.fixed_dictionaries(dict.fromkeys(EVERYTHING, kept)),
        order=st.sampled_from(("any", "step")),
        resend=st.sampled_from(("continue", "atomic")),
        run_id=st.just(Fate.RENAMED),
        batch_rows=st.sampled_from((1, 3, 1000)),
        series_key=rule,
        attribute_key=rule,
        null_step=dropped,  # step 0 instead would come late where steps must not fall
        fractional_step=coarse,
        negative_step=coarse,
        step_beyond=coarse,
        max_step=st.sampled_from((10, 2**31, 2**63 - 1)),
        duplicate_point=st.sampled_from((Fate.KEPT, Fate.MERGED) if merges else (Fate.KEPT,)),
        source_order=dropped,
        time_unit_ns=st.sampled_from((1_000, 1_000_000, 1_000_000_000)),
        finer_time=st.just(Fate.ROUNDED),
        null_time=coarse,
        negative_time=coarse,
        nan=dropped,  # nothing is near to NaN
        infinity=coarse,
        null_value=coarse,
        inexact_int=coarse,
        number_kind=st.sampled_from((Fate.KEPT, Fate.ROUNDED)),
        attribute_type=st.sampled_from((Fate.KEPT, Fate.ROUNDED)),
        max_attribute_length=st.sampled_from((5, 500)),
        long_attribute=coarse,
        max_text_length=st.sampled_from((3, 5000)),
        long_text=coarse,
        series_facts=dropped,
        lineage=dropped,
        header_times=dropped,
        header_fields=st.sampled_from(({}, {"notes": Fate.DROPPED})),
    )
