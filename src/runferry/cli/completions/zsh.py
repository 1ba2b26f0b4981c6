"""The script for zsh: a function for a folder of `fpath`, which may also be evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runferry.cli.completions.words import Grammar, Option, Values, Verb

_SCRIPT = """\
#compdef runferry
# Completion of runferry for zsh: runferry completion zsh > FOLDER/_runferry, with FOLDER in fpath.

_runferry_place() {  # TRACKER…: a tracker's name, and a path behind it or alone
    if [[ $PREFIX == *:* ]] && (( ${@[(Ie)${PREFIX%%%%:*}]} )); then
        compset -P 1 '*:'
    else
        compadd -S ':' -- "$@"
    fi
    _files
}

_runferry_command() {  # what the command behind `--` offers
    local -i at=${words[(i)--]}
    (( CURRENT > at )) || return 1
    shift $at words
    (( CURRENT -= at ))
    _normal
}

_runferry() {
    local curcontext="$curcontext" state line
    typeset -A opt_args
%(verbs)s
}

if [ "$funcstack[1]" = "_runferry" ]; then
    _runferry "$@"
else
    compdef _runferry runferry
fi
"""


_SPECIAL = "\\[]:() \"'`;&|<>!*?$#~="
"""What has to be escaped where zsh takes the text apart once more."""


def script(grammar: Grammar) -> str:
    """What is read when the first completion is asked for."""
    cases = [_case(verb) for verb in grammar.verbs if len(verb.names) == 1]
    for group in grammar.groups:
        below = grammar.below(group)
        words = {verb.names[-1]: verb.help for verb in below}
        lines = _choice(words, (), [_case(verb) for verb in below], f"of_{group}")
        cases.append([f"{group})", *_indented(lines), "    ;;"])
    lines = _choice(grammar.first_words, grammar.options, cases, "rest")
    return _SCRIPT % {"verbs": "\n".join(_indented(lines))}


def _choice(
    words: Mapping[str, str], options: Iterable[Option], cases: Iterable[list[str]], state: str
) -> list[str]:
    """A word first, and what stands behind it by a case for each."""
    told = " ".join(f"{word}\\:{_quoted(help, _SPECIAL)}" for word, help in words.items())
    specs = [*_specs_of(options), f"'1: :(({told}))'", f"'*:: :->{state}'"]
    return [
        *_arguments("-C", specs),
        f"if [[ $state == {state} ]]; then",
        "    case $words[1] in",
        *_indented(line for case in cases for line in case),
        "    esac",
        "fi",
    ]


def _case(verb: Verb) -> list[str]:
    specs = _specs_of(verb.options)
    for number, values in enumerate(verb.arguments, start=1):
        place = "*" if verb.repeats and number == len(verb.arguments) else str(number)
        specs.append(f"'{place}:{_action(values)}'")
    lines = _arguments("-s", specs)
    if any(values.is_command for values in verb.arguments):
        lines = ["_runferry_command && return 0", *lines]
    return [f"{verb.names[-1]})", *_indented(lines), "    ;;"]


def _arguments(how: str, specs: Iterable[str]) -> list[str]:
    *first, last = [f"_arguments {how}", *(f"    {spec}" for spec in specs)]
    return [*(f"{line} \\" for line in first), last]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _specs_of(options: Iterable[Option]) -> list[str]:
    return [spec for option in options for spec in _specs(option)]


def _specs(option: Option) -> list[str]:
    told = _quoted(option.help)
    value = "" if option.values is None else f":{_action(option.values)}"
    return [f"'*{name}{_sign(name, option)}[{told}]{value}'" for name in option.names]


def _sign(name: str, option: Option) -> str:
    """An option of two hyphens takes its value behind `=` too."""
    return "=" if option.values is not None and name.startswith("--") else ""


def _action(values: Values) -> str:
    """Message and action of a value."""
    words = " ".join(word.removesuffix(":") for word in values.words)
    if values.is_place:
        return f" : _runferry_place {words}"
    if values.words:
        return f" : compadd -- {words}"
    return " :_files" if values.is_path else " : "


def _quoted(text: str, special: str = "\\[]:") -> str:
    """Within an argument of `_arguments` that stands in single quotes."""
    text = "".join(f"\\{c}" if c in special else c for c in text)
    return text.replace("'", "'\\''")
