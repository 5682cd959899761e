//! Seeded hashing: random values as functions of (seed, a, b), so that nothing has to be remembered per
//! object and every part computes the same.

/// splitmix64's increment: 2^64 / φ, odd.
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes a seed and two coordinates into 64 well-spread bits: the splitmix64 finalizer
/// (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), once per coordinate.
#[inline]
pub fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let x = finalize(
        seed.wrapping_add(GOLDEN)
            .wrapping_add(a.wrapping_mul(GOLDEN)),
    );
    finalize(
        x.wrapping_add(GOLDEN)
            .wrapping_add(b.wrapping_mul(0xD1B5_4A32_D192_ED03)),
    )
}

/// splitmix64's finalizer.
#[inline]
pub(crate) fn finalize(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The seed of one named stream (an actor's name), so that two actors do not share their values.
/// FNV-1a over the name, mixed with the seed.
pub fn stream(seed: u64, name: &str) -> u64 {
    let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mix(seed, fnv, 0)
}

/// Bits → uniform in [0, 1), 53 bits.
#[inline]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Bits → exponential with mean 1, in (0, 37].
#[inline]
pub fn exponential(bits: u64) -> f64 {
    // 1 - unit is in (0, 1], whose logarithm is finite.
    -(1.0 - unit(bits)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn values_are_pinned_so_that_a_seed_means_the_same_in_every_version() {
        assert_eq!(mix(0, 0, 0), 0xA706_DD2F_4D19_7E6F);
        assert_eq!(mix(1, 2, 3), 0x3460_536E_99EA_DA85);
        assert_eq!(stream(7, "node-lease"), 0x7B8D_27FA_E203_9984);
    }

    #[test]
    fn neighbours_do_not_collide_and_are_uniform() {
        let mut seen = HashSet::new();
        let mut sum = 0.0;
        let mut octiles = [0_u32; 8];
        for a in 0..300 {
            for b in 0..300 {
                let h = mix(42, a, b);
                assert!(seen.insert(h));
                sum += unit(h);
                octiles[(unit(h) * 8.0) as usize] += 1;
            }
        }
        // 90,000 values: the mean's standard error is 0.001, an octile's 100.
        assert!((sum / 90_000.0 - 0.5).abs() < 0.005);
        assert!(
            octiles.iter().all(|&n| (10_750..11_750).contains(&n)),
            "{octiles:?}"
        );
        assert_ne!(mix(1, 2, 3), mix(1, 3, 2));
        assert_ne!(stream(1, "a"), stream(1, "b"));
    }

    #[test]
    fn exponential_has_mean_and_variance_one_and_is_finite_at_the_ends() {
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let x = exponential(mix(5, i, 0));
            sum += x;
            squares += x * x;
        }
        let mean = sum / n as f64;
        let variance = squares / n as f64 - mean * mean;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.06, "{variance}");
        assert_eq!(exponential(0), 0.0);
        assert!(exponential(u64::MAX) < 37.0);
    }
}
