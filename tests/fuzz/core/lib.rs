//! The layers that read what viewers and files control.

#[path = "../../../src"]
mod pure {
    pub mod access;
    pub mod amf;
    pub mod distribution;
    pub mod media;
    /// Of the fronts, what is pure as well.
    pub mod net {
        pub mod proxy {
            pub mod header;
        }
    }
    pub mod rtmp;
    pub mod units;
    pub mod wire;
}

pub use pure::{access, amf, distribution, media, net, rtmp, units, wire};
