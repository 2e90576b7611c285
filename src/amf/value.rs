//! One AMF value, from AMF0 or AMF3.

/// A value as commands and metadata carry it. Properties keep the order in which they came.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; AMF3 integers become one too.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string, short or long. Bytes that are not UTF-8 were replaced.
    String(String),
    /// An anonymous object.
    Object(Vec<(String, Value)>),
    /// An associative array: what metadata must be sent as.
    EcmaArray(Vec<(String, Value)>),
    /// A dense array.
    StrictArray(Vec<Value>),
    /// An object with a class name.
    TypedObject(String, Vec<(String, Value)>),
    /// Milliseconds since 1970-01-01, UTC, and the time zone field (reserved, minutes).
    Date(f64, i16),
    /// An XML document.
    Xml(String),
    /// A back reference to the n-th complex value of the message.
    Reference(u16),
    /// Raw bytes (AMF3 ByteArray only).
    Bytes(Vec<u8>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// A value that the sender could not serialize.
    Unsupported,
}

impl Value {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The properties, if it has any kind of them.
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Self::Object(properties)
            | Self::EcmaArray(properties)
            | Self::TypedObject(_, properties) => Some(properties),
            _ => None,
        }
    }

    /// The first property of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties()?
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}
