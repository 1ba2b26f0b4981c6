//! Owns JSON as trackers write it: numbers to the last bit, bare NaN and Infinity, no recursion.

/// Deeper nesting than this is refused: whoever parses the text later may use a stack.
const DEPTH: usize = 512;

/// A JSON value that is one number, truth value or null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Float(f64),
    Int(i64),
    /// An integer that 64 bits cannot hold.
    HugeInt,
    Bool(bool),
    Null,
    /// A string, list or mapping, or no JSON at all.
    Other,
}

/// What one value is, if it is a scalar.
#[inline]
pub fn scalar(text: &[u8]) -> Scalar {
    match text {
        [b'0'..=b'9', ..] => number(text, text),
        [b'-', digits @ ..] => number(text, digits),
        b"true" => Scalar::Bool(true),
        b"false" => Scalar::Bool(false),
        b"null" => Scalar::Null,
        b"NaN" => Scalar::Float(f64::NAN),
        b"Infinity" => Scalar::Float(f64::INFINITY),
        _ => Scalar::Other,
    }
}

#[inline]
fn number(text: &[u8], unsigned: &[u8]) -> Scalar {
    let whole = unsigned
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if whole == 0 {
        let is_infinity = unsigned == b"Infinity";
        return if is_infinity {
            Scalar::Float(f64::NEG_INFINITY)
        } else {
            Scalar::Other
        };
    }
    if whole > 1 && unsigned[0] == b'0' {
        return Scalar::Other;
    }
    match unsigned.get(whole) {
        None => integer(text, unsigned),
        Some(b'.') if !unsigned.get(whole + 1).is_some_and(u8::is_ascii_digit) => Scalar::Other,
        Some(b'.' | b'e' | b'E') => fast_float2::parse(text).map_or(Scalar::Other, Scalar::Float),
        Some(_) => Scalar::Other,
    }
}

fn integer(text: &[u8], unsigned: &[u8]) -> Scalar {
    let is_negative = text.len() > unsigned.len();
    if unsigned.len() > 19 {
        return Scalar::HugeInt;
    }
    let magnitude = unsigned
        .iter()
        .fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    if is_negative && magnitude == 0 {
        return Scalar::Float(-0.0); // no integer has a sign of zero: a float was written short
    }
    let signed = if is_negative {
        -i128::from(magnitude)
    } else {
        i128::from(magnitude)
    };
    i64::try_from(signed).map_or(Scalar::HugeInt, Scalar::Int)
}

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
fn string_end(text: &[u8], start: usize) -> Option<usize> {
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

/// A string as JSON.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..=' ' if character != ' ' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A float as JSON, with the shortest digits that give it back.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_how_they_are_written() {
        assert_eq!(scalar(b"1"), Scalar::Int(1));
        assert_eq!(scalar(b"1.0"), Scalar::Float(1.0));
        assert_eq!(scalar(b"1.18e+21"), Scalar::Float(1.18e21));
        assert_eq!(scalar(b"9223372036854775807"), Scalar::Int(i64::MAX));
        assert_eq!(scalar(b"-9223372036854775808"), Scalar::Int(i64::MIN));
        assert_eq!(scalar(b"9223372036854775808"), Scalar::HugeInt);
        assert_eq!(scalar(b"1e400"), Scalar::Float(f64::INFINITY));
        assert!(matches!(scalar(b"-0"), Scalar::Float(zero) if zero.is_sign_negative()));
    }

    #[test]
    fn what_is_no_json_number_is_none() {
        for text in [
            "", "-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "1.5.5", "0x1", "inf",
        ] {
            assert_eq!(scalar(text.as_bytes()), Scalar::Other, "{text}");
            assert_eq!(check(text), None, "{text}");
        }
    }

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
