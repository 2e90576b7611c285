//! The operations of the control API that the command line needs, over documents of its newest
//! version.

use anyhow::{Context, anyhow};
use hyper::Method;

use super::{Answer, Client, is_missing};
use crate::api::Players;
use crate::api::document::streaming::{StreamingDocument, StreamingHead};
use crate::api::document::summary::{self, StreamingSummary};
use crate::api::document::{DocumentError, identity, streaming_config};
use crate::api::version::Version;
use crate::api::xml::{self, Element};
use crate::distribution::host::HostPattern;
use crate::distribution::record::{IdentityConfig, Tags};
use crate::distribution::streaming::StreamingConfig;
use crate::registry::Status;

/// The caller reference of the identity of `--private`, and its comment.
const IDENTITY: &str = "streamfront";
const IDENTITY_COMMENT: &str = "made by streamfront distribution --private";

/// Pages of a list that are asked for at the most: an account has far fewer distributions.
const PAGES_MAX: usize = 1000;

/// The distributions of an account.
#[derive(Debug)]
pub(in crate::cli) struct Distributions {
    client: Client,
}

/// A distribution, and which version of it this is.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Described {
    pub(in crate::cli) head: StreamingHead,
    pub(in crate::cli) config: StreamingConfig,
    pub(in crate::cli) etag: String,
    pub(in crate::cli) players: Players,
}

impl Described {
    /// Whether the server serves this version.
    pub(in crate::cli) fn is_deployed(&self) -> bool {
        self.head.status == Status::Deployed
    }
}

impl Distributions {
    pub(in crate::cli) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Makes a distribution.
    pub(in crate::cli) async fn create(
        &self,
        config: &StreamingConfig,
        tags: &Tags,
    ) -> anyhow::Result<Described> {
        let (query, body) = if tags.is_empty() {
            ("", streaming_config::write(Version::NEWEST, config))
        } else {
            let body = streaming_config::write_with_tags(Version::NEWEST, config, tags);
            ("?WithTags", body)
        };
        let path = format!("streaming-distribution{query}");
        described(self.send(Method::POST, &path, None, body).await?)
    }

    /// The distribution with an id.
    pub(in crate::cli) async fn get(&self, id: &str) -> anyhow::Result<Described> {
        described(self.ask(&format!("streaming-distribution/{id}")).await?)
    }

    /// The distribution with an id, a domain name or a CNAME.
    pub(in crate::cli) async fn find(&self, which: &str) -> anyhow::Result<Described> {
        // What has a dot is a name; ids have none.
        if !which.contains('.') && is_plain(which) {
            match self.get(which).await {
                Err(error) if is_missing(&error) => {}
                found => return found,
            }
        }
        let name = HostPattern::parse(which).ok();
        let all = self.list().await?;
        let found = all.iter().find(|it| {
            let domain = it.head.domain_name.eq_ignore_ascii_case(which);
            domain || name.as_ref().is_some_and(|name| it.aliases.contains(name))
        });
        let found = found.ok_or_else(|| {
            anyhow!(
                "your account has no distribution {which:?}; `streamfront distribution list` \
                 shows all"
            )
        })?;
        self.get(&found.head.id).await
    }

    /// All distributions of the account.
    pub(in crate::cli) async fn list(&self) -> anyhow::Result<Vec<StreamingSummary>> {
        let mut all = Vec::new();
        let mut query = String::new();
        for _ in 0..PAGES_MAX {
            let answer = self.ask(&format!("streaming-distribution{query}")).await?;
            let page = summary::read(&answer.body).map_err(strange)?;
            all.extend(page.items);
            match page.next {
                Some(next) if is_plain(&next) => query = format!("?Marker={next}"),
                _ => break,
            }
        }
        Ok(all)
    }

    /// Writes back what was changed in a configuration.
    pub(in crate::cli) async fn update(&self, it: &Described) -> anyhow::Result<Described> {
        let path = format!("streaming-distribution/{}/config", it.head.id);
        let body = streaming_config::write(Version::NEWEST, &it.config);
        described(self.send(Method::PUT, &path, Some(&it.etag), body).await?)
    }

    /// Deletes a distribution.
    pub(in crate::cli) async fn delete(&self, it: &Described) -> anyhow::Result<()> {
        let path = format!("streaming-distribution/{}", it.head.id);
        let etag = Some(it.etag.as_str());
        self.send(Method::DELETE, &path, etag, String::new())
            .await?;
        Ok(())
    }

    /// The origin access identity of `--private`: it is made once in an account, and known by its
    /// comment.
    pub(in crate::cli) async fn own_identity(&self) -> anyhow::Result<String> {
        const PATH: &str = "origin-access-identity/cloudfront";
        let config = IdentityConfig {
            caller_reference: IDENTITY.to_owned(),
            comment: IDENTITY_COMMENT.to_owned(),
        };
        // A version in which a reference that comes again is answered as the first time, so that it
        // does not matter who else makes it at this moment.
        let version = Version::parse("2019-03-26").unwrap_or(Version::NEWEST);
        let target = format!("/{version}/{PATH}");
        let body = identity::write_config(version, &config);
        let made = self.client.send(Method::POST, &target, None, body).await?;
        let made = xml::read(&made.body)?;
        let id = child(&made, "Id").context("the server's identity has no Id")?;
        Ok(id.text.clone())
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None, String::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: String,
    ) -> anyhow::Result<Answer> {
        let target = format!("/{}/{path}", Version::NEWEST);
        self.client.send(method, &target, etag, body).await
    }
}

fn described(answer: Answer) -> anyhow::Result<Described> {
    let document = StreamingDocument::read(Version::NEWEST, &answer.body).map_err(strange)?;
    let etag = answer.etag.context("the server's answer has no ETag")?;
    Ok(Described {
        head: document.head,
        config: document.config,
        etag,
        players: answer.players,
    })
}

/// An answer that is not the API's.
fn strange(error: DocumentError) -> anyhow::Error {
    anyhow!("the server's answer cannot be understood: {error}")
}

/// Whether a text can stand in a URL as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The first element of a name in another.
pub(super) fn child<'a>(element: &'a Element, name: &str) -> Option<&'a Element> {
    element.children.iter().find(|child| child.name == name)
}
