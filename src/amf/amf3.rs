//! The AMF3 reader, for what Flash clients with `objectEncoding` 3 send.
//!
//! Strings may be sent by reference and are written out (and paid for) each time. References to
//! whole objects stay references, [`Value::Reference`]: nothing that a viewer can ask of us needs
//! them, and written out they could grow without bound. Dictionaries are refused: no command
//! carries one. Reference tables begin anew with each value that the AMF0 marker 0x11 introduces.

use super::limits::Budget;
use super::{AmfError, Limits, Value};
use crate::wire::Reader;

/// The one class with a format of its own that clients send: an array in a wrapper.
const ARRAY_COLLECTION: &str = "flex.messaging.io.ArrayCollection";

/// Reads all values of `bytes`, with reference tables that they share.
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader::new(bytes);
    let mut budget = Budget::new(limits);
    let mut decoder = Decoder::new(&mut reader, &mut budget);
    let mut values = Vec::new();
    while !decoder.reader.is_empty() {
        values.push(decoder.value(1)?);
    }
    Ok(values)
}

/// Reads one value at `depth`, with reference tables of its own.
pub(super) fn read_value(
    reader: &mut Reader<'_>,
    budget: &mut Budget,
    depth: usize,
) -> Result<Value, AmfError> {
    Decoder::new(reader, budget).value(depth)
}

/// What an object's class says of it.
#[derive(Debug, Clone)]
struct Traits {
    class: String,
    members: Vec<String>,
    dynamic: bool,
    externalizable: bool,
}

/// A length, or a reference to something sent before.
enum Head {
    Len(usize),
    Reference(usize),
}

struct Decoder<'r, 'a> {
    reader: &'r mut Reader<'a>,
    budget: &'r mut Budget,
    strings: Vec<String>,
    traits: Vec<Traits>,
    /// How many objects a reference may point to: each of them is a value, so it is bounded.
    objects: usize,
}

