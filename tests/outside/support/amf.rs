//! AMF0, as much of it as a test client needs: written again here, so that the server's own codec
//! is not asked to check itself.

/// A value. Objects keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Amf {
    Number(f64),
    Boolean(bool),
    Text(String),
    Object(Vec<(String, Amf)>),
    Null,
    Undefined,
    Ecma(Vec<(String, Amf)>),
    List(Vec<Amf>),
    Date(f64),
}

impl Amf {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A field of an object or ECMA array.
    pub fn get(&self, name: &str) -> Option<&Amf> {
        match self {
            Self::Object(fields) | Self::Ecma(fields) => fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(0);
                out.extend(number.to_be_bytes());
            }
            Self::Boolean(value) => out.extend([1, u8::from(*value)]),
            Self::Text(text) if text.len() > 0xFFFF => {
                out.push(12);
                out.extend(
                    u32::try_from(text.len())
                        .expect("a short text")
                        .to_be_bytes(),
                );
                out.extend(text.as_bytes());
            }
            Self::Text(text) => {
                out.push(2);
                key(text, out);
            }
            Self::Object(pairs) => {
                out.push(3);
                fields(pairs, out);
            }
            Self::Null => out.push(5),
            Self::Undefined => out.push(6),
            Self::Ecma(pairs) => {
                out.push(8);
                out.extend(
                    u32::try_from(pairs.len())
                        .expect("few fields")
                        .to_be_bytes(),
                );
                fields(pairs, out);
            }
            Self::List(items) => {
                out.push(10);
                out.extend(u32::try_from(items.len()).expect("few items").to_be_bytes());
                for item in items {
                    item.write(out);
                }
            }
            Self::Date(milliseconds) => {
                out.push(11);
                out.extend(milliseconds.to_be_bytes());
                out.extend([0, 0]);
            }
        }
    }
}

fn key(text: &str, out: &mut Vec<u8>) {
    out.extend(
        u16::try_from(text.len())
            .expect("a short key")
            .to_be_bytes(),
    );
    out.extend(text.as_bytes());
}

fn fields(pairs: &[(String, Amf)], out: &mut Vec<u8>) {
    for (name, value) in pairs {
        key(name, out);
        value.write(out);
    }
    out.extend([0, 0, 9]);
}

/// All values in a message body. Panics on what a server should never send.
pub fn read_all(mut body: &[u8]) -> Vec<Amf> {
    let mut values = Vec::new();
    while !body.is_empty() {
        values.push(read(&mut body));
    }
    values
}

fn take<'a>(body: &mut &'a [u8], count: usize) -> &'a [u8] {
    assert!(body.len() >= count, "AMF0 from the server ends early");
    let (head, rest) = body.split_at(count);
    *body = rest;
    head
}

fn number(body: &mut &[u8]) -> f64 {
    f64::from_be_bytes(take(body, 8).try_into().expect("eight bytes"))
}

fn count(body: &mut &[u8], bytes: usize) -> usize {
    take(body, bytes)
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn string(body: &mut &[u8], bytes: usize) -> String {
    let length = count(body, bytes);
    String::from_utf8(take(body, length).to_vec()).expect("text from the server is UTF-8")
}

fn read_fields(body: &mut &[u8]) -> Vec<(String, Amf)> {
    let mut pairs = Vec::new();
    loop {
        let name = string(body, 2);
        if name.is_empty() && body.first() == Some(&9) {
            take(body, 1);
            return pairs;
        }
        pairs.push((name, read(body)));
    }
}

fn read(body: &mut &[u8]) -> Amf {
    match take(body, 1)[0] {
        0 => Amf::Number(number(body)),
        1 => Amf::Boolean(take(body, 1)[0] != 0),
        2 => Amf::Text(string(body, 2)),
        3 => Amf::Object(read_fields(body)),
        5 => Amf::Null,
        6 => Amf::Undefined,
        8 => {
            take(body, 4);
            Amf::Ecma(read_fields(body))
        }
        10 => {
            let items = count(body, 4);
            Amf::List((0..items).map(|_| read(body)).collect())
        }
        11 => {
            let milliseconds = number(body);
            take(body, 2);
            Amf::Date(milliseconds)
        }
        12 => Amf::Text(string(body, 4)),
        marker => panic!("AMF0 marker {marker} from the server"),
    }
}
