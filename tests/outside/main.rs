//! The behaviour of the real binary, seen from outside: a real S3 server, real players, and a
//! client of our own where no player can be made to do what is tested. One file a behaviour.
//!
//! `make test` installs what these tests need. None of them asserts a time.

// To say what went wrong a test panics; to show what the server said it prints.
#![allow(clippy::print_stderr)]

mod access_log;
mod ahead;
mod api_auth;
mod bench;
mod broken_files;
mod command_line;
mod control_api;
mod control_crash;
mod control_hostile;
mod disk;
mod encrypted;
mod enhanced;
mod faults;
mod freshness;
mod half_open;
mod harness;
mod hostile;
mod independent;
mod lifecycle;
mod limits;
mod metrics;
mod names;
mod origin;
mod pauses;
mod playlists;
mod plays;
mod proxies;
mod rejections;
mod routing;
mod routing_api;
mod seeks;
mod sessions;
mod settings;
mod shared_bytes;
mod signed;
mod six;
mod stalls;
mod streams;
mod support;
mod tls;
mod tunnel;
mod unsigned;
mod versions;
mod web;
