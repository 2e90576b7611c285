//! Who may play what. Pure.
//!
//! Signed names (cloudfront.md, section 3): what a name says about itself ([`claim`]) is held
//! against the keys that count ([`signers`]), the time and the viewer's address ([`verify()`]). The
//! policy of a name is either one of its own ([`policy`]), which is verified as it came and only
//! then read; or the one with the fixed text, which is built again for each thing that the signer
//! may have meant ([`asked`]). Why a name is not played is a [`Refusal`]: for the operator, never
//! for the viewer. How often one viewer may be refused before no more of their names are looked
//! at is a [`Brake`].
//!
//! Beside it, whether a cross-domain policy admits the site that a player was loaded from.

// Pure code that reads what viewers and files control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod addresses;
pub mod alphabet;
pub mod asked;
pub mod brake;
pub mod claim;
pub mod crossdomain;
pub mod key;
pub mod pattern;
pub mod policy;
mod refusal;
pub mod signers;
mod verify;

pub use asked::Asked;
pub use brake::Brake;
pub use claim::Claim;
pub use key::{Hash, KeyError, SignerKey};
pub use refusal::Refusal;
pub use signers::SignerKeys;
pub use verify::{Grant, VERIFICATIONS_MAX, explain, verify};
