//! What the batches of one result take from when they are computed until they are encoded.

use std::time::Duration;

use super::reservation::{Budget, Exhausted, Reservation};
use super::responses::Responses;

/// Room for the batches of one result: a part of its own, so that no result takes all there is, and of what all results
/// share. Who waits for the first waits for the client of this result, who waits for the second for other clients.
pub struct ResultRoom {
    own: Budget,
    shared: Option<Responses>,
}

/// Room for one batch, given back when it is dropped.
pub struct BatchRoom {
    _own: Reservation,
    _shared: Option<Reservation>,
}

impl ResultRoom {
    /// For a result on its way to a client.
    pub fn of(responses: &Responses) -> Self {
        Self { own: responses.one_result(), shared: Some(responses.clone()) }
    }

    /// For a result of users' SQL on its way to a client. It may hold more: as long as it waits, its worker does, of which there
    /// are few.
    pub fn of_worker(responses: &Responses) -> Self {
        Self { own: responses.one_large_result(), shared: Some(responses.clone()) }
    }

    /// For a result that this program reads itself, as fast as it can: it takes no part in what clients share.
    pub fn apart(responses: &Responses) -> Self {
        Self { own: responses.one_result(), shared: None }
    }

    /// Room for a batch of `amount` bytes, if there is some now.
    pub fn try_take(&self, amount: u64) -> Option<BatchRoom> {
        let own = self.own.try_reserve(amount.min(self.own.limit())).ok()?;
        let shared = match &self.shared {
            Some(responses) => {
                let all = responses.batches();
                Some(all.try_reserve(amount.min(all.limit())).ok()?)
            }
            None => None,
        };
        Some(BatchRoom { _own: own, _shared: shared })
    }

    /// Waits up to `patience` for the batches before this one to be encoded. One that is larger than a result may hold goes
    /// alone.
    pub async fn own(&self, amount: u64, patience: Duration) -> Result<Reservation, Exhausted> {
        self.own.reserve(amount.min(self.own.limit()), patience).await
    }

    /// Waits up to `patience` for what others hold; those make room whose clients take nothing.
    pub async fn shared(&self, own: Reservation, amount: u64, patience: Duration) -> Result<BatchRoom, Exhausted> {
        let shared = match &self.shared {
            Some(responses) => Some(responses.reserve(responses.batches(), amount, patience).await?),
            None => None,
        };
        Ok(BatchRoom { _own: own, _shared: shared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_result_holds_its_part_and_a_large_batch_goes_alone() {
        let responses = Responses::new(80, 0);
        let (one, other) = (ResultRoom::of(&responses), ResultRoom::of(&responses));
        let small = one.try_take(4).unwrap();
        assert!(one.try_take(100).is_none(), "something is before it");
        assert!(one.own(100, Duration::from_millis(1)).await.is_err());
        drop(small);
        let large = one.try_take(100).unwrap();
        assert_eq!(responses.batches().used(), 80);
        let own = other.own(4, Duration::ZERO).await.unwrap();
        assert!(other.shared(own, 4, Duration::from_millis(1)).await.is_err(), "the other one holds all there is");
        assert!(ResultRoom::apart(&responses).try_take(100).is_some());
        drop(large);
        assert_eq!(responses.batches().used(), 0);
    }
}
