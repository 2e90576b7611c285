//! How many may be here at once: in all, from one address, at one distribution.
//!
//! A [`Room`] counts; a [`Place`] in it is given back when it is dropped. Who comes when there is
//! no place left is told so in the words of the protocol, which takes a handshake and a connect: for
//! that there is a small room of its own, and when that is full too the connection is closed
//! without a word, so that turning viewers away costs a bounded amount.
//!
//! The table of addresses holds those with a connection, and no other: an entry leaves with its
//! last one. It is locked once when a connection comes and once when it goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rtmp::status::Rejection;

/// Connections that are being told that there is no place for them: each takes a descriptor and
/// some 20 KiB, for as long as a handshake may.
pub const REFUSALS_MAX: u64 = 256;

/// Room for so many at once.
#[derive(Debug)]
pub struct Room {
    most: u64,
    taken: AtomicU64,
}

impl Room {
    /// An empty room.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: AtomicU64::new(0),
        })
    }

    /// Takes a place, if one is left.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let place = Place(Arc::clone(self));
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        (before < self.most).then_some(place)
    }

    /// How many are in it.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A place in a room, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Room>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The places of a server.
#[derive(Debug)]
pub struct Seats {
    all: Arc<Room>,
    refusals: Arc<Room>,
    addresses: Addresses,
}

/// A connection that was let in, if only to be told that there is no place for it.
#[derive(Debug)]
pub struct Seat {
    /// Why it will be refused, if it will.
    pub refusal: Option<Rejection>,
    _room: Place,
    address: Option<AtAddress>,
}

impl Seats {
    /// Places for so many connections in all, and so many from one address (0: no limit).
    pub fn new(most: u64, most_of_address: u64) -> Self {
        Self {
            all: Room::new(most),
            refusals: Room::new(REFUSALS_MAX),
            addresses: Addresses {
                most: most_of_address,
                table: Arc::default(),
            },
        }
    }

    /// Finds a place for a connection from `peer`, where that is known yet.
    ///
    /// # Errors
    /// There is none, and nobody has the time to say so.
    pub fn arrive(&self, peer: Option<IpAddr>) -> Result<Seat, Rejection> {
        self.find(peer).or_else(|rejection| {
            let room = self.refusals.enter().ok_or(rejection)?;
            Ok(Seat {
                refusal: Some(rejection),
                _room: room,
                address: None,
            })
        })
    }

    /// Takes that a seat is for `peer`, which was not known when it was taken. Where that address
    /// has all that it may, the seat becomes one of those who are told so.
    ///
    /// # Errors
    /// There is none of those either.
    pub fn known(&self, seat: &mut Seat, peer: IpAddr) -> Result<(), Rejection> {
        match self.addresses.enter(peer) {
            Ok(address) => seat.address = address,
            Err(_) if seat.refusal.is_some() => {}
            Err(rejection) => {
                seat._room = self.refusals.enter().ok_or(rejection)?;
                seat.refusal = Some(rejection);
            }
        }
        Ok(())
    }

    fn find(&self, peer: Option<IpAddr>) -> Result<Seat, Rejection> {
        let room = self.all.enter().ok_or(Rejection::Full)?;
        let address = peer.map(|peer| self.addresses.enter(peer)).transpose()?;
        let address = address.flatten();
        Ok(Seat {
            refusal: None,
            _room: room,
            address,
        })
    }
}

/// How many connections there are from each address.
#[derive(Debug)]
struct Addresses {
    /// 0: not counted.
    most: u64,
    table: Arc<Table>,
}

