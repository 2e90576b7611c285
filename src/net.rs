//! Listeners, doors and connections: one task a connection, from its handshake to its end, on one of the
//! threads that deliver.

pub mod connection;
pub mod doors;
pub mod frequency;
pub mod listener;
pub mod proxy;
pub mod routes;
pub mod seats;
pub mod sessions;
pub mod shared;
mod site;
pub mod stages;
pub mod tls;
pub mod transport;
pub mod tunnel;
pub mod visitor;
pub mod workers;