impl<'r, 'a> Decoder<'r, 'a> {
    const fn new(reader: &'r mut Reader<'a>, budget: &'r mut Budget) -> Self {
        Self {
            reader,
            budget,
            strings: Vec::new(),
            traits: Vec::new(),
            objects: 0,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        let at = self.reader.position();
        let marker = self.reader.u8()?;
        self.budget.value(depth, at)?;
        Ok(match marker {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => Value::Number(f64::from(signed29(self.u29()?))),
            0x05 => Value::Number(self.reader.f64()?),
            0x06 => Value::String(self.string()?),
            0x07..=0x10 => match self.head()? {
                Head::Reference(index) => self.reference(index, at)?,
                Head::Len(len) => {
                    self.objects = self.objects.saturating_add(1);
                    self.complex(marker, len, depth, at)?
                }
            },
            _ => return Err(AmfError::Marker { marker, at }),
        })
    }

    /// A value that later ones may refer to; `len` is what its head says beside that.
    fn complex(
        &mut self,
        marker: u8,
        len: usize,
        depth: usize,
        at: usize,
    ) -> Result<Value, AmfError> {
        Ok(match marker {
            0x07 | 0x0b => Value::Xml(self.text(len)?),
            0x08 => Value::Date(self.reader.f64()?, 0),
            0x09 => self.array(len, depth)?,
            0x0a => self.object(len, depth, at)?,
            0x0c => Value::Bytes(self.raw(len)?.to_vec()),
            _ => self.vector(marker, len, depth)?,
        })
    }

    fn reference(&self, index: usize, at: usize) -> Result<Value, AmfError> {
        let known = u16::try_from(index).ok().filter(|_| index < self.objects);
        known
            .map(Value::Reference)
            .ok_or(AmfError::Dangling { index, at })
    }

    /// Named members, then numbered ones.
    fn array(&mut self, len: usize, depth: usize) -> Result<Value, AmfError> {
        let mut named = self.dynamic_members(depth)?;
        let elements = self.elements(len, depth)?;
        if named.is_empty() {
            return Ok(Value::StrictArray(elements));
        }
        let numbered = elements.into_iter().enumerate();
        named.extend(numbered.map(|(index, value)| (index.to_string(), value)));
        Ok(Value::EcmaArray(named))
    }

    fn elements(&mut self, len: usize, depth: usize) -> Result<Vec<Value>, AmfError> {
        let mut elements = Vec::new();
        for _ in 0..len {
            elements.push(self.value(depth.saturating_add(1))?);
        }
        Ok(elements)
    }

    fn object(&mut self, head: usize, depth: usize, at: usize) -> Result<Value, AmfError> {
        let traits = self.traits(head, at)?;
        if traits.externalizable {
            if traits.class != ARRAY_COLLECTION {
                return Err(AmfError::Externalizable { at });
            }
            return self.value(depth.saturating_add(1));
        }
        let mut properties = Vec::new();
        for name in traits.members {
            // The names were paid for once; each object of the class repeats them.
            self.budget.text(name.len(), self.reader.position())?;
            properties.push((name, self.value(depth.saturating_add(1))?));
        }
        if traits.dynamic {
            properties.append(&mut self.dynamic_members(depth)?);
        }
        Ok(if traits.class.is_empty() {
            Value::Object(properties)
        } else {
            Value::TypedObject(traits.class, properties)
        })
    }

    /// The class of an object: `head` is its 28 bits, of which the lowest says whether the class
    /// follows, the next whether it has a format of its own, the third whether it is open.
    fn traits(&mut self, head: usize, at: usize) -> Result<Traits, AmfError> {
        if head & 1 == 0 {
            let index = head >> 1;
            let traits = self.traits.get(index);
            let traits = traits.cloned().ok_or(AmfError::Dangling { index, at })?;
            // A copy of names: paid for, so that many small references stay within the limits.
            let names: usize = traits
                .members
                .iter()
                .map(String::len)
                .fold(0, usize::saturating_add);
            let len = names
                .saturating_add(traits.class.len())
                .saturating_add(traits.members.len());
            self.budget.text(len, self.reader.position())?;
            return Ok(traits);
        }
        let class = self.string()?;
        let mut members = Vec::new();
        for _ in 0..(head >> 3) {
            members.push(self.string()?);
            // An empty name is one byte on the wire and much more in memory.
            self.budget.text(1, self.reader.position())?;
        }
        let traits = Traits {
            class,
            members,
            dynamic: head & 4 != 0,
            externalizable: head & 2 != 0,
        };
        self.traits.push(traits.clone());
        Ok(traits)
    }

    /// Names and values up to an empty name.
    fn dynamic_members(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut members = Vec::new();
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(members);
            }
            members.push((name, self.value(depth.saturating_add(1))?));
        }
    }

    fn vector(&mut self, marker: u8, len: usize, depth: usize) -> Result<Value, AmfError> {
        // Whether its length may change: of no meaning here.
        self.reader.skip(1)?;
        if marker == 0x10 {
            self.string()?;
            return self.elements(len, depth).map(Value::StrictArray);
        }
        let mut elements = Vec::new();
        for _ in 0..len {
            self.budget.value(depth, self.reader.position())?;
            elements.push(Value::Number(match marker {
                0x0d => f64::from(self.reader.i32()?),
                0x0e => f64::from(self.reader.u32()?),
                _ => self.reader.f64()?,
            }));
        }
        Ok(Value::StrictArray(elements))
    }

    fn string(&mut self) -> Result<String, AmfError> {
        let at = self.reader.position();
        match self.head()? {
            Head::Len(len) => {
                let text = self.text(len)?;
                // The empty string is never sent by reference.
                if !text.is_empty() {
                    self.strings.push(text.clone());
                }
                Ok(text)
            }
            Head::Reference(index) => {
                let text = self.strings.get(index).cloned();
                let text = text.ok_or(AmfError::Dangling { index, at })?;
                self.budget.text(text.len(), self.reader.position())?;
                Ok(text)
            }
        }
    }

    fn text(&mut self, len: usize) -> Result<String, AmfError> {
        Ok(String::from_utf8_lossy(self.raw(len)?).into_owned())
    }

    fn raw(&mut self, len: usize) -> Result<&'a [u8], AmfError> {
        let bytes = self.reader.take(len)?;
        self.budget.text(len, self.reader.position())?;
        Ok(bytes)
    }

    fn head(&mut self) -> Result<Head, AmfError> {
        let bits = self.u29()?;
        let rest = usize::try_from(bits >> 1).unwrap_or(usize::MAX);
        Ok(if bits & 1 == 1 {
            Head::Len(rest)
        } else {
            Head::Reference(rest)
        })
    }

    /// 29 bits in one to four bytes: seven of each of the first three, eight of the fourth.
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut bits = 0;
        for _ in 0..3 {
            let byte = u32::from(self.reader.u8()?);
            bits = (bits << 7) | (byte & 0x7f);
            if byte < 0x80 {
                return Ok(bits);
            }
        }
        Ok((bits << 8) | u32::from(self.reader.u8()?))
    }
}

