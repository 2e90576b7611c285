//! Which of several streams a player chooses: the k-th with a weight of 1 / k^s (Zipf's law), as
//! viewers choose from a catalogue. With s = 0 all are alike.

/// The shares of the choices, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Zipf {
    /// The last is the sum of all weights.
    sums: Vec<f64>,
}

impl Zipf {
    /// The law for so many choices. `exponent` is s.
    pub fn new(choices: usize, exponent: f64) -> Self {
        let weight = |rank: usize| (rank as f64).powf(-exponent);
        let sums = (1..=choices)
            .map(weight)
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Self { sums }
    }

    /// The choice for a number from 0 to below 1. There is always a choice 0.
    pub fn choose(&self, fraction: f64) -> usize {
        let total = self.sums.last().copied().unwrap_or_default();
        let wanted = fraction * total;
        let place = self.sums.partition_point(|sum| *sum <= wanted);
        place.min(self.sums.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_law() {
        let count = |zipf: &Zipf| {
            let mut counts = vec![0; 4];
            for step in 0..2500 {
                counts[zipf.choose((f64::from(step) + 0.5) / 2500.0)] += 1;
            }
            counts
        };
        assert_eq!(count(&Zipf::new(4, 0.0)), [625; 4]);
        assert_eq!(count(&Zipf::new(4, 1.0)), [1200, 600, 400, 300]);
    }

    #[test]
    fn every_number_is_a_choice() {
        for fraction in [0.0, 0.5, 1.0, 2.0, -1.0, f64::NAN] {
            assert!(Zipf::new(3, 1.0).choose(fraction) < 3);
            assert_eq!(Zipf::new(0, 1.0).choose(fraction), 0);
        }
    }
}
