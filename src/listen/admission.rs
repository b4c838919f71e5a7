//! Who may come in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::activity::{Activity, Closed};
use super::address::Address;
use crate::budget::{Budget, DescriptorShares, MemoryShares, Reservation, Responses};

/// Connections beyond the limit, which are told so.
const SPARE: u64 = 32;
/// A connection is not asked for its place before it has had this long to say something.
const GRACE: Duration = Duration::from_secs(1);
/// The same for one beyond the limit.
const SHORT_GRACE: Duration = Duration::from_millis(100);
/// A part of all that one look for room asks to leave, so that a crowd of newcomers does not look once for each.
const PART: u64 = 64;
/// Time between two looks, when the first found nobody.
const LOOK: Duration = Duration::from_millis(50);
/// How long a newcomer waits for those that were asked to leave.
const ROOM: Duration = Duration::from_millis(100);
/// What a long head may take: what was read of it, as it came and decrypted or decoded, in buffers that have grown.
const LONG_HEAD: u64 = 48 << 10;
/// So many may be long at one time however little memory there is.
const LEAST_LONG_HEADS: u64 = 16;

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub all: u64,
    /// Of one address, other than this machine's own.
    pub address: u64,
}

/// Every connection there is.
pub struct Connections {
    limits: Limits,
    responses: Responses,
    regular: Budget,
    spare: Budget,
    /// Heads that are long and have not ended.
    heads: Budget,
    open: Mutex<Open>,
    accepted: AtomicU64,
    refused: [AtomicU64; 4],
    closed: [AtomicU64; 4],
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Guest>,
    addresses: HashMap<Address, u64>,
    vain: Vain,
}

/// When each crowd was last looked at and had nobody who could leave.
#[derive(Default)]
struct Vain {
    regular: Option<Instant>,
    spare: Option<Instant>,
    address: Option<Instant>,
    heads: Option<Instant>,
}

struct Guest {
    address: Address,
    overloaded: bool,
    activity: Arc<Activity>,
}

/// Those who are asked to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crowd {
    /// Those who have a place.
    Regular,
    /// Those beyond the limit.
    Spare,
    /// Those of one address.
    Of(Address),
    /// Those who hold room for a head that does not end.
    Heads,
}

/// Why a connection is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// All places are taken, and so are those for telling it.
    Full,
    /// Its address has as many as it may have.
    Address,
    /// The head of its request is long, and so are as many others as there is room for.
    Heads,
}

/// A connection's place, free again when this is dropped.
pub(super) struct Place {
    number: u64,
    address: Address,
    /// What the connection is doing.
    pub(super) activity: Arc<Activity>,
    /// Whether it is one beyond the limit.
    pub(super) overloaded: bool,
    connections: Arc<Connections>,
    _reservation: Reservation,
}

impl Limits {
    /// As many as the settings want, if there are memory and descriptors for them; of one address a quarter unless the settings
    /// say otherwise.
    pub fn new(all: usize, address: Option<usize>, memory: &MemoryShares, descriptors: &DescriptorShares) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let most = (descriptors.connections - spare(descriptors.connections)).min(memory.connections);
        let all = count(all).min(most).max(1);
        Self { all, address: address.map_or(all.div_ceil(4), count) }
    }

    /// How many of them may be WebSockets, which stay: the others need places too.
    pub fn websockets(&self) -> usize {
        usize::try_from(self.all - self.all / 4).unwrap_or(usize::MAX)
    }
}

impl Connections {
    /// Nobody yet. Their heads may take `heads` bytes; what they hold of `responses` is taken from them when they stall.
    pub fn new(limits: Limits, heads: u64, responses: Responses) -> Self {
        Self {
            limits,
            responses,
            regular: Budget::new("connections", limits.all),
            spare: Budget::new("connections beyond the limit", spare(limits.all).max(1)),
            heads: Budget::new("long heads of requests", (heads / LONG_HEAD).max(LEAST_LONG_HEADS)),
            open: Mutex::default(),
            accepted: AtomicU64::new(0),
            refused: Default::default(),
            closed: Default::default(),
        }
    }

    /// What they may hold for their clients.
    pub(super) fn responses(&self) -> &Responses {
        &self.responses
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.regular.used() + self.spare.used()
    }

