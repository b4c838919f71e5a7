//! What a piece of work takes of a budget while it finds out how much it needs.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::runtime::Handle;

use super::reservation::{Budget, Exhausted, Reservation};
use super::turn::Turn;

/// A [`Reservation`] that grows and shrinks as the work goes on, in steps, so that counting costs nearly nothing.
///
/// It belongs to one thread at a time. With a patience that thread may block, until others give something back.
pub struct Allowance {
    held: RefCell<Reservation>,
    /// What is in use: never more than what is held.
    used: Cell<u64>,
    patience: Option<(Duration, Turn)>,
}

/// What is taken at a time, and kept when less is needed.
const STEP: u64 = 256 << 10;

impl Allowance {
    /// An empty one that draws on `budget`, and waits for nobody.
    pub fn of(budget: &Budget) -> Self {
        Self { held: RefCell::new(budget.empty()), used: Cell::new(0), patience: None }
    }

    /// One that waits up to `patience` for others, who have its `turn` meanwhile. Only a thread on which no asynchronous task
    /// runs may wait.
    pub fn patient(budget: &Budget, patience: Duration, turn: Turn) -> Self {
        Self { patience: Some((patience, turn)), ..Self::of(budget) }
    }

    /// One that draws on a budget of its own of `limit`.
    pub fn alone(limit: u64) -> Self {
        Self::of(&Budget::new("this piece of work", limit))
    }

    /// What is in use.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    /// Counts `more` as used. On an error nothing has changed.
    pub fn take(&self, more: u64) -> Result<(), Exhausted> {
        let used = self.used.get().saturating_add(more);
        let mut held = self.held.borrow_mut();
        let missing = used.saturating_sub(held.amount());
        if missing > 0 && (missing >= STEP || held.try_grow(STEP).is_err()) {
            self.grow(&mut held, missing)?;
        }
        self.used.set(used);
        Ok(())
    }

    /// Sets what is used to `used`, which is less than before.
    pub fn settle(&self, used: u64) {
        let used = used.min(self.used.get());
        self.used.set(used);
        let mut held = self.held.borrow_mut();
        let spare = held.amount().saturating_sub(used);
        if spare > STEP {
            held.shrink(spare - STEP);
        }
    }

    /// Counts `less` as used no more.
    pub fn give_back(&self, less: u64) {
        self.settle(self.used.get().saturating_sub(less));
    }

    fn grow(&self, held: &mut Reservation, missing: u64) -> Result<(), Exhausted> {
        match (held.try_grow(missing), &self.patience, Handle::try_current()) {
            (Err(exhausted), Some((patience, turn)), Ok(runtime)) if !exhausted.is_final() => {
                runtime.block_on(turn.without(held.grow(missing, *patience))).unwrap_or(Err(exhausted))
            }
            (outcome, ..) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::turn::Turns;
    use super::*;

    #[test]
    fn what_is_used_is_held_and_what_is_not_goes_back() {
        let budget = Budget::new("memory", 8 << 20);
        let work = Allowance::of(&budget);
        work.take(1).unwrap();
        assert_eq!((work.used(), budget.used()), (1, STEP));
        work.take(6 << 20).unwrap();
        let other = Allowance::of(&budget);
        let refused = other.take(4 << 20).unwrap_err();
        assert!(!refused.is_final());
        assert!(work.take(8 << 20).unwrap_err().is_final());
        assert_eq!(work.used(), (6 << 20) + 1);
        work.settle(10);
        other.take(4 << 20).unwrap();
        drop((work, other));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_last_bytes_are_there_for_whoever_needs_no_more() {
        let work = Allowance::alone(10);
        work.take(10).unwrap();
        assert!(work.take(1).is_err());
        work.give_back(4);
        work.take(4).unwrap();
    }

    #[tokio::test]
    async fn a_thread_that_may_wait_gets_what_others_give_back_and_they_have_its_turn() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let budget = Budget::new("memory", 1 << 20);
        let held = budget.try_reserve(1 << 20).unwrap();
        let turns = Turns::new(1, PATIENCE);
        let turn = turns.take().await.unwrap();
        let waiting = Allowance::patient(&budget, PATIENCE, turn);
        let waiting = tokio::task::spawn_blocking(move || waiting.take(1 << 19).is_ok());
        let other = turns.take().await.unwrap();
        drop(held);
        other.end();
        assert!(waiting.await.unwrap());
    }
}
