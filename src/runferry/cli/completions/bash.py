"""The script for bash, from 3.2 on, which macOS has."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from runferry.cli.completions.words import Grammar, Option, Values, Verb

_SCRIPT = """\
# Completion of runferry for bash: runferry completion bash > FILE, and source FILE in ~/.bashrc.
_runferry_options() {  # VERB: its options
    case $1 in
%(options)s
    esac
}

_runferry_values() {  # VERB OPTION-OR-NUMBER: the words that may stand there, and `/` for a path
    case "$1 $2" in
%(values)s
    esac
}

_runferry_add() {  # WORD BEFORE: offer a word, without what bash has already
    COMPREPLY+=("${2#"$1"}")
}

_runferry() {
    local line=${COMP_LINE:0:COMP_POINT} cur='' verb='' option='' before='' number=1 only_words=''
    local word offered path words=() IFS=$' \\t\\n'
    read -a words <<<"$line"
    case $line in
    *[[:space:]]) ;;
    *) cur=${words[${#words[@]} - 1]} && unset "words[${#words[@]}-1]" ;;
    esac
    COMPREPLY=()
    for word in "${words[@]:1}"; do
        if [[ $only_words ]]; then
            number=$((number + 1))
        elif [[ $word == -- ]]; then
            only_words=1 option=''
        elif [[ $option ]]; then
            option=''
        elif [[ $word == -* ]]; then
            case " %(valued)s " in *" $word "*) option=$word ;; esac
        elif [[ ! $verb ]]; then
            verb=$word
        elif [[ " %(groups)s " == *" $verb "* ]]; then
            verb="$verb-$word"
        else
            number=$((number + 1))
        fi
    done
    if [[ ! $option && $cur == --*=* ]]; then
        option=${cur%%%%=*} before=$option= cur=${cur#*=}
    fi
    # What bash takes for the word begins behind the last of these characters.
    local broken=''
    [[ $COMP_WORDBREAKS == *=* ]] && broken=$before
    [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && broken=$before${cur%%:*}:
    if [[ ! $option && ! $only_words && $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_runferry_options "$verb")" -- "$cur"))
        return
    fi
    if [[ ! $verb && ! $option ]]; then
        COMPREPLY=($(compgen -W "%(verbs)s" -- "$cur"))
        return
    fi
    if [[ $verb == run && ! $option ]]; then
        if [[ $number == 1 ]]; then
            COMPREPLY=($(compgen -c -- "$cur"))
        fi
        offered=/
    else
        offered=$(_runferry_values "$verb" "${option:-$number}")
    fi
    for word in $offered; do
        [[ $word != / && $word == "$cur"* ]] || continue
        _runferry_add "$broken" "$before$word"
        [[ $word == *: ]] && compopt -o nospace 2>/dev/null
    done
    if [[ " $offered " == *" / "* ]]; then
        word=''
        if [[ $cur == *:* && " $offered" == *" ${cur%%%%:*}: "* ]]; then
            word=${cur%%%%:*}: cur=${cur#*:}
        fi
        compopt -o filenames 2>/dev/null
        while IFS= read -r path; do
            _runferry_add "$broken" "$before$word$path"
        done < <(compgen -f -- "$cur")
    fi
}

complete -F _runferry runferry
"""


def script(grammar: Grammar) -> str:
    """What `source` reads."""
    options = [_case("''", _option_names(grammar.options))]
    options += [_case(_name(verb), _option_names(verb.options)) for verb in grammar.verbs]
    places: dict[str, list[str]] = {}
    for verb in grammar.verbs:
        for place, values in _places(verb):
            offered = " ".join((*values.words, *(["/"] if values.is_path else [])))
            if offered:
                places.setdefault(offered, []).append(f'"{_name(verb)} "{place}')
    for group in grammar.groups:
        below = " ".join(verb.names[-1] for verb in grammar.below(group))
        places.setdefault(below, []).append(f'"{group} "1')
    return _SCRIPT % {
        "options": "\n".join(options),
        "values": "\n".join(_case(" | ".join(where), text) for text, where in places.items()),
        "valued": " ".join(grammar.valued),
        "groups": " ".join(grammar.groups),
        "verbs": " ".join(grammar.first_words),
    }


def _name(verb: Verb) -> str:
    return "-".join(verb.names)


def _places(verb: Verb) -> Iterable[tuple[str, Values]]:
    """Options that take a value, and arguments by number."""
    for option in verb.options:
        if option.values is not None:
            yield from ((name, option.values) for name in option.names)
    for number, values in enumerate(verb.arguments, start=1):
        is_last = number == len(verb.arguments)
        yield "[0-9]*" if verb.repeats and is_last else str(number), values


def _option_names(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in option.names)


def _case(pattern: str, text: str) -> str:
    return f"    {pattern}) echo {shlex.quote(text)} ;;"
