use std::net::SocketAddr;

use super::*;
use crate::net::tunnel::{Admission, NoPlace, TunnelEnd, Tunnels};

/// Keeps the ends of those who come.
#[derive(Debug, Default)]
struct Ends(Mutex<Vec<TunnelEnd>>);

impl Admission for Ends {
    fn open(&self, _: SocketAddr, end: TunnelEnd) -> Result<(), NoPlace> {
        self.0.lock().unwrap().push(end);
        Ok(())
    }
}

/// So many places, and sessions.
struct Port {
    places: Arc<Semaphore>,
    ends: Arc<Ends>,
    tunnels: Tunnels,
}

impl Port {
    fn new(places: usize) -> Self {
        let ends = Arc::new(Ends::default());
        Self {
            places: Arc::new(Semaphore::new(places)),
            tunnels: Tunnels::new(Arc::clone(&ends) as _),
            ends,
        }
    }

    fn hold(&self, life: Duration) -> Arc<Hold> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        Hold::new(&self.places, place.expect("a place"), life)
    }

    fn session(&self) -> Arc<Session> {
        self.tunnels.open("192.0.2.1:1".parse().unwrap()).unwrap().1
    }

    /// Ends all sessions.
    fn end(&self) {
        self.ends.0.lock().unwrap().clear();
    }

    fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// Ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// A time that passes in a test, and one that does not.
const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

async fn over(hold: &Hold) {
    let over = tokio::time::timeout(PATIENCE, hold.over());
    over.await.expect("it ends");
}

#[tokio::test]
async fn a_place_is_held_for_a_while() {
    let port = Port::new(1);
    let hold = port.hold(SHORT);
    over(&hold).await;
    assert_eq!(port.free(), 1);
    assert!(!hold.carry(&port.session()), "it is being closed");
}

#[tokio::test]
async fn who_carries_a_session_gives_up_the_place_and_stays() {
    let port = Port::new(2);
    let (hold, beside) = (port.hold(SHORT), port.hold(LONG));
    let session = port.session();
    assert!(hold.carry(&session) && hold.carries());
    assert_eq!(port.free(), 1);
    assert!(
        beside.carry(&session) && !beside.carries(),
        "one carries it"
    );
    assert_eq!(port.free(), 1);
    let stays = tokio::time::timeout(10 * SHORT, hold.over());
    assert!(stays.await.is_err());
    // After the session it is a connection like others.
    port.end();
    over(&hold).await;
    assert_eq!(port.free(), 1);
}

#[tokio::test]
async fn without_a_place_the_connection_ends_with_its_session() {
    let port = Port::new(1);
    let hold = port.hold(LONG);
    assert!(hold.carry(&port.session()));
    let _other = port.hold(LONG);
    port.end();
    over(&hold).await;
}

#[tokio::test]
async fn a_connection_that_waits_for_its_end_learns_that_it_carries() {
    let port = Port::new(1);
    let hold = port.hold(LONG);
    let ends = tokio::spawn({
        let hold = Arc::clone(&hold);
        async move { over(&hold).await }
    });
    tokio::task::yield_now().await;
    assert!(hold.carry(&port.session()));
    let _other = port.hold(LONG);
    port.end();
    ends.await.unwrap();
}

#[tokio::test]
async fn a_connection_of_a_proxy_carries_one_session_after_the_other() {
    let port = Port::new(1);
    let hold = port.hold(SHORT);
    assert!(hold.carry(&port.session()));
    port.end();
    assert!(!hold.carries());
    assert!(hold.carry(&port.session()) && hold.carries());
    let stays = tokio::time::timeout(10 * SHORT, hold.over());
    assert!(stays.await.is_err());
}

#[tokio::test]
async fn before_its_end_a_client_is_told_to_use_another() {
    let port = Port::new(2);
    let session = port.session();
    let _carried = Carriage::of(&session);
    assert!(port.hold(LONG).carry(&session));
    assert!(!port.hold(Duration::ZERO).carry(&session));
}
