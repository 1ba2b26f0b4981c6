//! Owns DEFLATE (RFC 1951) of text whose repeats are known where it is made.
//!
//! A general packer spends its time on looking for repeats. Here whoever writes the text says them,
//! and the code is one that suits digits: it is the same for all blocks, and made when this is
//! compiled.

/// How far back a repeat may lie.
pub const WINDOW: u64 = 1 << 15;
/// Shorter ones cannot be said.
pub const LEAST: usize = 3;
/// Longer ones are said in pieces.
const MOST: usize = 258;

const END: usize = 256;
const LENGTHS: usize = 286;
const DISTANCES: usize = 30;

/// Bits and how many they are; the first to be written is the lowest.
#[derive(Clone, Copy)]
struct Code {
    bits: u32,
    size: u8,
}

/// Sizes of codes: digits are most of what is not repeated.
const SIZES: [u8; LENGTHS] = {
    let mut sizes = [0; LENGTHS];
    let mut symbol = 0;
    while symbol < LENGTHS {
        sizes[symbol] = match symbol {
            0x30..=0x39 => 4, // 0 to 9
            0x2e => 5,        // the point
            0x2d => 6,        // the sign
            257.. => 7,       // lengths of repeats
            0x20..=0x7e => 10,
            9..=13 | END => 12,
            _ => 13,
        };
        symbol += 1;
    }
    sizes
};

/// Most repeats are of the event before: 129 to 512 bytes back are the symbols 14 to 17.
const DISTANCE_SIZES: [u8; DISTANCES] = {
    let mut sizes = [6; DISTANCES];
    let mut symbol = 12;
    while symbol < 22 {
        sizes[symbol] = if matches!(symbol, 14..=17) { 3 } else { 5 };
        symbol += 1;
    }
    sizes
};

const CODES: [Code; LENGTHS] = codes(&SIZES);
const DISTANCE_CODES: [Code; DISTANCES] = codes(&DISTANCE_SIZES);

/// The sizes that occur, each of which has three bits in the head of a block.
const HEAD_SIZES: [u8; 19] = {
    let mut sizes = [0; 19];
    let used = [3, 4, 5, 6, 7, 10, 12, 13];
    let mut at = 0;
    while at < used.len() {
        sizes[used[at]] = 3;
        at += 1;
    }
    sizes
};
const HEAD_CODES: [Code; 19] = codes(&HEAD_SIZES);
/// The order in which a block says these sizes; what follows the last that is used is left out.
const HEAD_ORDER: [usize; 15] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13];

/// What says a length, for each.
const REPEATS: [Code; MOST + 1] = {
    let mut repeats = [Code { bits: 0, size: 0 }; MOST + 1];
    let mut length = LEAST;
    while length <= MOST {
        let beyond = (length - LEAST) as u32;
        let (symbol, more) = if length == MOST {
            (285, 0)
        } else if beyond < 8 {
            (257 + beyond, 0)
        } else {
            let high = beyond.ilog2();
            (257 + 4 * (high - 1) + (beyond >> (high - 2) & 3), high - 2)
        };
        let code = CODES[symbol as usize];
        let rest = beyond & ((1 << more) - 1);
        repeats[length] = Code {
            bits: code.bits | rest << code.size,
            size: code.size + more as u8,
        };
        length += 1;
    }
    repeats
};

/// The canonical code of these sizes. It has to be complete: then every reader takes it.
const fn codes<const SYMBOLS: usize>(sizes: &[u8; SYMBOLS]) -> [Code; SYMBOLS] {
    let mut codes = [Code { bits: 0, size: 0 }; SYMBOLS];
    let (mut next, mut size) = (0u32, 1);
    while size < 16 {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if sizes[symbol] == size {
                codes[symbol] = Code {
                    bits: next.reverse_bits() >> (32 - size),
                    size,
                };
                next += 1;
            }
            symbol += 1;
        }
        next <<= 1;
        size += 1;
    }
    assert!(next == 1 << 16, "the code is not complete");
    codes
}

/// Packs text, as raw DEFLATE.
#[derive(Default)]
pub struct Packer {
    /// Whole bytes of it, until somebody takes them.
    pub out: Vec<u8>,
    bits: u64,
    size: u32,
    is_in_block: bool,
}

impl Packer {
    /// Text that stands nowhere before.
    #[inline]
    pub fn literally(&mut self, text: &[u8]) {
        self.begin();
        for byte in text {
            self.put(CODES[usize::from(*byte)]);
        }
    }

    /// So many bytes, at least `LEAST`, as they stand `distance` bytes before, at most `WINDOW`.
    #[inline]
    pub fn repeat(&mut self, mut length: usize, distance: u64) {
        self.begin();
        let place = distance_code(distance as u32);
        while length > MOST {
            let some = MOST.min(length - LEAST);
            self.put(REPEATS[some]);
            self.put(place);
            length -= some;
        }
        self.put(REPEATS[length]);
        self.put(place);
    }

    /// Whole blocks that somebody else made, none of them the last.
    pub fn blocks(&mut self, packed: &[u8]) {
        self.end();
        self.out.extend_from_slice(packed);
    }

    /// Say that this is all.
    pub fn finish(&mut self) {
        self.end();
        self.out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]); // an empty last block
    }

    #[inline]
    fn begin(&mut self) {
        if !self.is_in_block {
            self.head();
        }
    }

    /// A block with codes of its own, and what they are.
    #[cold]
    fn head(&mut self) {
        self.is_in_block = true;
        let said = [
            (0b100, 3), // not the last
            (LENGTHS - 257, 5),
            (DISTANCES - 1, 5),
            (HEAD_ORDER.len() - 4, 4),
        ];
        let plain = |(bits, size): (usize, u8)| Code {
            bits: bits as u32,
            size,
        };
        said.into_iter().for_each(|one| self.put(plain(one)));
        for symbol in HEAD_ORDER {
            self.put(plain((usize::from(HEAD_SIZES[symbol]), 3)));
        }
        for size in SIZES.into_iter().chain(DISTANCE_SIZES) {
            self.put(HEAD_CODES[usize::from(size)]);
        }
    }

    /// End the block, and stand at the beginning of a byte.
    fn end(&mut self) {
        if self.is_in_block {
            self.is_in_block = false;
            self.put(CODES[END]);
            self.put(Code { bits: 0, size: 3 }); // what follows is stored, and empty
            let bytes = self.size.div_ceil(8) as usize;
            self.out
                .extend_from_slice(&self.bits.to_le_bytes()[..bytes]);
            self.out.extend_from_slice(&[0, 0, 0xff, 0xff]);
            (self.bits, self.size) = (0, 0);
        }
    }

    #[inline]
    fn put(&mut self, code: Code) {
        self.bits |= u64::from(code.bits) << self.size;
        self.size += u32::from(code.size);
        if self.size >= 32 {
            self.out
                .extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.size -= 32;
        }
    }
}

#[inline]
fn distance_code(distance: u32) -> Code {
    let before = distance - 1;
    let (symbol, more) = if before < 4 {
        (before, 0)
    } else {
        let high = before.ilog2();
        (2 * high + (before >> (high - 1) & 1), high - 1)
    };
    let code = DISTANCE_CODES[symbol as usize];
    let rest = before & ((1 << more) - 1);
    Code {
        bits: code.bits | rest << code.size,
        size: code.size + more as u8,
    }
}
