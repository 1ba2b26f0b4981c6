//! Owns decimal fractions of up to 19 digits: the double nearest to them, without a general parser.

/// More digits than this need not fit 64 bits.
const DIGITS: usize = 19;

/// A power of ten, and what dividing by it takes.
struct Divisor {
    power: u64,
    /// The power, shifted up to 64 bits.
    shifted: u64,
    /// ⌊(2¹²⁸ − 1) / shifted⌋ − 2⁶⁴
    reciprocal: u64,
    shift: u32,
}

const DIVISORS: [Divisor; DIGITS + 1] = {
    let mut divisors = [const { Divisor::of(1) }; DIGITS + 1];
    let mut at = 1;
    while at <= DIGITS {
        divisors[at] = Divisor::of(divisors[at - 1].power * 10);
        at += 1;
    }
    divisors
};

/// The digits at the start: the number they stand for, and how many they are.
///
/// The number is only right for up to 19 of them.
#[inline(always)]
pub fn leading_digits(text: &[u8]) -> (u64, usize) {
    let (mut sum, mut length) = (0u64, 0);
    while let Some(digit @ b'0'..=b'9') = text.get(length) {
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        length += 1;
    }
    (sum, length)
}

/// The double nearest to `whole.fraction`, ties to even; None where another parser has to look.
///
/// `length` is how many digits the whole part has.
#[inline(always)]
pub fn decimal(whole: u64, length: usize, fraction: &[u8]) -> Option<f64> {
    let room = DIGITS + usize::from(whole == 0); // a leading zero takes none
    if fraction.is_empty() || fraction.len() + length > room {
        return None;
    }
    let divisor = &DIVISORS[fraction.len()];
    Some(divisor.divide(whole * divisor.power + digits(fraction)?))
}

/// The number that up to 19 digits stand for; None if they are none.
#[inline(always)]
fn digits(text: &[u8]) -> Option<u64> {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().try_fold(0, |sum, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then_some(sum * 10 + u64::from(digit))
        });
    };
    let (chunks, tail) = text.as_chunks::<8>();
    let mut sum = 0;
    for chunk in chunks {
        sum = sum * 100_000_000 + eight_digits(u64::from_le_bytes(*chunk))?;
    }
    // The tail's length differs from value to value: a loop over it would be guessed wrong. So the
    // last eight bytes are read again, with zeros for those that were counted already.
    let new = u64::MAX.unbounded_shl(64 - 8 * tail.len() as u32);
    let last = u64::from_le_bytes(*last) & new | ZEROS & !new;
    Some(sum * DIVISORS[tail.len()].power + eight_digits(last)?)
}