    /// How many there may be.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many ever came in.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many were not served, by reason: at the limit, at the limit of their address, for want of descriptors, for want of
    /// room for their heads.
    pub fn refused(&self) -> [(&'static str, u64); 4] {
        let [limit, address, descriptors, heads] = &self.refused;
        [("limit", limit), ("address", address), ("descriptors", descriptors), ("heads", heads)].map(read)
    }

    /// How many the server closed, by reason.
    pub fn closed(&self) -> [(&'static str, u64); 4] {
        let [idle, stalled, displaced, handshake] = &self.closed;
        [("idle", idle), ("stalled", stalled), ("displaced", displaced), ("handshake", handshake)].map(read)
    }

    /// A place for a connection from `peer`. It may be one that is only good for being told that all are taken.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Refused> {
        let address = Address::of(peer);
        if !address.is_loopback() && self.of_address(address) >= self.limits.address {
            // The client will find room the next time.
            self.displace(Crowd::Of(address));
            self.refuse(Refused::Address);
            return Err(Refused::Address);
        }
        if let Some(reservation) = self.reserve(&self.regular, Crowd::Regular).await {
            return Ok(self.place(address, false, reservation));
        }
        self.refuse(Refused::Full);
        let reservation = self.reserve(&self.spare, Crowd::Spare).await;
        reservation.map(|reservation| self.place(address, true, reservation)).ok_or(Refused::Full)
    }

    /// One of `places`, if there is one or somebody of the `crowd` leaves it. Who sends a body slowly is at work, and leaves it
    /// all the same.
    async fn reserve(&self, places: &Budget, crowd: Crowd) -> Option<Reservation> {
        match places.try_reserve(1) {
            Err(_) if self.displace(crowd) | self.responses.arriving().make_room() => {
                places.reserve(1, ROOM).await.ok()
            }
            outcome => outcome.ok(),
        }
    }

    /// Room for a head that is long, if there is any or somebody makes it whose head does not end.
    pub(super) async fn room_for_head(self: Arc<Self>) -> Option<Reservation> {
        let room = self.reserve(&self.heads, Crowd::Heads).await;
        if room.is_none() {
            self.refuse(Refused::Heads);
        }
        room
    }

    /// The system had no descriptor left for a newcomer, which waits.
    pub(super) fn out_of_descriptors(&self) {
        let [_, _, descriptors, _] = &self.refused;
        descriptors.fetch_add(1, Ordering::Relaxed);
        self.displace(Crowd::Regular);
    }

    /// Counts a connection that the server closed.
    pub(super) fn close(&self, reason: Closed) {
        let [idle, stalled, displaced, _] = &self.closed;
        let counter = match reason {
            Closed::Idle => idle,
            Closed::Stalled => stalled,
            Closed::Displaced => displaced,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection whose handshake did not come to its end.
    pub(super) fn close_handshake(&self) {
        let [_, _, _, handshake] = &self.closed;
        handshake.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self, reason: Refused) {
        let [limit, address, _, heads] = &self.refused;
        let counter = match reason {
            Refused::Full => limit,
            Refused::Address => address,
            Refused::Heads => heads,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn place(self: &Arc<Self>, address: Address, overloaded: bool, reservation: Reservation) -> Place {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        let activity = Activity::new(&self.responses);
        let mut open = self.open();
        open.connections.insert(number, Guest { address, overloaded, activity: Arc::clone(&activity) });
        *open.addresses.entry(address).or_default() += 1;
        Place { number, address, activity, overloaded, connections: Arc::clone(self), _reservation: reservation }
    }

    fn of_address(&self, address: Address) -> u64 {
        self.open().addresses.get(&address).copied().unwrap_or(0)
    }

    /// Asks those of the crowd to leave who have waited longest between two requests, or held a head longest. Whether there is
    /// anybody.
    fn displace(&self, crowd: Crowd) -> bool {
        let grace = if crowd == Crowd::Spare { SHORT_GRACE } else { GRACE };
        let mut idle: Vec<(Duration, Arc<Activity>)> = {
            let mut open = self.open();
            let vain = open.vain.of(crowd);
            if vain.is_some_and(|when| when.elapsed() < LOOK) {
                return false;
            }
            // Until somebody is found.
            *vain = Some(Instant::now());
            let asked = open.connections.values().filter(|guest| match crowd {
                Crowd::Regular => !guest.overloaded,
                Crowd::Spare => guest.overloaded,
                Crowd::Of(address) => guest.address == address,
                Crowd::Heads => true,
            });
            let waits = |activity: &Activity| match crowd {
                Crowd::Heads => activity.holds_head_for(),
                Crowd::Regular | Crowd::Spare | Crowd::Of(_) => activity.idle(),
            };
            let idle = asked.filter_map(|guest| Some((waits(&guest.activity)?, Arc::clone(&guest.activity))));
            idle.filter(|(idle, _)| *idle >= grace).collect()
        };
        let all = if crowd == Crowd::Heads { self.heads.limit() } else { self.limits.all };
        let wanted = usize::try_from(all.div_ceil(PART)).unwrap_or(usize::MAX);
        if idle.len() > wanted {
            idle.select_nth_unstable_by(wanted, |(one, _), (other, _)| other.cmp(one));
            idle.truncate(wanted);
        }
        idle.iter().for_each(|(_, activity)| activity.displace());
        if !idle.is_empty() {
            *self.open().vain.of(crowd) = None;
        }
        !idle.is_empty()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vain {
    fn of(&mut self, crowd: Crowd) -> &mut Option<Instant> {
        match crowd {
            Crowd::Regular => &mut self.regular,
            Crowd::Spare => &mut self.spare,
            Crowd::Of(_) => &mut self.address,
            Crowd::Heads => &mut self.heads,
        }
    }
}

impl Place {
    /// All of them.
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.connections.remove(&self.number);
        if let Some(count) = open.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.addresses.remove(&self.address);
            }
        }
    }
}

/// How many there may be beyond a limit of `all`.
fn spare(all: u64) -> u64 {
    SPARE.min(all / 8)
}

fn read((reason, count): (&'static str, &AtomicU64)) -> (&'static str, u64) {
    (reason, count.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn connections(all: u64, address: u64) -> Arc<Connections> {
        Arc::new(Connections::new(Limits { all, address }, 0, Responses::new(1, 1)))
    }

    #[tokio::test]
    async fn one_too_many_is_told_so_until_somebody_leaves() {
        let connections = connections(2, 2);
        let first = connections.admit(HERE).await.ok().unwrap();
        let _second = connections.admit(HERE).await.ok().unwrap();
        assert!(!first.overloaded);
        let third = connections.admit(HERE).await.ok().unwrap();
        assert!(third.overloaded);
        assert_eq!(connections.admit(HERE).await.err(), Some(Refused::Full));
        assert_eq!(connections.count(), 3);
        assert_eq!(connections.refused()[0], ("limit", 2));
        drop((first, third));
        assert!(!connections.admit(HERE).await.ok().unwrap().overloaded);
    }

    #[tokio::test]
    async fn an_address_has_a_limit_and_this_machine_has_not() {
        let connections = connections(9, 1);
        let _first = connections.admit(THERE).await.ok().unwrap();
        assert_eq!(connections.admit(THERE).await.err(), Some(Refused::Address));
        let _others = [connections.admit(HERE).await.ok().unwrap(), connections.admit(HERE).await.ok().unwrap()];
        assert_eq!(connections.refused()[1], ("address", 1));
        drop(_first);
        assert!(connections.admit(THERE).await.is_ok());
    }

    #[tokio::test]
    async fn who_has_waited_longest_makes_room() {
        let connections = connections(2, 2);
        let idle = connections.admit(HERE).await.ok().unwrap();
        let busy = connections.admit(HERE).await.ok().unwrap();
        busy.activity.begin();
        tokio::time::sleep(GRACE).await;
        let leaving = tokio::spawn(async move {
            let reason = idle.activity.overdue(Duration::from_secs(3_600)).await;
            drop(idle);
            reason
        });
        assert!(!connections.admit(HERE).await.ok().unwrap().overloaded);
        assert_eq!(leaving.await.unwrap(), Closed::Displaced);
    }

    #[tokio::test]
    async fn who_holds_a_head_longest_makes_room_for_another() {
        let connections = connections(64, 64);
        let hold = async || {
            let place = connections.admit(HERE).await.ok().unwrap();
            let room = Arc::clone(&connections).room_for_head().await?;
            place.activity.holds_head(true);
            Some((place, room))
        };
        let longest = hold().await.unwrap();
        tokio::time::sleep(GRACE).await;
        let mut held = Vec::new();
        for _ in 1..LEAST_LONG_HEADS {
            held.push(hold().await.unwrap());
        }
        let leaving = tokio::spawn(async move {
            let reason = longest.0.activity.overdue(Duration::from_secs(3_600)).await;
            drop(longest);
            reason
        });
        held.push(hold().await.unwrap());
        assert_eq!(leaving.await.unwrap(), Closed::Displaced);
        assert!(hold().await.is_none(), "nobody else leaves");
        assert_eq!(connections.refused()[3], ("heads", 1));
    }

    #[test]
    fn there_are_memory_and_descriptors_for_every_connection() {
        let (plenty, memory) = (DescriptorShares::of(1 << 20), MemoryShares::of(2 << 30));
        for limit in [0, 37, 64, 256, 1_024, 1 << 20] {
            let descriptors = DescriptorShares::of(limit);
            let limits = Limits::new(16_384, None, &memory, &descriptors);
            assert!(limits.all >= 1 && limits.all <= descriptors.connections, "{limit}");
            assert!(limits.websockets() < 16_384);
        }
        for (memory, all) in [(0, 64), (64 << 20, 512), (512 << 20, 4_096), (2 << 30, 16_384), (u64::MAX, 16_384)] {
            assert_eq!(Limits::new(16_384, None, &MemoryShares::of(memory), &plenty).all, all, "{memory}");
        }
        assert_eq!(Limits::new(16_384, None, &memory, &plenty), Limits { all: 16_384, address: 4_096 });
        assert_eq!(Limits::new(8, Some(3), &memory, &plenty), Limits { all: 8, address: 3 });
    }
}
