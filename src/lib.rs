//! Streamfront turns a bucket of media files into an RTMP streaming distribution.
//!
//! The modules stand in layers; each may import only what stands above it (see ARCHITECTURE.md,
//! and `tests/layering.rs`, which holds the table).

pub mod access;
pub mod amf;
pub mod api;
pub mod cache;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod distribution;
pub mod http;
pub mod load;
pub mod log;
pub mod media;
pub mod net;
pub mod origin;
pub mod registry;
pub mod render;
pub mod rtmp;
pub mod server;
pub mod sigv4;
pub mod store;
pub mod telemetry;
pub mod units;
pub mod wire;
