//! Why something does not play: the steps of a play that only the server sees, one after the other.
//!
//! Each asks as a play does, but the origin is read anew, one byte of each candidate: what is
//! cached would hide a bucket that cannot be read any more.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use jiff::Timestamp;

use crate::access;
use crate::api::caller::Caller;
use crate::api::diagnose::{Diagnose, Finding, Question};
use crate::catalog::StreamName;
use crate::catalog::host::ConnectTarget;
use crate::delivery::served::{Served, Terms};
use crate::distribution::record::StreamingRecord;
use crate::distribution::{AccountId, Kind};
use crate::net::shared::Shared;
use crate::origin::{Condition, OriginError, Read};
use crate::registry::{Registry, Status};
use crate::rtmp::status::Rejection;
use crate::units::ByteRange;

/// Walks the way of a play.
#[derive(Debug)]
pub(super) struct Diagnosis {
    pub(super) shared: Arc<Shared>,
    /// What is known of distributions beside how they are served.
    pub(super) registry: Option<Registry>,
}

/// The steps so far.
type Findings = Vec<Finding>;

impl Diagnose for Diagnosis {
    fn diagnose<'a>(
        &'a self,
        caller: &'a Caller,
        question: &'a Question,
    ) -> BoxFuture<'a, Findings> {
        async move {
            let mut findings = Vec::new();
            // The step that does not hold is the last.
            let _ = self.walk(caller, question, &mut findings).await;
            findings
        }
        .boxed()
    }
}

impl Diagnosis {
    /// `None`: a step does not hold.
    async fn walk(
        &self,
        caller: &Caller,
        question: &Question,
        findings: &mut Findings,
    ) -> Option<()> {
        let served = keep(findings, self.distribution(caller, &question.host))?;
        let terms = Terms::clone(&served.terms());
        let folder = keep(findings, application(&question.app, &terms))?;
        let record = self.record(&served);
        let name = StreamName::parse(&folder, &question.name).ok();
        let Some(name) = name else {
            let says = format!("{:?} can be the name of no object", question.name);
            findings.push(Finding::wrong("object", says));
            return None;
        };
        bucket(&terms, record.as_deref(), &name, findings).await?;
        let objects = &self.shared.routes.objects;
        let object = match objects.open(served.id(), &terms.origin, &name).await {
            Ok(object) => {
                let info = object.info();
                let length = info.duration.map_or_else(
                    || "of unknown length".to_owned(),
                    |length| format!("{:.3} s long", length.seconds()),
                );
                let says = format!("{} can be played, {length}", object.key().key);
                findings.push(Finding::holds("container", says));
                object
            }
            Err(error) => {
                let says = format!("{}: {error}", name.candidates().join(", "));
                findings.push(Finding::wrong("container", says));
                return None;
            }
        };
        findings.push(access(&terms, &name, &object.key().key));
        Some(())
    }

    /// The distribution that answers to a host, where the caller may know of it.
    fn distribution(&self, caller: &Caller, host: &str) -> (Finding, Option<Arc<Served>>) {
        const STEP: &str = "distribution";
        let shown = if host.is_empty() { "no host" } else { host };
        let Some(route) = self.shared.routes.lookup(host) else {
            let says = format!(
                "none answers to {shown}: it is neither the domain name nor a CNAME of any \
                 distribution that can be served, and there is no default for it"
            );
            return (Finding::wrong(STEP, says), None);
        };
        let served = route.served;
        let record = self.record(&served);
        let owner = record.as_ref().map(|record| &record.head.account);
        if caller.account != AccountId::operator() && owner != Some(&caller.account) {
            let says = format!("that of {shown} belongs to another account");
            return (Finding::wrong(STEP, says), None);
        }
        let terms = served.terms();
        let id = served.id();
        if !terms.enabled {
            let says = format!("{id} answers to {shown} and is disabled");
            return (Finding::wrong(STEP, says), None);
        }
        if terms.kind != Kind::Streaming {
            let says = format!("{id} answers to {shown} and is a download distribution");
            return (Finding::wrong(STEP, says), None);
        }
        drop(terms);
        let says = format!("{id} answers to {shown}{}", self.pending(record.as_deref()));
        (Finding::holds(STEP, says), Some(served))
    }

    fn record(&self, served: &Served) -> Option<Arc<StreamingRecord>> {
        let state = self.registry.as_ref()?.state();
        state.streaming.get(&**served.id()).cloned()
    }

