//! One value where several metrics might serve.

/// The value found under the most preferred name of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Preferred {
    found: Option<Found>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    rank: usize,
    value: f64,
    increment: f64,
}

impl Preferred {
    /// Takes a value unless a better-ranked one is there; of equals, the last one stays.
    pub(super) fn replace(&mut self, rank: usize, value: f64) {
        if self.found.is_none_or(|found| rank <= found.rank) {
            self.found = Some(Found { rank, value, increment: 0.0 });
        }
    }

    /// Takes a value unless a better-ranked one is there; equals add up, as series of one metric do.
    pub(super) fn add(&mut self, rank: usize, value: f64, increment: f64) {
        match &mut self.found {
            Some(found) if found.rank < rank => {}
            Some(found) if found.rank == rank => {
                found.value += value;
                found.increment += increment;
            }
            _ => self.found = Some(Found { rank, value, increment }),
        }
    }

    /// The value.
    pub(super) fn value(&self) -> Option<f64> {
        self.found.map(|found| found.value)
    }

    /// What the value has gained, for counters.
    pub(super) fn increment(&self) -> Option<f64> {
        self.found.map(|found| found.increment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_name_wins_in_either_order() {
        let (mut early, mut late) = (Preferred::default(), Preferred::default());
        early.add(0, 10.0, 1.0);
        early.add(1, 99.0, 9.0);
        late.add(1, 99.0, 9.0);
        late.add(0, 10.0, 1.0);
        assert_eq!(early, late);
        assert_eq!(early.value(), Some(10.0));
        early.add(0, 5.0, 2.0);
        assert_eq!((early.value(), early.increment()), (Some(15.0), Some(3.0)));
    }
}
