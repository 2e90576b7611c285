//! What the tests from outside stand on: real tools, a real S3 server, the real binary, and an RTMP
//! client of their own for what no player can be made to do.

pub mod access_log;
pub mod amf;
pub mod aws;
pub mod certificates;
pub mod client;
pub mod distributions;
pub mod haproxy;
pub mod http;
pub mod kernel;
pub mod leash;
pub mod media;
pub mod message;
pub mod metrics;
pub mod nginx;
pub mod packets;
pub mod place;
pub mod players;
pub mod ports;
pub mod private;
pub mod proxy;
pub mod random;
pub mod rml;
pub mod seaweed;
pub mod server;
pub mod signing;
pub mod tools;
pub mod trust;
pub mod tunnel;
