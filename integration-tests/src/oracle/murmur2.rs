//! Where Java clients put a key: murmur2 with Kafka's seed, as the protocol guide and Kafka's own tests have it.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The hash of a key.
#[must_use]
pub fn hash(key: &[u8]) -> u32 {
    let length = u32::try_from(key.len()).expect("a Kafka key is shorter than 4 GiB");
    let mut hash = SEED ^ length;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition of a key among this many.
///
/// # Panics
/// When there is no partition.
#[must_use]
pub fn partition(key: &[u8], partitions: usize) -> i32 {
    let partitions = u32::try_from(partitions).expect("a partition count fits 32 bits");
    i32::try_from((hash(key) & 0x7fff_ffff) % partitions).expect("a remainder of 31 bits fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_java() {
        // From the unit test of org.apache.kafka.common.utils.Utils.murmur2.
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(hash(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }
}
