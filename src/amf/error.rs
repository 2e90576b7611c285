//! What can be wrong with AMF bytes.

use crate::wire::Truncated;

/// Why bytes are not AMF that we accept. Positions count from the first byte given to the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// A value goes on after the last byte.
    #[error("AMF value is cut: {0}")]
    Truncated(#[from] Truncated),
    /// A marker that no version of the format has, or one that is never sent.
    #[error("AMF marker {marker:#04x} at byte {at} is unknown")]
    Marker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        at: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("AMF values are nested more than {limit} deep at byte {at}")]
    Depth {
        /// [`super::Limits::depth`].
        limit: usize,
        /// Where the first value below the limit stands.
        at: usize,
    },
    /// There are too many values.
    #[error("more than {limit} AMF values at byte {at}")]
    Values {
        /// [`super::Limits::values`].
        limit: usize,
        /// Where the first value above the limit stands.
        at: usize,
    },
    /// The input, or the text that it makes by repeating itself, is too long.
    #[error("more than {limit} bytes of AMF text at byte {at}")]
    Bytes {
        /// [`super::Limits::bytes`].
        limit: usize,
        /// Where the limit was passed.
        at: usize,
    },
    /// An AMF3 back reference to a string, object or class that was not sent.
    #[error("AMF3 reference {index} at byte {at} points to nothing")]
    Dangling {
        /// The number of the string, object or class.
        index: usize,
        /// Where the reference stands.
        at: usize,
    },
    /// An AMF3 object in a format of its class's own.
    #[error("AMF3 object at byte {at} has a format of its own")]
    Externalizable {
        /// Where the object stands.
        at: usize,
    },
}
