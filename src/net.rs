//! Listeners and connections: one task a connection, from its handshake to its end.

pub mod connection;
pub mod listener;
pub mod routes;
pub mod seats;
