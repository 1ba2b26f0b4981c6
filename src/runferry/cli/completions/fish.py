"""The script for fish, from 3.1 on."""

from __future__ import annotations

from collections.abc import Iterator

from runferry.cli.completions.words import Grammar, Option, Values, Verb

_SCRIPT = """\
# Completion of runferry for fish:
# runferry completion fish > ~/.config/fish/completions/runferry.fish
function __runferry_at  # VERB [NUMBER|-]: whether this argument of this verb comes; - for any
    set -l verb ''
    set -l number 1
    set -l is_value 0
    set -l only_words 0
    for word in (commandline -opc)[2..-1]
        if test $only_words = 1
            set number (math $number + 1)
        else if test "$word" = --
            set only_words 1
        else if test $is_value = 1
            set is_value 0
        else if string match -q -- '-*' $word
            contains -- $word %(valued)s; and set is_value 1
        else if test -z "$verb"
            set verb $word
        else if contains -- $verb %(groups)s
            set verb $verb-$word
        else
            set number (math $number + 1)
        end
    end
    test "$verb" = "$argv[1]"; or return 1
    test (count $argv) -eq 1; or contains -- "$argv[2]" $number -
end

function __runferry_place  # TRACKER…: a tracker's name, and a path behind it or alone
    set -l token (commandline -ct)
    set -l option (string match -r -- '^--[a-z-]+=' $token)
    set token (string replace -- "$option" '' $token)
    set -l tracker (string match -r -- '^[A-Za-z][A-Za-z0-9_.+-]+:' $token)
    if test -n "$tracker"; and contains -- (string replace : '' $tracker) $argv
        set -l path (string replace -- $tracker '' $token)
        string replace -r -- '^' "$option$tracker" (__fish_complete_path $path)
    else
        printf '%%s\\n' "$option"$argv:
        string replace -r -- '^' "$option" (__fish_complete_path $token)
    end
end

function __runferry_command  # what the command behind `--` offers
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    set -e words[1..$at]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c runferry -f
%(lines)s
"""


def script(grammar: Grammar) -> str:
    """What fish loads when the first completion is asked for."""
    return _SCRIPT % {
        "valued": " ".join(grammar.valued),
        "groups": " ".join(grammar.groups),
        "lines": "\n".join(_lines(grammar)),
    }


def _lines(grammar: Grammar) -> Iterator[str]:
    yield from (_option("__runferry_at ''", option) for option in grammar.options)
    for word, told in grammar.first_words.items():
        yield f"complete -c runferry -n \"__runferry_at ''\" -a {word} -d {_quoted(told)}"
    for group in grammar.groups:
        for verb in grammar.below(group):
            name, told = verb.names[-1], _quoted(verb.help)
            yield f'complete -c runferry -n "__runferry_at {group}" -a {name} -d {told}'
    for verb in grammar.verbs:
        yield from _of_verb(verb)


def _of_verb(verb: Verb) -> Iterator[str]:
    at = f"__runferry_at {'-'.join(verb.names)}"
    yield from (_option(at, option) for option in verb.options)
    for number, values in enumerate(verb.arguments, start=1):
        action = _action(values)
        if action:
            place = "-" if verb.repeats and number == len(verb.arguments) else str(number)
            yield f'complete -c runferry -n "{at} {place}" {action}'


def _option(at: str, option: Option) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    )
    takes = "" if option.values is None else f" -x {_action(option.values)}".rstrip()
    return f'complete -c runferry -n "{at}" {names}{takes} -d {_quoted(option.help)}'


def _action(values: Values) -> str:
    words = " ".join(word.removesuffix(":") for word in values.words)
    if values.is_command:
        return "-a '(__runferry_command)'"
    if values.is_place:
        return f"-a '(__runferry_place {words})'"
    if values.words:
        return f"-a '{words}'"
    return "-a '(__fish_complete_path (commandline -ct))'" if values.is_path else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
