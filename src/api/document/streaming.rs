//! StreamingDistribution: what there is of one, beside its configuration.

use super::members::{Members, Node};
use super::{DocumentError, Version, parts, streaming_config, time};
use crate::api::xml::Element;
use crate::distribution::StreamingConfig;
use crate::distribution::record::StreamingRecord;
use crate::distribution::streaming::Signer;
use crate::registry::{self, State, Status};

/// What the element is called.
const NAME: &str = "StreamingDistribution";

/// A streaming distribution, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingDocument {
    /// Id, ARN, status and so on.
    pub head: StreamingHead,
    /// Who may sign, each with the ids of the keys that count.
    pub active_signers: Vec<(Signer, Vec<String>)>,
    /// What its owner configured.
    pub config: StreamingConfig,
}

/// What a distribution and its line in a list begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingHead {
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Whether its newest version is served.
    pub status: Status,
    /// When it was changed last, milliseconds since 1970.
    pub modified: i64,
    /// Its own name.
    pub domain_name: String,
    /// Whether it stands in the server's configuration file: our own element `ReadOnly`, which is
    /// not written otherwise.
    pub read_only: bool,
}

impl StreamingDocument {
    /// What a record is now.
    pub fn of(state: &State, record: &StreamingRecord) -> Self {
        Self {
            head: StreamingHead::of(state, record),
            active_signers: state.active_signers(record),
            config: record.config.clone(),
        }
    }

    /// Writes the document.
    pub fn write(&self, version: Version) -> String {
        let mut members = self.head.elements(version);
        if version.is_flat() {
            members.extend(self.flat_signers());
        } else {
            members.push(self.signers());
        }
        members.push(streaming_config::element(version, &self.config));
        members.extend(self.head.read_only_element());
        super::close(version, &Element::node(NAME, members))
    }

    /// Reads the document as it is since 2016-08-01.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn read(version: Version, body: &[u8]) -> Result<Self, DocumentError> {
        let tree = super::tree(body)?;
        let mut members = super::open(&tree, NAME)?.members()?;
        let head = StreamingHead::read(&mut members)?;
        let active_signers = signers(&members.required("ActiveTrustedSigners")?)?;
        let config = members.required(streaming_config::NAME)?;
        members.finish()?;
        Ok(Self {
            head,
            active_signers,
            config: streaming_config::config(version, &config)?,
        })
    }

    fn signers(&self) -> Element {
        let signer = |(signer, keys): &(Signer, Vec<String>)| {
            let keys = keys.iter().map(|key| Element::text("KeyPairId", key));
            let keys = Element::node("KeyPairIds", parts::counted(keys.collect()));
            Element::node("Signer", [parts::account(signer), keys])
        };
        let items = self.active_signers.iter().map(signer).collect();
        parts::enabled("ActiveTrustedSigners", items)
    }

    /// Before 2012-05-05: nothing where nobody signs.
    fn flat_signers(&self) -> Option<Element> {
        let signer = |(signer, keys): &(Signer, Vec<String>)| {
            let mut members = vec![parts::flat_signer(signer)];
            members.extend(keys.iter().map(|key| Element::text("KeyPairId", key)));
            Element::node("Signer", members)
        };
        let items: Vec<Element> = self.active_signers.iter().map(signer).collect();
        (!items.is_empty()).then(|| Element::node("ActiveTrustedSigners", items))
    }
}

/// Reads `ActiveTrustedSigners` as it is since 2012-05-05.
fn signers(node: &Node<'_>) -> Result<Vec<(Signer, Vec<String>)>, DocumentError> {
    let mut members = node.members()?;
    members.required("Enabled")?.boolean()?;
    let items = members.items("Signer")?;
    members.finish()?;
    let signer = |node: &Node<'_>| -> Result<_, DocumentError> {
        let mut members = node.members()?;
        let signer = parts::signer(&members.required("AwsAccountNumber")?)?;
        let mut keys = members.required("KeyPairIds")?.members()?;
        members.finish()?;
        let ids = keys.items("KeyPairId")?;
        keys.finish()?;
        let text = |node: &Node<'_>| node.text().map(str::to_owned);
        Ok((signer, ids.iter().map(text).collect::<Result<_, _>>()?))
    };
    items.iter().map(signer).collect()
}

impl StreamingHead {
    /// What a record is now.
    pub fn of(state: &State, record: &StreamingRecord) -> Self {
        Self {
            id: record.head.id.clone(),
            arn: registry::arn(record),
            status: state.status(record),
            modified: record.head.modified,
            domain_name: record.domain_name.clone(),
            read_only: record.read_only,
        }
    }

    pub(super) fn elements(&self, version: Version) -> Vec<Element> {
        let mut elements = vec![Element::text("Id", &self.id)];
        if version.has_tags() {
            elements.push(Element::text("ARN", &self.arn));
        }
        elements.push(Element::text("Status", status_text(self.status)));
        let modified = time::write(version, self.modified);
        elements.push(Element::text("LastModifiedTime", modified));
        elements.push(Element::text("DomainName", &self.domain_name));
        elements
    }

    pub(super) fn read_only_element(&self) -> Option<Element> {
        self.read_only.then(|| Element::boolean("ReadOnly", true))
    }

    pub(super) fn read(members: &mut Members<'_>) -> Result<Self, DocumentError> {
        let read_only = members.optional("ReadOnly")?;
        Ok(Self {
            id: members.text("Id")?,
            arn: members.text("ARN")?,
            status: status(&members.required("Status")?)?,
            modified: time::read(&members.required("LastModifiedTime")?)?,
            domain_name: members.text("DomainName")?,
            read_only: read_only.map_or(Ok(false), |node| node.boolean())?,
        })
    }
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::InProgress => "InProgress",
        Status::Deployed => "Deployed",
    }
}

fn status(node: &Node<'_>) -> Result<Status, DocumentError> {
    match node.text()? {
        "InProgress" => Ok(Status::InProgress),
        "Deployed" => Ok(Status::Deployed),
        _ => Err(node.wrong("it is InProgress or Deployed")),
    }
}
