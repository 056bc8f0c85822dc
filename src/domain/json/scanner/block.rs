//! Sixty-four bytes of JSON text, searched together: no branch for a byte.

use wide::u8x16;

use crate::domain::json::Malformed;

/// What is known of the 64 bytes that are looked at together, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    /// Quotes that begin or end a string, those that were passed left out.
    pub(super) quotes: u64,
    /// Backslashes and control characters.
    pub(super) special: u64,
    /// Whether the first byte of the next block is escaped.
    pub(super) escapes_next: bool,
}

/// How many bytes a block has.
pub(super) const BLOCK: usize = 64;

const LANES: usize = 16;

impl Block {
    #[inline]
    pub(super) fn of(bytes: &[u8; BLOCK], first_is_escaped: bool) -> Self {
        let (lanes, _) = bytes.as_chunks::<LANES>();
        let lanes = [lanes[0], lanes[1], lanes[2], lanes[3]].map(u8x16::new);
        let quotes = mask(lanes.map(|lanes| lanes.simd_eq(u8x16::splat(b'"'))));
        let backslashes = lanes.map(|lanes| lanes.simd_eq(u8x16::splat(b'\\')));
        let controls = lanes.map(|lanes| lanes.simd_le(u8x16::splat(0x1F)));
        let [one, two, three, four] = [0, 1, 2, 3].map(|lane| backslashes[lane] | controls[lane]);
        if (one | two | three | four).to_bitmask() == 0 && !first_is_escaped {
            return Self { quotes, special: 0, escapes_next: false };
        }
        let backslashes = mask(backslashes);
        let (escaped, escapes_next) = escaped(backslashes, first_is_escaped);
        Self { quotes: quotes & !escaped, special: mask([one, two, three, four]), escapes_next }
    }
}

#[inline]
fn mask(lanes: [u8x16; BLOCK / LANES]) -> u64 {
    let [one, two, three, four] = lanes.map(|lanes| u64::from(lanes.to_bitmask()));
    one | two << LANES | three << (2 * LANES) | four << (3 * LANES)
}

/// The bytes that a backslash before them escapes, and whether the one behind the block is.
fn escaped(backslashes: u64, first_is_escaped: bool) -> (u64, bool) {
    let mut escaped = u64::from(first_is_escaped);
    let mut left = backslashes & !escaped;
    while left != 0 {
        let backslash = left & left.wrapping_neg();
        if backslash == 1 << (BLOCK - 1) {
            return (escaped, true);
        }
        escaped |= backslash << 1;
        left &= !(backslash | backslash << 1);
    }
    (escaped, false)
}

/// All bits above the lowest one.
#[inline]
pub(super) fn above(bits: u64) -> u64 {
    !(bits ^ (bits - 1))
}

/// All bits below this position.
#[inline]
pub(super) fn below(position: u32) -> u64 {
    (1 << position) - 1
}

/// The last block of a text, which is not a whole one.
#[cold]
pub(super) fn last_block(bytes: &[u8], first_is_escaped: bool) -> Result<Block, Malformed> {
    if bytes.is_empty() {
        return Err(Malformed);
    }
    let mut block = [b' '; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    Ok(Block::of(&block, first_is_escaped))
}