/// Eight times the digit 0.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Eight digits at once, the first one in the lowest byte: pairs are added up, then pairs of those.
#[inline(always)]
fn eight_digits(text: u64) -> Option<u64> {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let beyond_nine = text.wrapping_add(0x0606_0606_0606_0606);
    if ((text ^ ZEROS) | (beyond_nine ^ ZEROS)) & HIGH != 0 {
        return None;
    }
    let ones = text - ZEROS;
    let twos = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

impl Divisor {
    const fn of(power: u64) -> Self {
        let shift = power.leading_zeros();
        let shifted = power << shift;
        Self {
            power,
            shifted,
            reciprocal: (u128::MAX / shifted as u128 - (1 << 64)) as u64,
            shift,
        }
    }

    /// The double nearest to a quotient, ties to even.
    ///
    /// With both shifted to 64 bits the integer quotient has 62 or 63 bits, nine more than a double:
    /// setting the lowest for any remainder cannot make a tie of what is none, nor undo one.
    #[inline(always)]
    fn divide(&self, dividend: u64) -> f64 {
        if dividend == 0 {
            return 0.0;
        }
        let shift = dividend.leading_zeros();
        let (quotient, remainder) = self.long_division(u128::from(dividend << shift) << 62);
        let exponent = 1023 - 62 + self.shift - shift;
        let odd_if_inexact = quotient | u64::from(remainder != 0);
        odd_if_inexact as i64 as f64 * f64::from_bits(u64::from(exponent) << 52)
    }

    /// Quotient and remainder of a dividend below `shifted` · 2⁶⁴, without a slow instruction.
    ///
    /// Algorithm 4 of Möller and Granlund, "Improved division by invariant integers" (2011).
    #[inline(always)]
    fn long_division(&self, dividend: u128) -> (u64, u64) {
        let guess = u128::from(self.reciprocal) * (dividend >> 64) + dividend;
        let mut quotient = ((guess >> 64) as u64).wrapping_add(1);
        let mut remainder = (dividend as u64).wrapping_sub(quotient.wrapping_mul(self.shifted));
        if remainder > guess as u64 {
            quotient = quotient.wrapping_sub(1);
            remainder = remainder.wrapping_add(self.shifted);
        }
        if remainder >= self.shifted {
            quotient += 1;
            remainder -= self.shifted;
        }
        (quotient, remainder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same in every run.
    fn random() -> impl Iterator<Item = u64> {
        let mut state = 20u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    fn assert_nearest(text: &str) {
        let (whole, fraction) = text.split_once('.').expect("a fraction");
        let (number, length) = leading_digits(whole.as_bytes());
        let Some(found) = decimal(number, length, fraction.as_bytes()) else {
            assert!(text.len() > DIGITS + 1, "{text}");
            return;
        };
        let nearest: f64 = text.parse().expect("a number");
        assert_eq!(found.to_bits(), nearest.to_bits(), "{text}");
    }

    #[test]
    fn any_digits_with_a_point_anywhere_give_the_nearest_double() {
        for digits in random().take(200_000) {
            let digits = (digits >> (digits % 61)).to_string();
            for point in [0, digits.len() / 2, digits.len() - 1] {
                let (whole, fraction) = digits.split_at(point);
                let whole = whole.trim_start_matches('0');
                let whole = if whole.is_empty() { "0" } else { whole };
                assert_nearest(&format!("{whole}.{fraction}"));
            }
        }
    }

    #[test]
    fn division_by_every_power_is_exact() {
        for divisor in &DIVISORS {
            for (high, low) in random().zip(random().skip(1)).take(20_000) {
                let dividend = u128::from(high % divisor.shifted) << 64 | u128::from(low);
                let shifted = u128::from(divisor.shifted);
                let exact = ((dividend / shifted) as u64, (dividend % shifted) as u64);
                assert_eq!(divisor.long_division(dividend), exact);
            }
        }
    }

    #[test]
    fn what_lies_halfway_or_next_to_it_goes_to_the_right_side() {
        for number in random().take(200_000) {
            // 54 bits with the last one set: halfway between two doubles
            let halfway = (number >> 10 | 1 << 53 | 1) as i128;
            for shift in 0..=3 {
                let scaled = halfway * 5i128.pow(shift); // halfway / 2^shift, without its point
                for near in [scaled - 1, scaled, scaled + 1] {
                    let digits = near.to_string();
                    let (whole, fraction) = digits.split_at(digits.len() - shift as usize);
                    assert_nearest(&format!("{whole}.{fraction}0"));
                }
            }
        }
    }

    #[test]
    fn the_shortest_digits_of_a_double_give_it_back() {
        for bits in random().take(200_000) {
            let exponent = 1023 - 60 + bits % 120;
            let value = f64::from_bits(bits >> 12 | exponent << 52);
            let text = value.to_string();
            if text.contains('.') {
                assert_nearest(&text);
            }
        }
    }

    #[test]
    fn a_byte_that_is_no_digit_is_seen_wherever_it_stands() {
        for length in 1..=DIGITS {
            for at in 0..length {
                for byte in (0..=255u8).filter(|byte| !byte.is_ascii_digit()) {
                    let mut text = vec![b'7'; length];
                    text[at] = byte;
                    assert_eq!(digits(&text), None, "{text:?}");
                }
            }
            let sevens = "7".repeat(length);
            assert_eq!(digits(sevens.as_bytes()), sevens.parse().ok());
        }
    }
}
