//! Free TCP ports on the loopback address, below the range from which the kernel takes the ports of
//! outgoing connections, so that a port stays free between here and its use.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

static STEP: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, and that this process hands out once.
pub fn free() -> u16 {
    let base = 12_000 + u16::try_from(std::process::id() % 180).expect("below 180") * 100;
    for _ in 0..4_000 {
        let step = STEP.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + (base - 12_000 + step) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 12000 and 32000");
}

/// The loopback address with a free port.
pub fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free()))
}
