//! What bodies of requests take while they arrive, and who of them makes room when others need it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::holders::{Holders, Holding};
use super::reservation::{Budget, Exhausted, Reservation};

/// How long somebody waits until he looks again for those who can make room.
const LOOK: Duration = Duration::from_millis(20);
/// One look in this time is enough for all who wait: those who were cut have let go by then.
const PAUSE: Duration = Duration::from_millis(10);

/// A budget for bodies as they arrive. Those that are late make room for others, those first that are late for longest.
/// Clones share it.
#[derive(Clone)]
pub struct Arrivals {
    budget: Budget,
    crowd: Arc<Crowd>,
}

struct Crowd {
    holders: Arc<Holders>,
    began: Instant,
    /// When there may be another look, in milliseconds since the beginning.
    next_look: AtomicU64,
}

/// What one body has of it, given back when it is dropped.
pub struct BodyRoom {
    reservation: Reservation,
    arrivals: Arrivals,
    _holding: Holding,
}

impl Arrivals {
    /// `limit` units of what `name` says.
    pub fn new(name: &'static str, limit: u64) -> Self {
        let crowd = Crowd { holders: Arc::default(), began: Instant::now(), next_look: AtomicU64::new(0) };
        Self { budget: Budget::new(name, limit), crowd: Arc::new(crowd) }
    }

    /// The same for those who leave half of it to others.
    pub fn first_half(&self) -> Self {
        Self { budget: self.budget.first_half(), crowd: Arc::clone(&self.crowd) }
    }

    /// How much there is, and how much of it is taken.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes `amount` for a body, waiting up to `patience`; those that are late make room.
    pub async fn reserve(&self, body: &Arc<Arrival>, amount: u64, patience: Duration) -> Result<BodyRoom, Exhausted> {
        let mut reservation = self.budget.empty();
        self.grow(&mut reservation, amount, patience).await?;
        let late = Arc::clone(body);
        let holding = self.crowd.holders.hold(Arc::clone(body.late()), move || late.cut());
        Ok(BodyRoom { reservation, arrivals: self.clone(), _holding: holding })
    }

    /// Has some of those let go that are late for longest. Whether there are any.
    pub fn make_room(&self) -> bool {
        let now = u64::try_from(self.crowd.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = &self.crowd.next_look;
        let look = next.load(Ordering::Relaxed);
        let later = now + PAUSE.as_millis() as u64;
        look <= now
            && next.compare_exchange(look, later, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && self.crowd.holders.make_room(Duration::ZERO)
    }

    async fn grow(&self, reservation: &mut Reservation, more: u64, patience: Duration) -> Result<(), Exhausted> {
        if reservation.try_grow(more).is_ok() {
            return Ok(());
        }
        let until = Instant::now() + patience;
        loop {
            self.make_room();
            let left = until.saturating_duration_since(Instant::now());
            match reservation.grow(more, left.min(LOOK)).await {
                Err(exhausted) if left > LOOK && !exhausted.is_final() => {}
                outcome => return outcome,
            }
        }
    }
}

impl BodyRoom {
    /// How much it has.
    pub fn amount(&self) -> u64 {
        self.reservation.amount()
    }

    /// Takes `more`, waiting up to `patience`; those that are late make room.
    pub async fn grow(&mut self, more: u64, patience: Duration) -> Result<(), Exhausted> {
        self.arrivals.grow(&mut self.reservation, more, patience).await
    }

    /// The same for a body that has arrived, and makes no room any more.
    pub fn keep(mut self) -> Reservation {
        self.reservation.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Lets go when it is told to.
    fn obey(body: Arc<Arrival>, room: BodyRoom) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            body.is_cut().await;
            drop(room);
        })
    }

    #[tokio::test]
    async fn who_is_late_makes_room_and_who_has_arrived_does_not() {
        let arrivals = Arrivals::new("memory", 10);
        let (slow, whole, newcomer) = (Arrival::begin(), Arrival::begin(), Arrival::begin());
        let kept = arrivals.reserve(&whole, 5, PATIENCE).await.unwrap().keep();
        let slow = obey(Arc::clone(&slow), arrivals.reserve(&slow, 5, PATIENCE).await.unwrap());
        let began = Instant::now();
        let room = arrivals.reserve(&newcomer, 5, PATIENCE).await.unwrap();
        assert!(began.elapsed() < PATIENCE);
        slow.await.unwrap();
        assert_eq!((room.amount(), kept.amount(), arrivals.crowd.holders.cut()), (5, 5, 1));
        drop((room, kept));
        assert!(arrivals.crowd.holders.is_empty());
    }

    #[tokio::test]
    async fn one_that_keeps_pace_is_left_alone() {
        let arrivals = Arrivals::new("memory", 10);
        let (fast, newcomer) = (Arrival::begin(), Arrival::begin());
        let _room = arrivals.reserve(&fast, 10, PATIENCE).await.unwrap();
        let sending = async {
            loop {
                fast.received(1 << 20);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            refused = arrivals.reserve(&newcomer, 1, 4 * LOOK) => assert!(refused.is_err()),
            () = sending => {}
        }
        assert_eq!(arrivals.crowd.holders.cut(), 0);
    }

    #[tokio::test]
    async fn bodies_that_wait_for_each_other_do_not_do_so_for_ever() {
        let arrivals = Arrivals::new("memory", 10);
        let grow = async |body: &Arc<Arrival>| {
            let mut room = arrivals.reserve(body, 5, PATIENCE).await.unwrap();
            tokio::task::yield_now().await;
            body.wait_for_room(room.grow(5, PATIENCE)).await.is_some()
        };
        let (one, other) = (Arrival::begin(), Arrival::begin());
        let (one, other) = tokio::join!(grow(&one), grow(&other));
        assert!(one != other, "one of them gives up, and the other goes on");
    }
}
