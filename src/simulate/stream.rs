//! Random numbers that are the same on every machine.
//!
//! A named generator, integer arithmetic and the five IEEE operations only: no logarithm or power of a maths library, whose last bit differs between systems and
//! could tip a draw over.

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A stream of random numbers of one customer for one purpose.
pub(super) struct Stream(Xoshiro256PlusPlus);

/// What a stream is for. Each purpose has a stream of its own, so that changing how customers respond does not change how they live.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Life = 1,
    Arm = 2,
    Response = 3,
    Household = 4,
    Need = 5,
    Offer = 6,
    Allocation = 7,
}

impl Stream {
    /// The stream of a customer: neighbouring seeds and customers give unrelated streams.
    pub(super) fn new(seed: u64, customer: u32, purpose: Purpose) -> Self {
        let key = scramble(scramble(seed) ^ u64::from(customer)) ^ ((purpose as u64) << 60);
        Self(Xoshiro256PlusPlus::seed_from_u64(scramble(key)))
    }

    /// The same for one of several things of a customer: a category, an offer.
    pub(super) fn of(seed: u64, customer: u32, purpose: Purpose, thing: usize) -> Self {
        let key = scramble(scramble(scramble(seed) ^ u64::from(customer)) ^ thing as u64) ^ ((purpose as u64) << 60);
        Self(Xoshiro256PlusPlus::seed_from_u64(scramble(key)))
    }

    /// Uniform on [0, 1), 32 bits.
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.high()) / 4_294_967_296.0
    }

    /// Uniform on `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform on the integers below `n`.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        u32::try_from((u64::from(self.high()) * u64::from(n)) >> 32).unwrap_or_default()
    }

    /// `true` with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Pareto from 1 with exponent 2, cut off at `most`: the heavy tail of customers' size.
    pub(super) fn heavy_tailed(&mut self, most: f64) -> f64 {
        (1.0 / (1.0 - self.unit()).sqrt()).min(most)
    }

    fn high(&mut self) -> u32 {
        u32::try_from(self.0.next_u64() >> 32).unwrap_or_default()
    }
}

/// One step of `SplitMix64` (Steele, Lea and Flood, 2014).
pub(super) const fn scramble(key: u64) -> u64 {
    let z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
