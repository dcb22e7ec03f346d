//! Random numbers that do not depend on threads: every draw of every setting has a stream of its own.

use std::f64::consts::TAU;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// A stream of random numbers.
pub(crate) struct Dice {
    stream: Xoshiro256PlusPlus,
    /// The second of the last pair of normal numbers.
    spare: Option<f64>,
}

impl Dice {
    /// The stream of a draw of what is called `name`.
    pub(crate) fn new(name: &str, draw: usize) -> Self {
        Self { stream: Xoshiro256PlusPlus::seed_from_u64(Self::seed(name, draw)), spare: None }
    }

    /// The seed of a draw of what is called `name`.
    pub(crate) fn seed(name: &str, draw: usize) -> u64 {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        seed ^ (draw as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Uniform on [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `true` with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform on the integers below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Standard normal (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        let (sin, cos) = libm::sincos(TAU * self.unit());
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Lognormal with mean 1 and `sigma` the standard deviation of its logarithm.
    pub(crate) fn lognormal(&mut self, sigma: f64) -> f64 {
        libm::exp(sigma * (self.normal() - sigma / 2.0))
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Puts values in a random order (Fisher and Yates 1938).
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last + 1);
            values.swap(last, other);
        }
    }
}
