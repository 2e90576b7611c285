//! The layers that read what viewers and files control.

#[path = "../../../src"]
mod pure {
    pub mod access;
    pub mod amf;
    pub mod distribution;
    pub mod media;
    pub mod rtmp;
    pub mod units;
    pub mod wire;
}

pub use pure::{access, amf, distribution, media, rtmp, units, wire};
