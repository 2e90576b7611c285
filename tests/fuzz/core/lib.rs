//! The layers that read what viewers and files control.

#[path = "../../../src"]
mod pure {
    pub mod amf;
    pub mod media;
    pub mod rtmp;
    pub mod units;
    pub mod wire;
}

pub use pure::{amf, media, rtmp, units, wire};