/// An integer of 29 bits in two's complement.
const fn signed29(bits: u32) -> i32 {
    (bits << 3).cast_signed() >> 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> Value {
        decode_all(bytes, &Limits::COMMAND).unwrap().remove(0)
    }

    #[test]
    fn reads_the_forms_of_the_specification() {
        assert_eq!(one(&[4, 0x7f]), Value::Number(127.0));
        assert_eq!(one(&[4, 0x81, 0x00]), Value::Number(128.0));
        assert_eq!(one(&[4, 0xff, 0xff, 0xff, 0xff]), Value::Number(-1.0));
        assert_eq!(
            one(&[4, 0xbf, 0xff, 0xff, 0xff]),
            Value::Number(268_435_455.0)
        );
        assert_eq!(one(b"\x06\x05hi"), Value::from("hi"));
        assert_eq!(
            one(b"\x09\x05\x01\x02\x03"),
            Value::StrictArray(vec![Value::Boolean(false), Value::Boolean(true)])
        );
        assert_eq!(
            one(b"\x09\x03\x03a\x01\x01\x03"),
            Value::EcmaArray(vec![
                ("a".into(), Value::Null),
                ("0".into(), Value::Boolean(true))
            ])
        );
        assert_eq!(
            one(&[8, 1, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
            Value::Date(1.0, 0)
        );
        assert_eq!(one(b"\x0c\x07\x01\x02\x03"), Value::Bytes(vec![1, 2, 3]));
        assert_eq!(
            one(b"\x0d\x05\x00\xff\xff\xff\xff\x00\x00\x00\x02"),
            Value::StrictArray(vec![Value::Number(-1.0), Value::Number(2.0)])
        );
    }

    #[test]
    fn objects_and_their_references() {
        // An anonymous open object {a: "a"}: the second "a" is a reference to the first.
        assert_eq!(
            one(b"\x0a\x0b\x01\x03a\x06\x00\x01"),
            Value::Object(vec![("a".into(), Value::from("a"))])
        );
        // Two objects of the sealed class C with member x, the second by reference to the class.
        let class = |value| Value::TypedObject("C".into(), vec![("x".into(), value)]);
        assert_eq!(
            decode_all(
                b"\x0a\x13\x03C\x03x\x03\x0a\x01\x02\x0a\x02",
                &Limits::COMMAND
            ),
            Ok(vec![
                class(Value::Boolean(true)),
                class(Value::Boolean(false)),
                Value::Reference(1)
            ])
        );
        assert_eq!(
            decode_all(b"\x06\x02", &Limits::COMMAND),
            Err(AmfError::Dangling { index: 1, at: 1 })
        );
        assert_eq!(
            decode_all(b"\x0a\x02", &Limits::COMMAND),
            Err(AmfError::Dangling { index: 1, at: 0 })
        );
    }

    #[test]
    fn deep_nesting_and_repeated_text_are_errors() {
        let nested = b"\x09\x03\x01".repeat(100_000);
        assert_eq!(
            decode_all(&nested, &Limits::COMMAND),
            Err(AmfError::Depth { limit: 16, at: 48 })
        );
        let mut repeats = vec![6, 0x87, 0x69];
        repeats.extend(vec![b'x'; 1000 / 2]);
        repeats.extend([6, 0].repeat(1000));
        assert!(matches!(
            decode_all(&repeats, &Limits::COMMAND),
            Err(AmfError::Bytes { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_values_or_an_error(bytes: Vec<u8>) {
            let _ = decode_all(&bytes, &Limits::COMMAND);
        }
    }
}
