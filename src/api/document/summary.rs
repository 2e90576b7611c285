//! StreamingDistributionSummary, and StreamingDistributionList.

use super::members::Node;
use super::parts::{self, Origin};
use super::streaming::StreamingHead;
use super::{DocumentError, List, Version, flat, list, streaming_config};
use crate::api::xml::Element;
use crate::distribution::host::HostPattern;
use crate::distribution::record::StreamingRecord;
use crate::distribution::streaming::{PriceClass, Signer, StreamingConfig};
use crate::registry::State;

/// What the elements are called.
const LIST: &str = "StreamingDistributionList";
const NAME: &str = "StreamingDistributionSummary";

/// A distribution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingSummary {
    /// Id, ARN, status and so on.
    pub head: StreamingHead,
    /// See [`StreamingConfig`], as with all that follows.
    pub origin_domain: String,
    /// The identity's id.
    pub origin_access_identity: Option<String>,
    /// CNAMEs.
    pub aliases: Vec<HostPattern>,
    /// Who may sign.
    pub trusted_signers: Vec<Signer>,
    /// What its owner wants to remember.
    pub comment: String,
    /// Its price class.
    pub price_class: PriceClass,
    /// Whether viewers are let in.
    pub enabled: bool,
}

/// Writes the list of records.
pub fn write(version: Version, state: &State, list: &List<impl AsRef<StreamingRecord>>) -> String {
    let list = list.map(|record| {
        let record = record.as_ref();
        element(version, &StreamingHead::of(state, record), &record.config)
    });
    list::write(version, LIST, list)
}

/// Reads the list as it is since 2016-08-01.
///
/// # Errors
/// See [`DocumentError`].
pub fn read(body: &[u8]) -> Result<List<StreamingSummary>, DocumentError> {
    let tree = super::tree(body)?;
    list::read(&super::open(&tree, LIST)?, NAME, StreamingSummary::read)
}

pub(super) fn element(version: Version, head: &StreamingHead, config: &StreamingConfig) -> Element {
    let mut members = head.elements(version);
    let origin = streaming_config::origin(config);
    let comment = Element::text("Comment", &config.comment);
    let enabled = Element::boolean("Enabled", config.enabled);
    if version.is_flat() {
        if version.has_origin_text() {
            members.push(Element::text("Origin", &origin.domain));
        } else {
            members.push(origin.flat());
        }
        members.extend(parts::cnames(&config.aliases));
        members.extend([comment, enabled]);
        if version.has_origin_text() {
            members.extend(origin.flat_identity());
        }
        members.extend(flat::signers(config));
    } else {
        members.extend([
            origin.nested(),
            parts::write_aliases(&config.aliases),
            parts::enabled("TrustedSigners", parts::accounts(&config.trusted_signers)),
            comment,
            Element::text("PriceClass", config.price_class.as_str()),
            enabled,
        ]);
    }
    members.extend(head.read_only_element());
    Element::node(NAME, members)
}

impl StreamingSummary {
    fn read(node: &Node<'_>) -> Result<Self, DocumentError> {
        let mut members = node.members()?;
        let head = StreamingHead::read(&mut members)?;
        let origin = Origin::read(&members.required("S3Origin")?)?;
        let summary = Self {
            head,
            origin_domain: origin.domain,
            origin_access_identity: origin.identity,
            aliases: parts::aliases(&members.required("Aliases")?)?,
            trusted_signers: parts::signers(&members.required("TrustedSigners")?)?,
            comment: members.text("Comment")?,
            price_class: streaming_config::price_class(&members.required("PriceClass")?)?,
            enabled: members.required("Enabled")?.boolean()?,
        };
        members.finish()?;
        Ok(summary)
    }
}
