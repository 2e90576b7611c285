//! The AMF0 reader.

use super::limits::Budget;
use super::{AmfError, Limits, Value, amf3};
use crate::wire::{Reader, Truncated};

/// Ends the properties of an object, after an empty name.
const OBJECT_END: u8 = 0x09;

type Properties = Vec<(String, Value)>;

/// Reads all values of `bytes`: those of one command or data message.
pub fn decode_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(bytes, limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.value()? {
        values.push(value);
    }
    Ok(values)
}

/// Reads values one after another. The limits hold for all of them together.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    budget: Budget,
}

impl<'a> Decoder<'a> {
    /// A decoder at the first of `bytes`.
    pub const fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            reader: Reader::new(bytes),
            budget: Budget::new(limits),
        }
    }

    /// How many bytes have been read.
    pub const fn position(&self) -> usize {
        self.reader.position()
    }

    /// Reads the next value; `None` after the last.
    pub fn value(&mut self) -> Result<Option<Value>, AmfError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        self.nested(1).map(Some)
    }

    fn nested(&mut self, depth: usize) -> Result<Value, AmfError> {
        let at = self.reader.position();
        let marker = self.reader.u8()?;
        self.budget.value(depth, at)?;
        Ok(match marker {
            0x00 => Value::Number(self.reader.f64()?),
            0x01 => Value::Boolean(self.reader.u8()? != 0),
            0x02 => Value::String(self.short_text()?),
            0x03 => Value::Object(self.properties(depth)?),
            0x05 => Value::Null,
            0x06 => Value::Undefined,
            0x07 => Value::Reference(self.reader.u16()?),
            0x08 => {
                // The count is a hint that writers get wrong; the end marker decides.
                self.reader.skip(4)?;
                Value::EcmaArray(self.properties(depth)?)
            }
            0x0a => Value::StrictArray(self.elements(depth)?),
            0x0b => Value::Date(self.reader.f64()?, self.reader.i16()?),
            0x0c => Value::String(self.long_text()?),
            0x0d => Value::Unsupported,
            0x0f => Value::Xml(self.long_text()?),
            0x10 => {
                let class = self.short_text()?;
                Value::TypedObject(class, self.properties(depth)?)
            }
            0x11 => amf3::read_value(&mut self.reader, &mut self.budget, depth)?,
            // 0x04 and 0x0e (movie clip, record set) are reserved and were never sent; 0x09 is no value.
            _ => return Err(AmfError::Marker { marker, at }),
        })
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let len = usize::from(self.reader.u16()?);
        self.text(len)
    }

    fn long_text(&mut self) -> Result<String, AmfError> {
        // Where it does not fit, there are not that many bytes either.
        let len = usize::try_from(self.reader.u32()?).unwrap_or(usize::MAX);
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<String, AmfError> {
        let bytes = self.reader.take(len)?;
        self.budget.text(len, self.reader.position())?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn properties(&mut self, depth: usize) -> Result<Properties, AmfError> {
        let mut properties = Vec::new();
        loop {
            match self.property(depth) {
                Ok(Some(property)) => properties.push(property),
                Ok(None) => return Ok(properties),
                Err(error) => return self.cut(error, properties),
            }
        }
    }

    /// One property, or `None` at the end of the object.
    fn property(&mut self, depth: usize) -> Result<Option<(String, Value)>, AmfError> {
        let name = self.short_text()?;
        if name.is_empty() && self.reader.peek() == Some(OBJECT_END) {
            self.reader.skip(1)?;
            return Ok(None);
        }
        let value = self.nested(depth.saturating_add(1))?;
        Ok(Some((name, value)))
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value>, AmfError> {
        let count = self.reader.u32()?;
        let mut elements = Vec::new();
        for _ in 0..count {
            match self.nested(depth.saturating_add(1)) {
                Ok(element) => elements.push(element),
                Err(error) => return self.cut(error, elements),
            }
        }
        Ok(elements)
    }

    /// What becomes of an object or array that an error ends: where the input ended and the
    /// limits say so, what came of it stands.
    fn cut<T>(&mut self, error: AmfError, members: T) -> Result<T, AmfError> {
        match error {
            AmfError::Truncated(Truncated { .. }) if self.budget.lenient() => {
                self.reader.skip(self.reader.remaining())?;
                Ok(members)
            }
            error => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> Value {
        let values = decode_all(bytes, &Limits::COMMAND).unwrap();
        assert_eq!(values.len(), 1);
        values.into_iter().next().unwrap()
    }

    #[test]
    fn reads_every_marker() {
        assert_eq!(
            one(&[0, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18]),
            Value::Number(std::f64::consts::PI)
        );
        assert_eq!(one(&[1, 1]), Value::Boolean(true));
        assert_eq!(one(b"\x02\x00\x03app"), Value::from("app"));
        assert_eq!(
            one(b"\x03\x00\x01b\x05\x00\x01a\x06\x00\x00\x09"),
            Value::Object(vec![
                ("b".into(), Value::Null),
                ("a".into(), Value::Undefined)
            ])
        );
        assert_eq!(one(&[7, 1, 2]), Value::Reference(0x102));
        assert_eq!(
            one(b"\x0a\x00\x00\x00\x02\x05\x01\x00"),
            Value::StrictArray(vec![Value::Null, Value::Boolean(false)])
        );
        assert_eq!(
            one(&[0x0b, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xff, 0xc4]),
            Value::Date(1.0, -60)
        );
        assert_eq!(one(b"\x0c\x00\x00\x00\x02hi"), Value::from("hi"));
        assert_eq!(one(&[0x0d]), Value::Unsupported);
        assert_eq!(one(b"\x0f\x00\x00\x00\x04<a/>"), Value::Xml("<a/>".into()));
        assert_eq!(
            one(b"\x10\x00\x01C\x00\x01x\x01\x01\x00\x00\x09"),
            Value::TypedObject("C".into(), vec![("x".into(), Value::Boolean(true))])
        );
        assert_eq!(one(&[0x11, 4, 0x81, 0x00]), Value::Number(128.0));
        assert_eq!(
            decode_all(&[5, 4], &Limits::COMMAND),
            Err(AmfError::Marker { marker: 4, at: 1 })
        );
    }

    #[test]
    fn a_wrong_count_of_an_ecma_array_does_not_matter() {
        for count in [0u32, 1, 7, u32::MAX] {
            let mut bytes = vec![8];
            bytes.extend_from_slice(&count.to_be_bytes());
            bytes.extend_from_slice(b"\x00\x01a\x05\x00\x01b\x05\x00\x00\x09\x05");
            let array =
                Value::EcmaArray(vec![("a".into(), Value::Null), ("b".into(), Value::Null)]);
            assert_eq!(
                decode_all(&bytes, &Limits::COMMAND),
                Ok(vec![array, Value::Null])
            );
        }
    }

    #[test]
    fn a_missing_end_is_forgiven_only_where_asked() {
        let cut = b"\x08\x00\x00\x00\x01\x00\x01o\x03\x00\x01a\x01\x01\x00\x01b\x00\x00";
        let inner = Value::Object(vec![("a".into(), Value::Boolean(true))]);
        let whole = Value::EcmaArray(vec![("o".into(), inner)]);
        assert_eq!(decode_all(cut, &Limits::METADATA), Ok(vec![whole]));
        assert!(matches!(
            decode_all(cut, &Limits::COMMAND),
            Err(AmfError::Truncated(_))
        ));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let arrays = b"\x0a\x00\x00\x00\x01".repeat(100_000);
        assert_eq!(
            decode_all(&arrays, &Limits::COMMAND),
            Err(AmfError::Depth { limit: 16, at: 80 })
        );
        let objects = b"\x03\x00\x01a".repeat(100_000);
        assert_eq!(
            decode_all(&objects, &Limits::METADATA),
            Err(AmfError::Depth { limit: 32, at: 128 })
        );
    }

    #[test]
    fn values_and_text_are_counted() {
        let limits = Limits {
            values: 3,
            bytes: 4,
            ..Limits::COMMAND
        };
        assert_eq!(
            decode_all(&[5, 5, 5, 5], &limits),
            Err(AmfError::Values { limit: 3, at: 3 })
        );
        assert!(decode_all(b"\x02\x00\x04abcd", &limits).is_ok());
        assert_eq!(
            decode_all(b"\x02\x00\x05abcde", &limits),
            Err(AmfError::Bytes { limit: 4, at: 8 })
        );
        let claims = b"\x0a\xff\xff\xff\xff";
        assert!(matches!(
            decode_all(claims, &Limits::COMMAND),
            Err(AmfError::Truncated(_))
        ));
        assert_eq!(
            decode_all(claims, &Limits::METADATA),
            Ok(vec![Value::StrictArray(vec![])])
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_values_or_an_error(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(&bytes, &Limits::METADATA);
            while let Ok(Some(_)) = decoder.value() {}
            prop_assert!(decoder.position() <= bytes.len());
        }
    }
}
