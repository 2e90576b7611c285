//! What an encrypted connection (RTMPE) has more than another: a key to agree on, and two
//! keystreams.

use super::{Phase, Server, Violation};
use crate::rtmp::handshake::{Cipher, KeyAgreed};

impl Server {
    /// Answers [`super::Event::KeyAgreement`] with what it was computed to, and goes on with what
    /// came meanwhile. Nothing happens where none was asked for.
    pub fn key_agreed(&mut self, agreed: KeyAgreed) -> Result<(), Violation> {
        self.unless_violated(|server| server.agree(agreed))
    }

    /// The keystream of all that the connection sends behind the handshake, the first
    /// [`crate::rtmp::handshake::REPLY`] bytes of its output. Given once, as soon as the key is
    /// agreed: from then on the owner has it, and must put every later byte through it in the order
    /// sent, media too.
    pub const fn take_output_cipher(&mut self) -> Option<Cipher> {
        self.output_cipher.take()
    }

    /// Whether the connection is encrypted: its key is agreed.
    pub const fn is_encrypted(&self) -> bool {
        self.input_cipher.is_some()
    }

    fn agree(&mut self, agreed: KeyAgreed) -> Result<(), Violation> {
        let Phase::Handshake { handshake, .. } = &mut self.phase else {
            return Ok(());
        };
        handshake.key_agreed(agreed, &mut self.output)?;
        if let Some(ciphers) = handshake.take_ciphers() {
            self.input_cipher = Some(ciphers.input);
            self.output_cipher = Some(ciphers.output);
        }
        let held = std::mem::take(&mut self.held);
        self.receive(&held)
    }

    /// What an encrypted client said behind its handshake; `None` where the bytes are plain.
    pub(super) fn decipher(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let cipher = self.input_cipher.as_mut()?;
        let mut plain = bytes.to_vec();
        cipher.apply(&mut plain);
        Some(plain)
    }
}
