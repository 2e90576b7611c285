//! The group of the key agreement: the second Oakley group (RFC 2409 section 6.2), numbers modulo a
//! prime p of 1024 bits, generator 2. (p - 1) / 2 is prime too. Values are 128 bytes, big-endian.
//!
//! That a value is one of the subgroup that 2 generates (y^q = 1 for q = (p - 1) / 2) is asked by
//! its Jacobi symbol: by Euler's criterion that is the same question, at an eighth of the cost.

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{JacobiSymbol, U256, U1024, const_monty_params};

/// Length of a public value and of a secret.
pub(super) const VALUE: usize = 128;

/// Length of an exponent. 256 bits resist what a group of 1024 bits resists, and longer ones only
/// cost more.
pub(super) const EXPONENT: usize = 32;

/// A public value or a secret.
pub(super) type Value = [u8; VALUE];

/// An exponent, big-endian: private.
pub(super) type Exponent = [u8; EXPONENT];

const_monty_params!(
    Modulus,
    U1024,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
     ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
    "The prime p."
);

/// A value of the subgroup that 2 generates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member(ConstMontyForm<Modulus, { U1024::LIMBS }>);

impl Member {
    /// 2.
    pub(super) const GENERATOR: Self = Self(ConstMontyForm::new(&U1024::from_u8(2)));

    /// The value that a peer sent, if 1 < y < p - 1 and y^q = 1: any other would tell something
    /// about our exponent, or make the secret one that all the world knows.
    pub(super) fn new(value: &Value) -> Option<Self> {
        let number = U1024::from_be_slice(value);
        let last = Modulus::PARAMS.modulus().wrapping_sub(&U1024::ONE);
        if number <= U1024::ONE || number >= last {
            return None;
        }
        let member = ConstMontyForm::new(&number);
        // The value is public, so this may take as long as it takes.
        (member.jacobi_symbol_vartime() == JacobiSymbol::One).then_some(Self(member))
    }

    /// This value to the power of `exponent`.
    pub(super) fn raise(&self, exponent: &Exponent) -> Value {
        let exponent = U256::from_be_slice(exponent);
        self.0.pow(&exponent).retrieve().to_be_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(number: U1024) -> Value {
        number.to_be_bytes().into()
    }

    fn prime() -> U1024 {
        *Modulus::PARAMS.modulus().as_ref()
    }

    #[test]
    fn values_at_and_beyond_the_borders_are_refused() {
        let one = U1024::ONE;
        let minus = |count: u8| prime().wrapping_sub(&U1024::from_u8(count));
        for wrong in [
            U1024::ZERO,
            one,
            minus(1),
            prime(),
            prime().wrapping_add(&one),
            U1024::MAX,
        ] {
            assert!(Member::new(&value(wrong)).is_none(), "{wrong}");
        }
        // Minus one is no square here, so of y and p - y one is in the subgroup: 2 is, p - 5 is.
        assert!(Member::new(&value(U1024::from_u8(2))).is_some());
        assert!(Member::new(&value(minus(2))).is_none());
        assert!(Member::new(&value(minus(5))).is_some());
        // What python3's pow(y, q, p) says of the first numbers.
        let members = (2..20).filter(|y| Member::new(&value(U1024::from_u8(*y))).is_some());
        let members: Vec<u8> = members.collect();
        assert_eq!(members, [2, 3, 4, 6, 7, 8, 9, 12, 14, 16, 17, 18]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// The Jacobi symbol says what y^q says.
        #[test]
        fn a_member_to_the_q_is_one(bytes: [[u8; 32]; 4]) {
            let number = U1024::from_be_slice(bytes.as_flattened());
            prop_assume!(number > U1024::ONE && number < prime().wrapping_sub(&U1024::ONE));
            let q = prime().shr_vartime(1);
            let power = ConstMontyForm::<Modulus, { U1024::LIMBS }>::new(&number).pow_vartime(&q);
            let is_member = power.retrieve() == U1024::ONE;
            prop_assert_eq!(Member::new(&value(number)).is_some(), is_member);
        }
    }
}
