//! The connect command: what a client says of itself.

use super::number::unsigned;
use crate::amf::Value;

/// The command object of a connect, in its order, and the arguments after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Connect {
    /// The properties.
    pub object: Vec<(String, Value)>,
    /// The arguments that the application gets.
    pub extra: Vec<Value>,
}

impl Connect {
    /// The application, as sent: perhaps with an instance, a slash at the end, a query.
    pub fn app(&self) -> &str {
        self.text("app")
    }

    /// The URL that the client connects to; tells the host. Empty where it is not sent.
    pub fn tc_url(&self) -> &str {
        self.text("tcUrl")
    }

    /// The page that the player is on. Empty where it is not sent.
    pub fn page_url(&self) -> &str {
        self.text("pageUrl")
    }

    /// The player's own file. Empty where it is not sent.
    pub fn swf_url(&self) -> &str {
        self.text("swfUrl")
    }

    /// The player's name and version. Empty where it is not sent.
    pub fn flash_ver(&self) -> &str {
        self.text("flashVer")
    }

    /// Which version of AMF the client's objects are in: 0 or 3.
    pub fn object_encoding(&self) -> f64 {
        let encoding = self.get("objectEncoding").and_then(Value::as_number);
        if encoding == Some(3.0) { 3.0 } else { 0.0 }
    }

    /// The codecs that the client says it takes (Enhanced RTMP 1); `*` stands for all.
    pub fn four_cc_list(&self) -> Vec<&str> {
        match self.get("fourCcList") {
            Some(Value::StrictArray(codecs)) => codecs.iter().filter_map(Value::as_str).collect(),
            // A list with names instead of places: the values count.
            Some(list) => {
                let properties = list.properties().unwrap_or_default();
                let codecs = properties.iter().filter_map(|(_, codec)| codec.as_str());
                codecs.collect()
            }
            None => Vec::new(),
        }
    }

    /// The client's further capabilities (Enhanced RTMP 2), a set of flags.
    pub fn caps_ex(&self) -> Option<u32> {
        unsigned(self.get("capsEx")?.as_number()?)
    }

    /// Video codecs and what the client can do with each (Enhanced RTMP 2): 1 decode, 2 encode, 4 forward.
    pub fn video_four_cc_info_map(&self) -> Vec<(&str, u32)> {
        self.info_map("videoFourCcInfoMap")
    }

    /// Audio codecs, as [`Self::video_four_cc_info_map`].
    pub fn audio_four_cc_info_map(&self) -> Vec<(&str, u32)> {
        self.info_map("audioFourCcInfoMap")
    }

    /// Whether the client announced anything of Enhanced RTMP.
    pub fn is_enhanced(&self) -> bool {
        let names = [
            "fourCcList",
            "capsEx",
            "videoFourCcInfoMap",
            "audioFourCcInfoMap",
        ];
        names.iter().any(|name| self.get(name).is_some())
    }

    /// Whether the client announced that it can decode a codec: by its FourCC or by `*`.
    pub fn announces(&self, four_cc: &str) -> bool {
        const CAN_DECODE: u32 = 1;
        let named = |name: &str| name == four_cc || name == "*";
        let maps = [self.video_four_cc_info_map(), self.audio_four_cc_info_map()].concat();
        let decodes = |(name, can): &(&str, u32)| named(name) && can & CAN_DECODE != 0;
        self.four_cc_list().into_iter().any(named) || maps.iter().any(decodes)
    }

    /// The first property of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut properties = self.object.iter();
        properties.find_map(|(key, value)| (key == name).then_some(value))
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn info_map(&self, name: &str) -> Vec<(&str, u32)> {
        let codecs = self
            .get(name)
            .and_then(Value::properties)
            .unwrap_or_default();
        let flags = |can: &Value| unsigned(can.as_number()?);
        let entries = codecs.iter();
        entries
            .filter_map(|(codec, can)| Some((codec.as_str(), flags(can)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(object: Vec<(&str, Value)>) -> Connect {
        let object = object
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Connect {
            object: object.collect(),
            extra: vec![],
        }
    }

    #[test]
    fn properties_have_names_and_defaults() {
        let given = connect(vec![
            ("app", "cfx/st".into()),
            ("tcUrl", "rtmp://h/cfx/st".into()),
            ("pageUrl", Value::Undefined),
            ("objectEncoding", 3.0.into()),
        ]);
        assert_eq!(
            (
                given.app(),
                given.tc_url(),
                given.page_url(),
                given.swf_url()
            ),
            ("cfx/st", "rtmp://h/cfx/st", "", "")
        );
        assert_eq!(given.object_encoding(), 3.0);
        assert_eq!(
            connect(vec![("objectEncoding", f64::NAN.into())]).object_encoding(),
            0.0
        );
        assert!(!given.is_enhanced());
    }

    #[test]
    fn enhanced_rtmp_announcements() {
        let info = Value::Object(vec![
            ("hvc1".into(), 1.0.into()),
            ("vp09".into(), 4.0.into()),
            ("bad".into(), Value::Null),
        ]);
        let given = connect(vec![
            (
                "fourCcList",
                Value::StrictArray(vec!["av01".into(), 7.0.into()]),
            ),
            ("videoFourCcInfoMap", info),
            ("capsEx", 5.0.into()),
        ]);
        assert!(given.is_enhanced());
        assert_eq!(given.four_cc_list(), ["av01"]);
        assert_eq!(given.video_four_cc_info_map(), [("hvc1", 1), ("vp09", 4)]);
        assert_eq!(given.caps_ex(), Some(5));
        assert!(given.announces("av01") && given.announces("hvc1"));
        assert!(!given.announces("vp09") && !given.announces("Opus"));
        assert!(
            connect(vec![("fourCcList", Value::StrictArray(vec!["*".into()]))]).announces("Opus")
        );
    }
}