#[derive(Debug, Default)]
struct Table(Mutex<HashMap<Block, u64>>);

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<Block, u64>> {
        // Every operation on it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Addresses {
    fn enter(&self, peer: IpAddr) -> Result<Option<AtAddress>, Rejection> {
        if self.most == 0 {
            return Ok(None);
        }
        let block = Block::of(peer);
        let mut table = self.table.lock();
        let count = table.entry(block).or_default();
        if *count >= self.most {
            return Err(Rejection::AddressFull);
        }
        *count += 1;
        Ok(Some(AtAddress {
            block,
            table: Arc::clone(&self.table),
        }))
    }
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
struct AtAddress {
    block: Block,
    table: Arc<Table>,
}

impl Drop for AtAddress {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.table.lock().entry(self.block) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the 64 bits of an IPv6 network that one
/// subscriber is given, who may use any of the addresses in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Block(u128);

impl Block {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn refusal(seats: &Seats, peer: &str) -> Option<Rejection> {
        seats.arrive(Some(ip(peer))).unwrap().refusal
    }

    #[test]
    fn the_last_place_of_all_and_of_an_address() {
        let seats = Seats::new(3, 2);
        let one = seats.arrive(Some(ip("10.0.0.1"))).unwrap();
        let _two = seats.arrive(Some(ip("10.0.0.1"))).unwrap();
        assert_eq!(refusal(&seats, "10.0.0.1"), Some(Rejection::AddressFull));
        let three = seats.arrive(Some(ip("10.0.0.2"))).unwrap();
        assert_eq!(three.refusal, None);
        assert_eq!(refusal(&seats, "10.0.0.3"), Some(Rejection::Full));
        drop(one);
        assert_eq!(refusal(&seats, "10.0.0.1"), None);
        drop(three);
        assert_eq!(seats.all.taken(), 1);
        assert_eq!(seats.addresses.table.lock().len(), 1);
    }

    #[test]
    fn an_address_is_a_network_of_64_bits() {
        let seats = Seats::new(100, 1);
        let _held = ["10.0.0.1", "2001:db8::1", "2001:db8:0:1::1", "::1"]
            .map(|peer| seats.arrive(Some(ip(peer))).unwrap());
        for same in ["::ffff:10.0.0.1", "2001:db8::ffff:0:1", "::2"] {
            assert_eq!(
                refusal(&seats, same),
                Some(Rejection::AddressFull),
                "{same}"
            );
        }
        for other in ["::ffff:10.0.0.2", "2001:db8:0:2::1", "0.0.0.1"] {
            assert_eq!(refusal(&seats, other), None, "{other}");
        }
    }

    #[test]
    fn an_address_that_is_known_late_counts_from_then_on() {
        let seats = Seats::new(10, 1);
        let [mut one, mut two] = [(); 2].map(|()| seats.arrive(None).unwrap());
        seats.known(&mut one, ip("10.0.0.1")).unwrap();
        seats.known(&mut two, ip("10.0.0.1")).unwrap();
        assert_eq!(
            (one.refusal, two.refusal),
            (None, Some(Rejection::AddressFull))
        );
        assert_eq!(seats.all.taken(), 1, "who is refused takes no place");
        drop(one);
        assert_eq!(refusal(&seats, "10.0.0.1"), None);
    }

    #[test]
    fn behind_a_proxy_too_only_so_many_are_told() {
        let seats = Seats::new(1000, 1);
        let address = ip("10.0.0.1");
        let come = || {
            let mut seat = seats.arrive(None).unwrap();
            seats.known(&mut seat, address).map(|()| seat)
        };
        let inside = come().unwrap();
        let told: Vec<_> = (0..REFUSALS_MAX).map(|_| come().unwrap()).collect();
        assert_eq!(come().unwrap_err(), Rejection::AddressFull);
        assert_eq!(seats.all.taken(), 1);
        drop((inside, told));
        assert_eq!(come().unwrap().refusal, None);
    }

    #[test]
    fn only_so_many_are_told() {
        let seats = Seats::new(0, 0);
        let told: Vec<_> = (0..REFUSALS_MAX)
            .map(|_| seats.arrive(Some(ip("10.0.0.1"))).unwrap())
            .collect();
        assert!(
            told.iter()
                .all(|seat| seat.refusal == Some(Rejection::Full))
        );
        assert_eq!(
            seats.arrive(Some(ip("10.0.0.1"))).unwrap_err(),
            Rejection::Full
        );
        drop(told);
        assert!(seats.arrive(Some(ip("10.0.0.1"))).is_ok());
        assert_eq!(seats.all.taken(), 0, "who is refused takes no place");
    }

    #[test]
    fn without_a_limit_no_address_is_kept() {
        let seats = Seats::new(10, 0);
        let _held = [1, 2, 3].map(|_| seats.arrive(Some(ip("10.0.0.1"))).unwrap());
        assert!(seats.addresses.table.lock().is_empty());
    }

    proptest! {
        /// Whoever comes and goes in whatever order: no limit is passed, none bites early, and
        /// nothing is left over.
        #[test]
        fn comings_and_goings(
            steps in prop::collection::vec((any::<bool>(), 0u8..5, any::<prop::sample::Index>()), 0..200),
            most in 1u64..8,
            of_address in 1u64..4,
        ) {
            let seats = Seats::new(most, of_address);
            let mut held: Vec<(u8, Seat)> = Vec::new();
            for (comes, who, which) in steps {
                if comes {
                    let seat = seats.arrive(Some(IpAddr::from([10, 0, 0, who]))).unwrap();
                    let own = held.iter().filter(|(of, _)| *of == who).count() as u64;
                    let expected = if held.len() as u64 >= most {
                        Some(Rejection::Full)
                    } else if own >= of_address {
                        Some(Rejection::AddressFull)
                    } else {
                        None
                    };
                    prop_assert_eq!(seat.refusal, expected);
                    if expected.is_none() {
                        held.push((who, seat));
                    }
                } else if !held.is_empty() {
                    held.swap_remove(which.index(held.len()));
                }
                let addresses: std::collections::BTreeSet<_> =
                    held.iter().map(|(of, _)| *of).collect();
                prop_assert_eq!(seats.addresses.table.lock().len(), addresses.len());
                prop_assert_eq!(seats.all.taken(), held.len() as u64);
            }
            drop(held);
            prop_assert!(seats.addresses.table.lock().is_empty());
        }
    }
}