    /// Said of a change that is not served yet.
    fn pending(&self, record: Option<&StreamingRecord>) -> &'static str {
        let status = self.registry.as_ref().zip(record);
        let status = status.map(|(registry, record)| registry.state().status(record));
        match status {
            Some(Status::InProgress) => "; its last change is not served yet",
            _ => "",
        }
    }
}

fn keep<T>(findings: &mut Findings, step: (Finding, Option<T>)) -> Option<T> {
    findings.push(step.0);
    step.1
}

/// What the player put behind the application.
fn application(app: &str, terms: &Terms) -> (Finding, Option<String>) {
    const STEP: &str = "application";
    match ConnectTarget::parse(app, None, &terms.apps) {
        Ok(target) => {
            let says = format!("{} is one of the distribution", target.app);
            (Finding::holds(STEP, says), Some(target.folder))
        }
        Err(rejection) => {
            let apps = terms.apps.join(", ");
            let what = match rejection {
                Rejection::InvalidInstance => "another instance",
                _ => "none",
            };
            let says = format!("{app:?} is {what} of the distribution, which has {apps}");
            (Finding::wrong(STEP, says), None)
        }
    }
}

/// Whether the bucket answers, and has one of the keys that the name may mean.
async fn bucket(
    terms: &Terms,
    record: Option<&StreamingRecord>,
    name: &StreamName,
    findings: &mut Findings,
) -> Option<()> {
    let keys = name.candidates();
    let first = ByteRange::new(0, 1);
    let reads = keys
        .iter()
        .map(|key| terms.origin.read(key, first, Condition::None));
    let reads = join_all(reads).await;
    let whence = record.map_or("the bucket", |record| &record.config.origin_domain);
    let mut refused = false;
    for (key, read) in keys.iter().zip(reads) {
        match read {
            Ok(Read::Bytes(object)) => {
                findings.push(Finding::holds("origin", format!("{whence} answers")));
                let says = format!("it has {key}, {} bytes, ETag {}", object.size, object.etag);
                findings.push(Finding::holds("object", says));
                return Some(());
            }
            Ok(Read::NotModified) | Err(OriginError::NotFound) => {}
            Err(OriginError::Forbidden) => refused = true,
            Err(OriginError::OutOfRange) => {
                findings.push(Finding::holds("origin", format!("{whence} answers")));
                findings.push(Finding::wrong("object", format!("{key} is empty")));
                return None;
            }
            Err(error) => {
                findings.push(Finding::wrong("origin", format!("{whence}: {error}")));
                return None;
            }
        }
    }
    let keys = keys.join(", ");
    if refused {
        let says = format!("{whence} refuses to be read{}", advice(record));
        findings.push(Finding::wrong(
            "origin",
            format!("{says} (asked for {keys})"),
        ));
        return None;
    }
    findings.push(Finding::holds("origin", format!("{whence} answers")));
    let says = format!("there is none of {keys}");
    findings.push(Finding::wrong("object", says));
    None
}

/// What to do where a bucket refuses.
fn advice(record: Option<&StreamingRecord>) -> &'static str {
    let anonymous =
        record.is_some_and(|it| !it.read_only && it.config.origin_access_identity.is_none());
    if anonymous {
        " by an anonymous reader: make its objects public, or give the distribution an origin \
         access identity"
    } else {
        " with the credentials that there are; S3 also says so of missing objects to those who may \
         not list the bucket"
    }
}

/// Whether the name is signed as it must be. The viewer's address is not known here.
fn access(terms: &Terms, name: &StreamName, key: &str) -> Finding {
    const STEP: &str = "access";
    let Some(signers) = &terms.signers else {
        return Finding::holds(STEP, "names need no signature");
    };
    let now = Timestamp::now();
    let signed = access::explain(&name.asked(), name.query.as_deref(), signers, now);
    let signed = signed.and_then(|grant| grant.covers(key).map(|()| grant));
    let grant = match signed {
        Ok(grant) => grant,
        Err(refusal) => return Finding::wrong(STEP, refusal.to_string()),
    };
    let policy = &grant.policy;
    let place = policy
        .conditions
        .addresses
        .map_or_else(String::new, |addresses| {
            format!(", for {addresses} only: whether the viewer is there is not known here")
        });
    let says = format!(
        "signed with {} for {:?} until {}{place}",
        grant.id,
        policy.resource.as_str(),
        access::policy::at(policy.conditions.before)
    );
    Finding::holds(STEP, says)
}
