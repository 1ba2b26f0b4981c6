"""Renaming: injective, within the rule, stable, and identity where nothing forbids it."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from runferry.ports import KeyRule
from runferry.transfer.names import Namer, rename

KEYS = st.lists(
    st.one_of(
        st.text(alphabet="aAbB/._~- é\n", max_size=12),
        st.text(max_size=40),
        st.sampled_from(
            ["a", "A", "a/b", "a/b/c", "..", ".", "", "/", "a//b", "con", "step", "_x"]
        ),
    ),
    unique=True,
    max_size=30,
)
RULES = st.builds(
    KeyRule,
    max_length=st.integers(24, 250),
    allowed=st.sampled_from([None, r"[A-Za-z0-9_./ -]", r"[a-z0-9_]", r"[A-Za-z0-9/]", r"[\w.]"]),
    forbidden=st.sampled_from([(), ("//", ".."), ("/",)]),
    reserved=st.sampled_from([(), ("step", "time")]),
    reserved_prefixes=st.sampled_from([(), ("_",), ("system/", "mlflow.")]),
    ignores_case=st.booleans(),
    must_be_path=st.booleans(),
    prefix_free=st.booleans(),
)


def fold(name: str, rule: KeyRule) -> str:
    return name.casefold() if rule.ignores_case else name


def breaks(name: str, rule: KeyRule) -> bool:
    return (
        not 0 < len(name) <= rule.max_length
        or (rule.allowed is not None and re.fullmatch(f"(?:{rule.allowed})*", name) is None)
        or any(part in name for part in rule.forbidden)
        or fold(name, rule) in rule.reserved
        or name.startswith(rule.reserved_prefixes or "\0\0")
        or (rule.must_be_path and any(part in ("", ".", "..") for part in name.split("/")))
    )


@given(KEYS, RULES)
def test_names_are_injective_and_within_the_rule(keys: list[str], rule: KeyRule) -> None:
    names = list(rename(keys, rule).values())
    assert len({fold(name, rule) for name in names}) == len(keys)
    assert [name for name in names if breaks(name, rule)] == []
    if rule.prefix_free:
        folded = [fold(name, rule) for name in names]
        assert not any(b.startswith(f"{a}/") for a in folded for b in folded)


@given(KEYS, RULES, st.integers(0, 30))
def test_what_a_run_has_published_keeps_its_name_when_it_grows(
    keys: list[str], rule: KeyRule, count: int
) -> None:
    early, late = rename(keys[:count], rule), rename(keys, rule)
    assert {key: late[key] for key in early} == early


@given(KEYS, RULES)
def test_legal_names_that_do_not_clash_are_kept(keys: list[str], rule: KeyRule) -> None:
    legal = [key for key in keys if not breaks(key, rule)]
    folded = [fold(key, rule) for key in legal]
    assume(len(set(folded)) == len(legal))
    assume(not rule.prefix_free or not any(b.startswith(f"{a}/") for a in folded for b in folded))
    assert rename(legal, rule) == {key: key for key in legal}


@given(KEYS, RULES)
def test_an_altered_name_does_not_depend_on_its_neighbours(keys: list[str], rule: KeyRule) -> None:
    illegal = [key for key in keys if breaks(key, rule)]
    together = rename(illegal, rule)
    alone = {key: rename([key], rule)[key] for key in illegal}
    clashes = len({fold(name, rule) for name in alone.values()}) < len(alone)
    assume(not clashes and not rule.prefix_free)
    assert together == alone


def test_an_altered_name_can_still_be_read() -> None:
    rule = KeyRule(allowed=r"[A-Za-z0-9_./ -]")
    assert re.fullmatch(r"val_loss_-[0-9a-z]{6}", rename(["val\\loss?"], rule)["val\\loss?"])


def test_two_paths_that_join_to_one_key_get_two_names() -> None:
    namer = Namer(KeyRule())
    assert namer.name("a.b", '["a.b"]') == "a.b"
    assert namer.name("a.b", '["a","b"]') != "a.b"
    assert namer.name("a.b", '["a.b"]') == "a.b"
