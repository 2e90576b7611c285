//! Addresses that a policy admits: one address, or a range in CIDR notation (cloudfront.md, section
//! 3.3). IPv6 is ours.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    address: IpAddr,
    /// Bits from the left that have to be the same.
    bits: u32,
}

/// Not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address must be one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32")]
pub struct BadAddresses;

impl Addresses {
    /// Whether `peer` is in it. A range of IPv4 is one of IPv4 also where the socket is of IPv6.
    /// `0.0.0.0/0` stands for any address, for that is how it was used.
    pub fn admit(self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            _ if self.bits == 0 => true,
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                let other = u32::from(own) ^ u32::from(peer);
                other.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => {
                let other = u128::from(own) ^ u128::from(peer);
                other.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Addresses {
    type Err = BadAddresses;

    fn from_str(text: &str) -> Result<Self, BadAddresses> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadAddresses)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| BadAddresses)?
            }
            Some(_) => return Err(BadAddresses),
        };
        if bits > most {
            return Err(BadAddresses);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_single_addresses() {
        for (range, peer, admitted) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7/32", "::ffff:192.0.2.7", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.99/24", "192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/25", "192.0.2.128", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", true),
            ("128.0.0.0/1", "127.255.255.255", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("192.0.2.0/24", "2001:db8::1", false),
        ] {
            let it: Addresses = range.parse().unwrap();
            assert_eq!(it.admit(peer.parse().unwrap()), admitted, "{range} {peer}");
        }
    }

    #[test]
    fn what_is_no_range() {
        for text in [
            "",
            "/",
            "192.0.2",
            "192.0.2.1/",
            "192.0.2.1/33",
            "192.0.2.1/+8",
            "192.0.2.1/8/8",
            "::1/129",
            "*",
            " 192.0.2.1",
        ] {
            assert_eq!(text.parse::<Addresses>(), Err(BadAddresses), "{text}");
        }
    }

    proptest! {
        #[test]
        fn as_many_bits_as_it_says(own: u32, bits in 1_u32..=32, flipped in 0_u32..32) {
            let it = Addresses { address: IpAddr::V4(own.into()), bits };
            let peer = own ^ (1 << flipped);
            // Bit 0 is the last of 32.
            prop_assert_eq!(it.admit(IpAddr::V4(peer.into())), 32 - flipped > bits);
            prop_assert_eq!(it.to_string().parse::<Addresses>(), Ok(it));
        }
    }
}
