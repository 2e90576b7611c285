//! The words that counts are told apart by. They are part of what the outside can rely on: a
//! dashboard is built from them.

use prometheus_client::metrics::counter::Counter;

use crate::access::Refusal;

/// An enum with a word for each of its values, and an array of counters by it.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$note])* $value,)+
        }

        impl $name {
            /// All of them, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }

            /// Its counter.
            pub(super) fn of(self, counters: &[Counter; Self::COUNT]) -> &Counter {
                // The array has one for each value, so that the index is always in it.
                &counters[self as usize]
            }
        }
    };
}

words! {
    /// How a play ended.
    PlayEnd {
        /// It came to its end.
        Complete = "complete",
        /// The viewer stopped it, began another one or left.
        Stopped = "stopped",
        /// A play2 went over to another object.
        Switched = "switched",
        /// No object has the name, or it may not be read.
        NotFound = "not_found",
        /// The file cannot be understood.
        InvalidFile = "invalid_file",
        /// The viewer can be sent none of its tracks.
        NoTrack = "no_track",
        /// The origin or this server failed.
        Failed = "failed",
        /// It was not even tried: the server stops, the distribution is disabled, the playlist is
        /// full, or the name is not signed as it must be.
        Refused = "refused",
    }
}

words! {
    /// Why a viewer was turned away, at connect or before it.
    Turned {
        /// As many connections as there may be.
        Full = "full",
        /// As many from one address as there may be.
        AddressFull = "address_full",
        /// As many to one distribution as there may be.
        DistributionFull = "distribution_full",
        /// Over a limit, and too many others were being told so: closed without a word.
        Unheard = "unheard",
        /// From an address that came too often: closed without a word.
        TooOften = "too_often",
        /// No distribution has that host.
        DistributionNotFound = "distribution_not_found",
        /// The distribution is not for streaming.
        DistributionType = "distribution_type",
        /// No such application, instance or URL.
        Application = "application",
        /// By RTMPE, which is switched off for the distribution.
        Encryption = "encryption",
        /// The cross-domain policy of the bucket does not admit the player's site, or is not known.
        CrossDomain = "cross_domain",
    }
}

words! {
    /// How a connection ended.
    Close {
        /// By the viewer.
        Viewer = "viewer",
        /// The network broke it.
        Broken = "broken",
        /// A rule of the protocol or a limit was broken.
        Violation = "violation",
        /// Connect was refused.
        Rejected = "rejected",
        /// It spoke HTTP, and its place among the viewers is free again.
        Http = "http",
        /// No connect in time.
        NoConnect = "no_connect",
        /// Nothing happened for too long.
        Idle = "idle",
        /// The viewer took no byte for too long.
        Stalled = "stalled",
        /// Its distribution was disabled or deleted, and the grace is over.
        Disabled = "disabled",
        /// A call ended it.
        Ended = "ended",
        /// The server stops, and nothing played any more.
        Drained = "drained",
        /// The server stops.
        Stopping = "stopping",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// What is wrong with the signature of a name.
    SignatureFault {
        /// There is none.
        Missing = "missing",
        /// It cannot be read.
        Malformed = "malformed",
        /// Its key does not exist.
        UnknownKey = "unknown_key",
        /// Its key may not sign for the distribution.
        UntrustedKey = "untrusted_key",
        /// It does not belong to key and name.
        Signature = "signature",
        /// Something else was signed.
        Resource = "resource",
        /// Its time is over.
        Expired = "expired",
        /// Its time has not come.
        NotYet = "not_yet",
        /// It is for other addresses.
        Address = "address",
        /// It was not looked at: too many names of the connection were refused.
        TooMany = "too_many",
    }
}

impl From<&Refusal> for SignatureFault {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::Missing,
            Refusal::Malformed(_) => Self::Malformed,
            Refusal::UnknownKey(_) => Self::UnknownKey,
            Refusal::UntrustedKey { .. } => Self::UntrustedKey,
            Refusal::Signature { .. } => Self::Signature,
            Refusal::Resource { .. } => Self::Resource,
            Refusal::Expired { .. } => Self::Expired,
            Refusal::NotYet { .. } => Self::NotYet,
            Refusal::Address { .. } => Self::Address,
            Refusal::TooMany => Self::TooMany,
        }
    }
}

words! {
    /// Where a viewer broke the protocol.
    Fault {
        /// In the handshake.
        Handshake = "handshake",
        /// In the chunks or their sizes.
        Chunk = "chunk",
        /// In a command.
        Command = "command",
        /// In another message.
        Message = "message",
        /// In the order of commands.
        Order = "order",
        /// More than a limit allows.
        Limit = "limit",
    }
}
