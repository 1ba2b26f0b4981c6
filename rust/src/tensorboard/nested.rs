//! Owns tensors of several strings as nested lists of JSON, both ways.

use std::borrow::Cow;

use crate::json::quote;
use crate::json::walk::{string_end, unescape};
use crate::tensorboard::histogram::push_list;
use crate::tensorboard::tensor::MOST_DIMS;

/// The strings of a tensor as nested lists of JSON, by its shape.
pub fn nested(strings: &[Cow<'_, str>], dims: &[u64]) -> String {
    let mut json = String::new();
    push_nested(&mut json, strings, dims);
    json
}

/// The strings and the shape that `nested` has made this JSON of; None if it has not, and for what
/// is no list of several.
pub fn lists_of(json: &str) -> Option<(Vec<String>, Vec<u64>)> {
    let depth = json.bytes().take_while(|byte| *byte == b'[').count();
    if depth == 0 || depth > MOST_DIMS {
        return None;
    }
    // how many lists there are of each depth, and strings: each size is a ratio of two neighbours
    let mut counts = vec![0; depth + 1];
    let (mut strings, mut level, mut rest) = (Vec::new(), 0usize, json.as_bytes());
    while let Some(byte) = rest.first() {
        let mut length = 1;
        match byte {
            b'[' => {
                *counts.get_mut(level)? += 1;
                level += 1;
            }
            b']' => level = level.checked_sub(1)?,
            b',' => {}
            _ => {
                length = string_end(rest, 0)?;
                strings.push(unescape(&rest[1..length - 1])?.0);
                counts[depth] += 1;
            }
        }
        rest = &rest[length..];
    }
    let ratio = |pair: &[u64]| pair[1].checked_div(pair[0]);
    let shape: Vec<_> = counts.windows(2).map(ratio).collect::<Option<_>>()?;
    let texts: Vec<_> = strings.iter().map(|text| text.as_str().into()).collect();
    (strings.len() > 1 && nested(&texts, &shape) == json).then_some((strings, shape))
}

fn push_nested(json: &mut String, strings: &[Cow<'_, str>], dims: &[u64]) {
    match dims {
        [] => strings.iter().for_each(|text| json.push_str(&quote(text))),
        [_, inner @ ..] => {
            let size = inner.iter().product::<u64>().max(1) as usize;
            let parts: Vec<_> = strings.chunks(size).collect();
            push_list(json, &parts, |json, part| push_nested(json, part, inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_had_back_from_the_json_that_was_made_of_them() {
        for shape in [
            vec![4],
            vec![2, 2],
            vec![1, 4],
            vec![4, 1, 1],
            vec![2, 1, 2],
        ] {
            let texts = ["a", "\"],[\\", "", "深\n"].map(Cow::from);
            let json = nested(&texts, &shape);
            let (strings, found) = lists_of(&json).expect("a list of several");
            assert_eq!((strings, found), (texts.map(String::from).to_vec(), shape));
        }
    }

    #[test]
    fn other_json_is_no_list_of_several_strings() {
        let deep = "[".repeat(100_000);
        for json in [
            "",
            "[",
            "]",
            "[]",
            "[[],[]]",
            r#"["a"]"#,
            r#"["a", "b"]"#,
            r#"["a",1]"#,
            "[1,2]",
            r#"["a",["b"]]"#,
            r#"[["a"],"b"]"#,
            r#"[["a","b"],["c"]]"#,
            r#"["a","\u0062"]"#,
            r#"["a","b"]]"#,
            r#"["a""b"]"#,
            r#"["a","b"#,
            r#"{"a":["b","c"]}"#,
            &deep,
        ] {
            assert_eq!(lists_of(json), None, "{json:.40}");
        }
    }
}
