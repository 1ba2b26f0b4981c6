//! Owns the structure of JSON: is it whole, what are its members, are its texts text. No recursion.

use crate::json::{Scalar, scalar};

/// Deeper nesting than this is refused: whoever parses the text later may use a stack.
const DEPTH: usize = 512;

/// What a whole value turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// It holds a `\uD800`–`\uDFFF` without its pair.
    pub has_lone_surrogate: bool,
}

/// Whether the text is one JSON value and nothing else; None if not.
pub fn check(text: &str) -> Option<Checked> {
    let mut walk = Walk {
        text: text.as_bytes(),
        at: 0,
        has_lone_surrogate: false,
    };
    walk.document()?;
    Some(Checked {
        has_lone_surrogate: walk.has_lone_surrogate,
    })
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    has_lone_surrogate: bool,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn document(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            if self.opens(&mut open)? {
                continue;
            }
            loop {
                let Some(top) = open.last().copied() else {
                    return self.peek().is_none().then_some(());
                };
                match (self.peek()?, top) {
                    (b',', _) => {
                        self.at += 1;
                        self.member_key(top)?;
                        break;
                    }
                    (b']', b'[') | (b'}', b'{') => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// Takes a scalar, a string, an empty container (false), or the start of a full one (true).
    fn opens(&mut self, open: &mut Vec<u8>) -> Option<bool> {
        match self.peek()? {
            b'"' => self.string()?,
            bracket @ (b'{' | b'[') => {
                self.at += 1;
                if self.peek()? == bracket + 2 {
                    self.at += 1;
                    return Some(false);
                }
                if open.len() == DEPTH {
                    return None;
                }
                open.push(bracket);
                self.member_key(bracket)?;
                return Some(true);
            }
            _ => self.token()?,
        }
        Some(false)
    }

    fn member_key(&mut self, bracket: u8) -> Option<()> {
        if bracket == b'{' {
            self.peek()?;
            self.string()?;
            self.eat(b':')?;
        }
        Some(())
    }

    fn token(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = rest.iter().take_while(is_part).count();
        self.at += length;
        (scalar(&rest[..length]) != Scalar::Other).then_some(())
    }

    fn string(&mut self) -> Option<()> {
        let end = string_end(self.text, self.at)?;
        self.has_lone_surrogate |= unescape(&self.text[self.at + 1..end - 1])?.1;
        self.at = end;
        Some(())
    }
}

/// Behind the string that begins at `start`.
pub fn string_end(text: &[u8], start: usize) -> Option<usize> {
    if text.get(start) != Some(&b'"') {
        return None;
    }
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// The text between the quotes, without its escapes; true where a lone surrogate became U+FFFD.
pub fn unescape(raw: &[u8]) -> Option<(String, bool)> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut has_lone_surrogate = false;
    while let Some(position) = rest.iter().position(|byte| *byte == b'\\') {
        text.extend_from_slice(&rest[..position]);
        let escape = &rest[position + 1..];
        let (character, length) = match escape.first()? {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            plain @ (b'"' | b'\\' | b'/') => (char::from(*plain), 1),
            b'u' => code_point(escape)?,
            _ => return None,
        };
        has_lone_surrogate |= character == char::REPLACEMENT_CHARACTER && is_surrogate(escape);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &escape[length..];
    }
    text.extend_from_slice(rest);
    Some((String::from_utf8(text).ok()?, has_lone_surrogate))
}

fn is_surrogate(escape: &[u8]) -> bool {
    matches!(hex4(escape), Some(0xd800..0xe000))
}

/// The four digits behind a `u`.
fn hex4(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"u")?.get(..4)?;
    digits.iter().try_fold(0, |sum, digit| {
        Some(sum * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// The character that `uXXXX`, or a pair of them, stands for, and how long that was.
fn code_point(escape: &[u8]) -> Option<(char, usize)> {
    let high = hex4(escape)?;
    let low = escape
        .get(5..)
        .and_then(|tail| tail.strip_prefix(b"\\"))
        .and_then(hex4);
    if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (high, low) {
        let point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return Some((char::from_u32(point)?, 11));
    }
    Some((
        char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
        5,
    ))
}

/// The members of a mapping that `check` has accepted: name without escapes, value as written.
pub fn members(mapping: &str) -> Vec<(String, &str)> {
    let text = mapping.as_bytes();
    let mut found = Vec::new();
    let mut at = mapping.find('{').map_or(text.len(), |start| start + 1);
    while let Some(quote) = text[at..].iter().position(|byte| *byte == b'"') {
        let Some(end) = string_end(text, at + quote) else {
            break;
        };
        let Some((name, _)) = unescape(&text[at + quote + 1..end - 1]) else {
            break;
        };
        let Some(colon) = text[end..].iter().position(|byte| *byte == b':') else {
            break;
        };
        let start = end + colon + 1;
        at = value_end(text, start);
        found.push((
            name,
            mapping[start..at].trim_matches([' ', '\t', '\n', '\r']),
        ));
    }
    found
}

/// Where the value that begins at `start` ends: at the `,` or `}` of the mapping around it.
fn value_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at).unwrap_or(text.len());
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' if depth == 0 => break,
            b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at.min(text.len())
}

/// The same text with every surrogate that lacks its pair written as `\ufffd`.
pub fn without_lone_surrogates(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('\\') {
        let escape = &rest.as_bytes()[position + 1..];
        let length = match code_point(escape) {
            Some((char::REPLACEMENT_CHARACTER, length)) if is_surrogate(escape) => {
                mended.push_str(&rest[..position]);
                mended.push_str("\\ufffd");
                rest = &rest[position + 1 + length..];
                continue;
            }
            Some((_, length)) => length,
            None => 1,
        };
        let end = (position + 1 + length).min(rest.len());
        mended.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    mended + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_accepted_whole_or_not_at_all() {
        for text in [
            "{}",
            " [ ] ",
            "[1,NaN,-Infinity]",
            r#"{"a":{"b":[{}]},"c":"\u00e9"}"#,
        ] {
            assert!(check(text).is_some(), "{text}");
        }
        for text in [
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "[}",
            "1 2",
            "\"\u{1}\"",
            r#""\x""#,
        ] {
            assert_eq!(check(text), None, "{text}");
        }
        assert_eq!(check(&"[".repeat(1_000_000)), None);
    }

    #[test]
    fn members_are_split_by_structure() {
        let text = r#" { "a,b" : {"x":[1,"}"]} , "c\"d":"{,}" ,"e": 1 }"#;
        let expected = [
            ("a,b", r#"{"x":[1,"}"]}"#),
            ("c\"d", r#""{,}""#),
            ("e", "1"),
        ];
        let expected: Vec<_> = expected
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        assert_eq!(members(text), expected);
        assert!(members("{}").is_empty());
    }

    #[test]
    fn lone_surrogates_are_found_and_mended_and_pairs_are_kept() {
        let text = r#""\ud83d\ude00 \ud800 \\ud800 \udc00x""#;
        assert_eq!(
            check(text),
            Some(Checked {
                has_lone_surrogate: true
            })
        );
        let mended = without_lone_surrogates(text);
        assert_eq!(mended, r#""\ud83d\ude00 \ufffd \\ud800 \ufffdx""#);
        assert_eq!(
            check(&mended),
            Some(Checked {
                has_lone_surrogate: false
            })
        );
    }
}
