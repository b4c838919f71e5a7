//! A strategy's positions, and the profit that follows from its fills.

/// Positions by the number of their instrument.
#[derive(Debug, Default)]
pub(super) struct Account {
    positions: Vec<Position>,
    /// Profit of closed parts, and of what was before.
    realized: f64,
    closed: u32,
    won: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Position {
    /// Units; negative when short.
    quantity: f64,
    /// What a unit of the open part cost on average.
    cost: f64,
}

impl Account {
    /// Nothing open in any of `instruments`; `profit` was earned before.
    pub(super) fn new(instruments: usize, profit: f64) -> Self {
        Self { positions: vec![Position::default(); instruments], realized: profit, ..Self::default() }
    }

    /// Units held of an instrument; negative when short.
    pub(super) fn quantity(&self, instrument: usize) -> f64 {
        self.positions.get(instrument).map_or(0.0, |position| position.quantity)
    }

    /// Books a fill: `quantity` is negative for a sale.
    pub(super) fn fill(&mut self, instrument: usize, quantity: f64, price: f64) {
        let Some(position) = self.positions.get_mut(instrument) else { return };
        let opposite = position.quantity * quantity < 0.0;
        let closing = if opposite { position.quantity.abs().min(quantity.abs()) * quantity.signum() } else { 0.0 };
        if opposite {
            let profit = (position.cost - price) * closing;
            self.realized += profit;
            self.closed += 1;
            self.won += u32::from(profit > 0.0);
            position.quantity += closing;
        }
        let opening = quantity - closing;
        if opening != 0.0 {
            let held = position.quantity;
            position.cost = (position.cost * held + price * opening) / (held + opening);
            position.quantity += opening;
        }
    }

    /// All profit, with open positions at what they are worth now.
    pub(super) fn profit(&self, worth: impl Iterator<Item = f64>) -> f64 {
        let unrealized = self.positions.iter().zip(worth).map(|(open, worth)| open.quantity * (worth - open.cost));
        self.realized + unrealized.sum::<f64>()
    }

    /// How many positions are open.
    pub(super) fn open(&self) -> usize {
        self.positions.iter().filter(|position| position.quantity != 0.0).count()
    }

    /// Winning share of the trades that closed something; `None` before the first.
    pub(super) fn win_rate(&self) -> Option<f64> {
        (self.closed > 0).then(|| f64::from(self.won) / f64::from(self.closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_realises_the_difference() {
        let mut account = Account::new(1, 5.0);
        account.fill(0, 10.0, 100.0);
        account.fill(0, 10.0, 110.0);
        assert_eq!(account.profit([107.0].into_iter()), 5.0 + 20.0 * 2.0);
        account.fill(0, -15.0, 111.0);
        assert_eq!((account.quantity(0), account.open(), account.win_rate()), (5.0, 1, Some(1.0)));
        assert_eq!(account.profit([111.0].into_iter()), 5.0 + 20.0 * 6.0);
    }

    #[test]
    fn a_fill_through_zero_closes_and_opens() {
        let mut account = Account::new(1, 0.0);
        account.fill(0, -4.0, 50.0);
        account.fill(0, 10.0, 55.0);
        assert_eq!((account.quantity(0), account.win_rate()), (6.0, Some(0.0)));
        assert_eq!(account.profit([56.0].into_iter()), -20.0 + 6.0);
        account.fill(0, -6.0, 56.0);
        assert_eq!((account.open(), account.win_rate()), (0, Some(0.5)));
    }
}
