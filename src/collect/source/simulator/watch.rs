//! What a strategy looks at, and when it changes its mind.

use super::market::Instrument;

/// A price, or the relation of two, watched against its own moving averages.
///
/// All three strategies have this form: momentum follows a fast average away from a slow one, mean reversion goes
/// against a price that has left its average, and pairs trading does the same with the ratio of two prices.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// Instruments by number, and which way each is held.
    pub(super) legs: Vec<(usize, f64)>,
    style: Style,
    /// What counts as one standard deviation of the averages' distance.
    scale: f64,
    fast: Option<f64>,
    slow: f64,
    stance: f64,
}

/// How a strategy reads its averages. Spans are in looks at the market.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// 1 to follow a move, -1 to go against it.
    pub(super) direction: f64,
    /// Span of the fast average; 0 takes the price itself.
    pub(super) fast: f64,
    /// Span of the slow average.
    pub(super) slow: f64,
    /// Distance in standard deviations at which a position is entered.
    pub(super) enter: f64,
    /// Distance at which it is left.
    pub(super) leave: f64,
}

impl Watch {
    /// A watch over `legs`; `deviation` is that of their value between two looks.
    pub(super) fn new(legs: Vec<(usize, f64)>, style: Style, deviation: f64) -> Self {
        // The standard deviation of the distance between two averages of a random walk.
        let scale = deviation * (style.slow - style.fast) / (2.0 * (style.slow + style.fast)).sqrt();
        Self { legs, style, scale, fast: None, slow: 0.0, stance: 0.0 }
    }

    /// Looks at the market for its averages alone.
    pub(super) fn learn(&mut self, instruments: &[Instrument]) {
        self.look(instruments);
        self.stance = 0.0;
    }

    /// Looks at the market: -1, 0 or 1 for what to hold, and whether that is news.
    pub(super) fn look(&mut self, instruments: &[Instrument]) -> (f64, bool) {
        let legs = self.legs.iter();
        let value = legs.map(|(leg, sign)| sign * instruments.get(*leg).map_or(0.0, |one| one.mid.ln())).sum::<f64>();
        let fast = self.fast.get_or_insert_with(|| {
            self.slow = value;
            value
        });
        *fast += (value - *fast) / (1.0 + self.style.fast);
        self.slow += (value - self.slow) / (1.0 + self.style.slow);
        let score = self.style.direction * (*fast - self.slow) / self.scale.max(f64::MIN_POSITIVE);

        let stance = if self.stance == 0.0 && score.abs() > self.style.enter {
            score.signum()
        } else if self.stance * score < self.style.leave {
            0.0
        } else {
            self.stance
        };
        let news = stance != self.stance;
        self.stance = stance;
        (stance, news)
    }
}
