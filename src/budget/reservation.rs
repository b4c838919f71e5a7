//! A bounded amount of one resource, and what has been taken of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A bounded amount of one resource. Clones share it.
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
    limit: u64,
}

struct Shared {
    name: &'static str,
    used: AtomicU64,
    /// How many wait: as long as nobody does, giving back touches no lock.
    waiting: AtomicU64,
    /// Told whenever something is given back.
    returned: Notify,
}

/// Counts in `waiting` as long as it is there.
struct Waiting<'a>(&'a AtomicU64);

/// What was asked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} has {limit} in all, and {wanted} more are needed")]
pub struct Exhausted {
    /// The budget.
    pub name: &'static str,
    /// How much was asked for, with what the reservation already held.
    pub wanted: u64,
    /// How much there is in all.
    pub limit: u64,
}

impl Exhausted {
    /// Whether waiting cannot help: more was asked for than there will ever be.
    pub fn is_final(&self) -> bool {
        self.wanted > self.limit
    }
}

/// A part of a [`Budget`], given back when it is dropped.
pub struct Reservation {
    shared: Arc<Shared>,
    limit: u64,
    amount: u64,
}

impl Budget {
    /// `limit` units of what `name` says.
    pub fn new(name: &'static str, limit: u64) -> Self {
        let (used, waiting) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { name, used, waiting, returned: Notify::new() }), limit }
    }

    /// The same budget for those who leave half of it to others: they get nothing while half of it is taken, by whomever.
    pub fn first_half(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), limit: self.limit / 2 }
    }

    /// How much there is in all.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much is taken now.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Acquire)
    }

    /// A reservation of nothing yet.
    pub fn empty(&self) -> Reservation {
        Reservation { shared: Arc::clone(&self.shared), limit: self.limit, amount: 0 }
    }

    /// Takes `amount` if it is there now.
    pub fn try_reserve(&self, amount: u64) -> Result<Reservation, Exhausted> {
        let mut reservation = self.empty();
        reservation.try_grow(amount)?;
        Ok(reservation)
    }

    /// Takes `amount`, waiting up to `patience` for others to give it back. More than there ever is fails at once.
    pub async fn reserve(&self, amount: u64, patience: Duration) -> Result<Reservation, Exhausted> {
        let mut reservation = self.empty();
        reservation.grow(amount, patience).await?;
        Ok(reservation)
    }
}

impl Reservation {
    /// How much it holds.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Takes `more` if it is there now; otherwise the reservation stays as it is.
    pub fn try_grow(&mut self, more: u64) -> Result<(), Exhausted> {
        self.shared.take(more, self.amount, self.limit)?;
        self.amount += more;
        Ok(())
    }

    /// Takes `more`, waiting up to `patience` for others to give it back. More than there ever is fails at once.
    pub async fn grow(&mut self, more: u64, patience: Duration) -> Result<(), Exhausted> {
        let until = Instant::now() + patience;
        let shared = Arc::clone(&self.shared);
        let _waiting = Waiting::new(&shared.waiting);
        loop {
            // Before the look: what is given back after it is not missed.
            let returned = shared.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            match self.try_grow(more) {
                Err(exhausted) if !exhausted.is_final() => {
                    tokio::time::timeout_at(until, returned).await.map_err(|_| exhausted)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The whole of it, for another holder; this one keeps nothing.
    pub fn take(&mut self) -> Self {
        Self { shared: Arc::clone(&self.shared), limit: self.limit, amount: std::mem::take(&mut self.amount) }
    }

    /// Gives back `less` of it, at most all.
    pub fn shrink(&mut self, less: u64) {
        let less = less.min(self.amount);
        self.amount -= less;
        self.shared.give_back(less);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.give_back(self.amount);
    }
}

impl Shared {
    /// `held` is what the reservation already has.
    fn take(&self, amount: u64, held: u64, limit: u64) -> Result<(), Exhausted> {
        let taken = self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(amount).filter(|used| *used <= limit)
        });
        let wanted = amount.saturating_add(held);
        taken.map(drop).map_err(|_| Exhausted { name: self.name, wanted, limit })
    }

    fn give_back(&self, amount: u64) {
        if amount > 0 {
            // In one order with `Waiting` and `take`: either this sees who waits, or that one sees what is given back.
            self.used.fetch_sub(amount, Ordering::SeqCst);
            if self.waiting.load(Ordering::SeqCst) > 0 {
                self.returned.notify_waiters();
            }
        }
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let budget = Budget::new("memory", 10);
        let mut first = budget.try_reserve(6).unwrap();
        let refused = budget.try_reserve(5).err().unwrap();
        assert!(!refused.is_final());
        first.try_grow(4).unwrap();
        assert_eq!((budget.used(), first.amount()), (10, 10));
        assert!(first.try_grow(1).unwrap_err().is_final());
        first.shrink(3);
        let second = budget.try_reserve(3).unwrap();
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn half_is_left_to_others() {
        let budget = Budget::new("memory", 10);
        let half = budget.first_half();
        let crowd = half.try_reserve(5).unwrap();
        assert!(half.try_reserve(1).is_err());
        let _other = budget.try_reserve(5).unwrap();
        drop(crowd);
        assert_eq!((half.used(), half.limit()), (5, 5));
        assert!(half.try_reserve(1).is_err(), "it does not matter who has taken half");
    }

    #[tokio::test]
    async fn a_wait_ends_when_there_is_enough_or_the_patience_is_at_its_end() {
        let budget = Budget::new("memory", 10);
        let held = budget.try_reserve(8).unwrap();
        assert!(budget.reserve(5, Duration::from_millis(1)).await.is_err());
        assert!(budget.reserve(11, Duration::from_secs(3_600)).await.err().unwrap().is_final());
        let waiting = budget.clone();
        let waiting = tokio::spawn(async move { waiting.reserve(5, Duration::from_secs(60)).await.is_ok() });
        tokio::task::yield_now().await;
        drop(held);
        assert!(waiting.await.unwrap());
    }
}
