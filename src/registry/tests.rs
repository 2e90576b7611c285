use std::collections::{BTreeSet, HashSet};

use futures_util::future::join_all;
use proptest::prelude::*;

use super::*;
use crate::distribution::host::HostPattern;
use crate::distribution::record::{FORMER_MAX, Head};
use crate::distribution::streaming::{ConfigFault, PriceClass, Signer};
use crate::store::memory::Memory;
use crate::store::{Kind, Record};

const NEW: &str = "2020-05-31";
const OLD: &str = "2010-11-01";

fn account(n: u8) -> AccountId {
    AccountId::parse(&format!("{n:012}")).unwrap()
}

/// Somebody of account `n` with a new version of the API.
fn author(n: u8) -> Author {
    Author {
        account: account(n),
        version: NEW.into(),
    }
}

fn config(reference: &str) -> StreamingConfig {
    StreamingConfig {
        caller_reference: reference.into(),
        origin_domain: "media.s3.amazonaws.com".into(),
        origin_access_identity: None,
        aliases: vec![],
        comment: String::new(),
        logging: None,
        trusted_signers: vec![],
        price_class: PriceClass::All,
        enabled: true,
    }
}

fn alias(name: &str) -> HostPattern {
    HostPattern::parse(name).unwrap()
}

fn named(reference: &str, name: &str) -> StreamingConfig {
    StreamingConfig {
        aliases: vec![alias(name)],
        ..config(reference)
    }
}

fn disabled(reference: &str) -> StreamingConfig {
    StreamingConfig {
        enabled: false,
        ..config(reference)
    }
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

async fn open(store: &Arc<Memory>, rules: Rules) -> Registry {
    Registry::open(store.clone(), vec![], rules).await.unwrap()
}

async fn fresh() -> Registry {
    open(&Arc::default(), Rules::default()).await
}

impl Registry {
    async fn make(&self, n: u8, config: StreamingConfig) -> Arc<StreamingRecord> {
        self.try_make(n, config).await.unwrap()
    }

    async fn try_make(
        &self,
        n: u8,
        config: StreamingConfig,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        self.create_streaming(&author(n), config, Tags::new(), Repeat::Refused)
            .await
    }

    async fn remove(&self, n: u8, record: &StreamingRecord) -> Result<(), RegistryError> {
        self.deployed(&record.head.id, &record.head.etag);
        self.delete_streaming(&author(n), &record.head.id, Some(&record.head.etag))
            .await
    }

    async fn identity(&self, n: u8, reference: &str) -> Arc<IdentityRecord> {
        let config = IdentityConfig {
            caller_reference: reference.into(),
            comment: String::new(),
        };
        self.create_identity(&author(n), config, Repeat::Refused)
            .await
            .unwrap()
    }

    async fn key(&self, n: u8, name: &str) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        self.create_public_key(&author(n), key_config(name, name))
            .await
    }
}

fn key_config(reference: &str, name: &str) -> PublicKeyConfig {
    PublicKeyConfig {
        caller_reference: reference.into(),
        name: name.into(),
        encoded_key: pem::tests::RSA_KEY.into(),
        comment: String::new(),
    }
}

fn group(name: &str, keys: &[&str]) -> KeyGroupConfig {
    KeyGroupConfig {
        name: name.into(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        comment: String::new(),
    }
}

#[tokio::test]
async fn a_distribution_is_made_with_names_of_its_own() {
    let registry = fresh().await;
    let record = registry
        .create_streaming(
            &author(1),
            config("a"),
            tags(&[("k", "v")]),
            Repeat::Refused,
        )
        .await
        .unwrap();
    let head = &record.head;
    assert!(head.id.len() == 14 && head.etag.len() == 14 && head.id != head.etag);
    assert!(record.domain_name.ends_with(".streamfront.localhost"));
    assert!(head.created > 1_600_000_000_000 && head.created == head.modified);
    assert_eq!((&record.written_by[..], record.read_only), (NEW, false));
    let state = registry.state();
    assert_eq!(state.streaming_of(&account(1), &head.id), Some(&record));
    assert_eq!(state.streaming_of(&account(2), &head.id), None);
    let name = arn(&record);
    assert_eq!(
        name,
        format!(
            "arn:aws:cloudfront::000000000001:streaming-distribution/{}",
            head.id
        )
    );
    assert!(state.tagged(&account(1), &name).is_some());
    assert!(state.tagged(&account(2), &name).is_none());
}

#[tokio::test]
async fn a_reference_used_again_means_what_the_version_says() {
    let registry = fresh().await;
    let first = registry.make(1, config("a")).await;
    let mut again = config("a");
    again.comment = "  ".into();
    again.origin_domain = "Media.s3.amazonaws.com".into();
    let repeat = |config, repeat| {
        let registry = registry.clone();
        async move {
            registry
                .create_streaming(&author(1), config, Tags::new(), repeat)
                .await
        }
    };
    assert_eq!(
        repeat(again.clone(), Repeat::Answered).await,
        Ok(first.clone())
    );
    let exists = |answer| matches!(answer, Err(RegistryError::Exists(Kind::Streaming, _)));
    assert!(exists(repeat(again.clone(), Repeat::Refused).await));
    again.comment = "other".into();
    assert!(exists(repeat(again, Repeat::Answered).await));
    // References of another account are its own; those of deleted distributions are free.
    registry.make(2, config("a")).await;
    let off = registry
        .update_streaming(
            &author(1),
            &first.head.id,
            Some(&first.head.etag),
            disabled("a"),
        )
        .await
        .unwrap();
    registry.remove(1, &off).await.unwrap();
    let second = registry.make(1, config("a")).await;
    assert_ne!(second.head.id, first.head.id);
}

#[tokio::test]
async fn an_update_needs_the_newest_etag() {
    let registry = fresh().await;
    let first = registry.make(1, config("a")).await;
    let id = &first.head.id;
    let update = |etag: Option<String>| {
        let (registry, id) = (registry.clone(), id.clone());
        async move {
            registry
                .update_streaming(&author(1), &id, etag.as_deref(), config("a"))
                .await
        }
    };
    for none in [None, Some("Enone".to_owned()), Some(String::new())] {
        assert_eq!(update(none).await, Err(RegistryError::BadIfMatch));
    }
    let mut last = first.head.etag.clone();
    let mut seen = BTreeSet::from([last.clone()]);
    for _ in 0..=FORMER_MAX {
        let next = update(Some(last.clone())).await.unwrap();
        assert_eq!(next.head.former.last(), Some(&last));
        assert!(next.head.modified >= first.head.modified);
        last = next.head.etag.clone();
        assert!(seen.insert(last.clone()), "an ETag came twice");
        let earlier = next.head.former.first().cloned();
        assert_eq!(update(earlier).await, Err(RegistryError::Stale));
    }
    // The oldest is forgotten.
    let oldest = Some(first.head.etag.clone());
    assert_eq!(update(oldest).await, Err(RegistryError::BadIfMatch));
    let foreign = registry
        .update_streaming(&author(2), id, Some(&last), config("a"))
        .await;
    assert_eq!(foreign, Err(RegistryError::NotFound(Kind::Streaming)));
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_a_version_older() {
    let store = Arc::new(Memory::default());
    let made = open(&store, Rules::default())
        .await
        .make(1, config("a"))
        .await;
    let mut record = (*made).clone();
    record.head.modified = i64::MAX - 1;
    let change = crate::store::Change::Put(Box::new(Record::Streaming(record.clone())));
    store.commit(vec![change]).await.unwrap();
    let registry = open(&store, Rules::default()).await;
    let head = &record.head;
    let next = registry
        .update_streaming(&author(1), &head.id, Some(&head.etag), config("a"))
        .await
        .unwrap();
    assert_eq!(next.head.modified, i64::MAX - 1);
}

#[tokio::test]
async fn some_settings_never_change() {
    let registry = fresh().await;
    let first = registry.make(1, config("a")).await;
    let mut moved = config("a");
    moved.origin_domain = "other.s3.amazonaws.com".into();
    for wrong in [config("b"), moved] {
        let answer = registry
            .update_streaming(&author(1), &first.head.id, Some(&first.head.etag), wrong)
            .await;
        assert!(
            matches!(
                answer,
                Err(RegistryError::Fault(ConfigFault::IllegalUpdate(_)))
            ),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_flat_version_does_not_overwrite_what_a_later_one_wrote() {
    let registry = fresh().await;
    let old = Author {
        version: OLD.into(),
        ..author(1)
    };
    let first = registry
        .create_streaming(&old, config("a"), Tags::new(), Repeat::Answered)
        .await
        .unwrap();
    let id = &first.head.id;
    let second = registry
        .update_streaming(&old, id, Some(&first.head.etag), config("a"))
        .await
        .unwrap();
    let third = registry
        .update_streaming(&author(1), id, Some(&second.head.etag), config("a"))
        .await
        .unwrap();
    assert_eq!(third.written_by, NEW);
    let answer = registry
        .update_streaming(&old, id, Some(&third.head.etag), config("a"))
        .await;
    assert!(
        matches!(answer, Err(RegistryError::IllegalUpdate(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_name_belongs_to_one_distribution_of_all_accounts() {
    let rules = Rules {
        taken: HashSet::from([alias("films.example.com")]),
        ..Rules::default()
    };
    let registry = open(&Arc::default(), rules).await;
    let first = registry.make(1, named("a", "www.example.com")).await;
    let taken = |answer| matches!(answer, Err(RegistryError::AliasTaken(_)));
    assert!(taken(
        registry.try_make(2, named("b", "WWW.example.com")).await
    ));
    assert!(taken(
        registry.try_make(2, named("b", &first.domain_name)).await
    ));
    assert!(taken(
        registry.try_make(2, named("b", "films.example.com")).await
    ));
    let second = registry.make(2, named("b", "*.example.com")).await;
    let update = |n: u8, record: &Arc<StreamingRecord>, config| {
        let (registry, record) = (registry.clone(), Arc::clone(record));
        async move {
            let head = &record.head;
            registry
                .update_streaming(&author(n), &head.id, Some(&head.etag), config)
                .await
        }
    };
    assert!(taken(
        update(2, &second, named("b", "www.example.com")).await
    ));
    // Its own name stays, another comes, and the old one is free.
    let mut both = named("a", "www.example.com");
    both.aliases.push(alias("new.example.com"));
    let first = update(1, &first, both).await.unwrap();
    let first = update(1, &first, named("a", "new.example.com"))
        .await
        .unwrap();
    let second = update(2, &second, named("b", "www.example.com"))
        .await
        .unwrap();
    assert!(taken(
        update(1, &first, named("a", "www.example.com")).await
    ));
    let off = update(2, &second, disabled("b")).await.unwrap();
    registry.remove(2, &off).await.unwrap();
    update(1, &first, named("a", "www.example.com"))
        .await
        .unwrap();
}

#[tokio::test]
async fn signers_and_identities_must_be_there() {
    let rules = Rules {
        accounts: HashSet::from([account(3)]),
        ..Rules::default()
    };
    let registry = open(&Arc::default(), rules).await;
    let mut signed = config("a");
    signed.trusted_signers = vec![Signer::Owner, Signer::Account(account(3))];
    registry.make(1, signed.clone()).await;
    signed.caller_reference = "b".into();
    signed.trusted_signers = vec![Signer::Account(account(2))];
    let answer = registry.try_make(1, signed.clone()).await;
    assert_eq!(answer, Err(RegistryError::NoSigner("000000000002".into())));
    let identity = registry.identity(2, "i").await;
    let made = registry.make(1, signed).await;
    let mut reads = config("c");
    reads.origin_access_identity = Some(identity.head.id.clone());
    let foreign = registry.try_make(1, reads.clone()).await;
    let none = RegistryError::NoIdentity(identity.head.id.clone());
    assert_eq!(foreign, Err(none.clone()));
    let mut update = made.config.clone();
    update.origin_access_identity = reads.origin_access_identity.clone();
    let head = &made.head;
    let foreign = registry
        .update_streaming(&author(1), &head.id, Some(&head.etag), update)
        .await;
    assert_eq!(foreign, Err(none));
    let reader = registry.make(2, reads).await;
    let head = &identity.head;
    let owner = author(2);
    let delete = || registry.delete_identity(&owner, &head.id, Some(&head.etag));
    let used = delete().await;
    assert!(
        matches!(used, Err(RegistryError::InUse(Kind::Identity, _))),
        "{used:?}"
    );
    let off = registry
        .update_streaming(
            &author(2),
            &reader.head.id,
            Some(&reader.head.etag),
            disabled("c"),
        )
        .await
        .unwrap();
    assert_eq!(off.config.origin_access_identity, None);
    assert_eq!(delete().await, Ok(()));
    assert_eq!(delete().await, Err(RegistryError::NotFound(Kind::Identity)));
}

#[tokio::test]
async fn only_what_is_disabled_everywhere_is_deleted() {
    let registry = fresh().await;
    let first = registry.make(1, config("a")).await;
    let head = &first.head;
    assert_eq!(
        registry.remove(1, &first).await,
        Err(RegistryError::NotDisabled)
    );
    let status = registry.state().status(&first);
    assert_eq!(status, Status::Deployed);
    let off = registry
        .update_streaming(&author(1), &head.id, Some(&head.etag), disabled("a"))
        .await
        .unwrap();
    assert_eq!(registry.state().status(&off), Status::InProgress);
    let delete = |etag: Option<String>| {
        let (registry, id) = (registry.clone(), head.id.clone());
        async move {
            registry
                .delete_streaming(&author(1), &id, etag.as_deref())
                .await
        }
    };
    let newest = Some(off.head.etag.clone());
    assert_eq!(
        delete(newest.clone()).await,
        Err(RegistryError::NotDisabled)
    );
    // News of the version before are no news.
    registry.deployed(&head.id, &head.etag);
    assert_eq!(
        delete(newest.clone()).await,
        Err(RegistryError::NotDisabled)
    );
    registry.deployed(&head.id, &off.head.etag);
    assert_eq!(
        delete(Some(head.etag.clone())).await,
        Err(RegistryError::Stale)
    );
    assert_eq!(delete(None).await, Err(RegistryError::BadIfMatch));
    assert_eq!(delete(newest.clone()).await, Ok(()));
    assert_eq!(
        delete(newest).await,
        Err(RegistryError::NotFound(Kind::Streaming))
    );
    assert!(registry.state().deployed.is_empty());
}

#[tokio::test]
async fn a_deployment_is_shown_to_who_watches() {
    let registry = fresh().await;
    let record = registry.make(1, config("a")).await;
    let mut watch = registry.watch();
    watch.mark_unchanged();
    registry.deployed("Enone", "E");
    registry.deployed(&record.head.id, &record.head.etag);
    watch.changed().await.unwrap();
    assert_eq!(watch.borrow().status(&record), Status::Deployed);
    // A tag is no new version.
    registry
        .tag(&author(1), &arn(&record), tags(&[("k", "v")]))
        .await
        .unwrap();
    let state = registry.state();
    let tagged = &state.streaming[&record.head.id];
    assert_eq!(tagged.head, record.head);
    assert_eq!(tagged.tags, tags(&[("k", "v")]));
    assert_eq!(state.status(tagged), Status::Deployed);
}

#[tokio::test]
async fn tags_have_bounds() {
    let registry = fresh().await;
    let record = registry.make(1, config("a")).await;
    let name = arn(&record);
    let tag = |n: u8, name: &str, tags: Tags| {
        let (registry, name) = (registry.clone(), name.to_owned());
        async move { registry.tag(&author(n), &name, tags).await }
    };
    let long = |count| "é".repeat(count);
    for (key, value) in [
        ("", String::new()),
        ("aws:x", String::new()),
        ("AWS:", String::new()),
        (&long(129), String::new()),
        ("k", long(257)),
    ] {
        let answer = tag(1, &name, tags(&[(key, &value)])).await;
        assert!(
            matches!(answer, Err(RegistryError::Tagging(_))),
            "{key} {value}"
        );
    }
    tag(1, &name, tags(&[(&long(128), &long(256)), ("aws", "")]))
        .await
        .unwrap();
    let many =
        |from: u8, to| -> Tags { (from..to).map(|n| (n.to_string(), String::new())).collect() };
    tag(1, &name, many(0, 48)).await.unwrap();
    tag(1, &name, tags(&[("aws", "again")])).await.unwrap();
    let answer = tag(1, &name, many(48, 49)).await;
    assert!(
        matches!(answer, Err(RegistryError::Tagging(_))),
        "{answer:?}"
    );
    let keys = vec!["aws".to_owned(), "none".to_owned()];
    registry.untag(&author(1), &name, keys).await.unwrap();
    tag(1, &name, many(48, 49)).await.unwrap();
    let missing = name.replace("streaming-distribution", "distribution");
    for (n, name) in [
        (2, name.as_str()),
        (1, &missing),
        (1, "x"),
        (1, &record.head.id),
    ] {
        assert_eq!(
            tag(n, name, many(0, 1)).await,
            Err(RegistryError::NoResource)
        );
    }
    let wrong = registry
        .create_streaming(&author(1), config("b"), many(0, 51), Repeat::Refused)
        .await;
    assert!(matches!(wrong, Err(RegistryError::Tagging(_))), "{wrong:?}");
}

#[tokio::test]
async fn an_account_has_so_many_and_no_more() {
    let quotas = Quotas {
        streaming: 2,
        identities: 1,
        public_keys: 1,
        key_groups: 1,
    };
    let rules = Rules {
        quotas,
        ..Rules::default()
    };
    let registry = open(&Arc::default(), rules).await;
    registry.make(1, config("a")).await;
    let last = registry.make(1, disabled("b")).await;
    let answer = registry.try_make(1, config("c")).await;
    assert_eq!(answer, Err(RegistryError::TooMany(Kind::Streaming, 2)));
    // A repeated request makes nothing.
    let again = registry
        .create_streaming(&author(1), config("a"), Tags::new(), Repeat::Answered)
        .await;
    assert!(again.is_ok());
    registry.make(2, config("c")).await;
    registry.remove(1, &last).await.unwrap();
    registry.make(1, config("c")).await;

    registry.identity(1, "a").await;
    let config = IdentityConfig {
        caller_reference: "b".into(),
        comment: String::new(),
    };
    let answer = registry
        .create_identity(&author(1), config, Repeat::Answered)
        .await;
    assert_eq!(answer, Err(RegistryError::TooMany(Kind::Identity, 1)));
    let key = registry.key(1, "a").await.unwrap();
    let answer = registry.key(1, "b").await;
    assert_eq!(answer, Err(RegistryError::TooMany(Kind::PublicKey, 1)));
    let owner = author(1);
    let make = |name| registry.create_key_group(&owner, group(name, &[&key.head.id]));
    let first = make("a").await;
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(
        make("b").await,
        Err(RegistryError::TooMany(Kind::KeyGroup, 1))
    );
}

#[tokio::test]
async fn an_identity_changes_its_comment_only() {
    let registry = fresh().await;
    let first = registry.identity(1, "a").await;
    assert_eq!(first.canonical_user_id.len(), 64);
    let with = |reference: &str, comment: &str| IdentityConfig {
        caller_reference: reference.into(),
        comment: comment.into(),
    };
    let create = |config, repeat| {
        let registry = registry.clone();
        async move { registry.create_identity(&author(1), config, repeat).await }
    };
    let exists = |answer| matches!(answer, Err(RegistryError::Exists(Kind::Identity, _)));
    assert_eq!(
        create(with("a", " "), Repeat::Answered).await,
        Ok(first.clone())
    );
    assert!(exists(create(with("a", ""), Repeat::Refused).await));
    assert!(exists(create(with("a", "x"), Repeat::Answered).await));
    for wrong in [
        with("", ""),
        with(&"x".repeat(128), ""),
        with("b", &"x".repeat(129)),
    ] {
        let answer = create(wrong, Repeat::Answered).await;
        assert!(
            matches!(answer, Err(RegistryError::Argument(_))),
            "{answer:?}"
        );
    }
    let head = &first.head;
    let update = |config| {
        let (registry, head) = (registry.clone(), head.clone());
        async move {
            registry
                .update_identity(&author(1), &head.id, Some(&head.etag), config)
                .await
        }
    };
    let answer = update(with("b", "")).await;
    assert!(
        matches!(answer, Err(RegistryError::IllegalUpdate(_))),
        "{answer:?}"
    );
    let second = update(with("a", "x")).await.unwrap();
    assert_eq!(second.canonical_user_id, first.canonical_user_id);
    assert_eq!(update(with("a", "y")).await, Err(RegistryError::Stale));
    let foreign = registry
        .delete_identity(&author(2), &head.id, Some(&second.head.etag))
        .await;
    assert_eq!(foreign, Err(RegistryError::NotFound(Kind::Identity)));
}

#[tokio::test]
async fn a_public_key_changes_its_comment_only() {
    let registry = fresh().await;
    let key = registry.key(1, "a").await.unwrap();
    let create = |config| {
        let registry = registry.clone();
        async move { registry.create_public_key(&author(1), config).await }
    };
    for again in [key_config("a", "b"), key_config("b", "a")] {
        let answer = create(again).await;
        assert!(
            matches!(answer, Err(RegistryError::Exists(Kind::PublicKey, _))),
            "{answer:?}"
        );
    }
    let mut broken = key_config("b", "b");
    broken.encoded_key = "key".into();
    let mut talkative = key_config("b", "b");
    talkative.comment = "x".repeat(129);
    for wrong in [broken, talkative, key_config("", "b"), key_config("b", "")] {
        let answer = create(wrong).await;
        assert!(
            matches!(answer, Err(RegistryError::Argument(_))),
            "{answer:?}"
        );
    }
    let head = &key.head;
    let update = |config| {
        let (registry, head) = (registry.clone(), head.clone());
        async move {
            registry
                .update_public_key(&author(1), &head.id, Some(&head.etag), config)
                .await
        }
    };
    for wrong in [key_config("a", "b"), key_config("b", "a")] {
        assert_eq!(update(wrong).await, Err(RegistryError::Immutable));
    }
    let mut other = key_config("a", "a");
    other.encoded_key = other.encoded_key.replace('Q', "R");
    assert_eq!(update(other).await, Err(RegistryError::Immutable));
    let mut said = key_config("a", "a");
    said.comment = "x".into();
    said.encoded_key = said.encoded_key.trim().into();
    let second = update(said).await.unwrap();
    assert_eq!(second.config.comment, "x");
    // Its name is its account's only, and free when it is gone.
    registry.key(2, "a").await.unwrap();
    registry
        .delete_public_key(&author(1), &head.id, Some(&second.head.etag))
        .await
        .unwrap();
    registry.key(1, "a").await.unwrap();
}

#[tokio::test]
async fn a_key_group_has_keys_of_its_account() {
    let registry = fresh().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        ids.push(registry.key(1, name).await.unwrap().head.id.clone());
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let foreign = registry.key(2, "a").await.unwrap();
    let create = |config| {
        let registry = registry.clone();
        async move { registry.create_key_group(&author(1), config).await }
    };
    for keys in [
        &[][..],
        &ids,
        &[ids[0], ids[0]],
        &[&foreign.head.id],
        &["E"],
    ] {
        let answer = create(group("g", keys)).await;
        assert!(
            matches!(answer, Err(RegistryError::Argument(_))),
            "{keys:?}"
        );
    }
    let first = create(group("g", &ids[..5])).await.unwrap();
    let answer = create(group("g", &ids[..1])).await;
    assert!(
        matches!(answer, Err(RegistryError::Exists(Kind::KeyGroup, _))),
        "{answer:?}"
    );
    let other = create(group("h", &ids[..1])).await.unwrap();
    let update = |head: Head, config| {
        let registry = registry.clone();
        async move {
            registry
                .update_key_group(&author(1), &head.id, Some(&head.etag), config)
                .await
        }
    };
    let answer = update(other.head.clone(), group("g", &ids[..1])).await;
    assert!(
        matches!(answer, Err(RegistryError::Exists(Kind::KeyGroup, _))),
        "{answer:?}"
    );
    let first = update(first.head.clone(), group("g", &ids[1..3]))
        .await
        .unwrap();
    let keys = registry
        .state()
        .list_public_keys(&account(1), None, 100)
        .items;
    let etag_of = |id: &str| {
        keys.iter()
            .find(|key| key.head.id == id)
            .unwrap()
            .head
            .etag
            .clone()
    };
    let delete = |id: &str| {
        let (registry, id, etag) = (registry.clone(), id.to_owned(), etag_of(id));
        async move {
            registry
                .delete_public_key(&author(1), &id, Some(&etag))
                .await
        }
    };
    for used in [ids[0], ids[1]] {
        let answer = delete(used).await;
        assert!(
            matches!(answer, Err(RegistryError::InUse(Kind::PublicKey, _))),
            "{answer:?}"
        );
    }
    assert_eq!(delete(ids[3]).await, Ok(()));
    let head = &first.head;
    let answer = registry
        .delete_key_group(&author(1), &head.id, Some(&head.etag))
        .await;
    assert_eq!(answer, Ok(()));
    assert_eq!(delete(ids[1]).await, Ok(()));
}

#[tokio::test]
async fn the_oldest_two_keys_of_a_signer_count() {
    let rules = Rules {
        accounts: HashSet::from([account(3)]),
        ..Rules::default()
    };
    let registry = open(&Arc::default(), rules).await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c"] {
        let key = registry.key(2, name).await.unwrap();
        keys.push((key.head.created, key.head.id.clone()));
    }
    keys.sort();
    let mut signed = config("a");
    let signers = [
        Signer::Owner,
        Signer::Account(account(3)),
        Signer::Account(account(2)),
    ];
    signed.trusted_signers = signers.to_vec();
    let record = registry.make(1, signed).await;
    let own = registry.key(1, "a").await.unwrap().head.id.clone();
    let [one, two, three] = signers;
    let oldest = keys[..2].iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(
        registry.state().active_signers(&record),
        [(one, vec![own]), (two, vec![]), (three, oldest)]
    );
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let registry = fresh().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(
            registry
                .make(1, disabled(&n.to_string()))
                .await
                .head
                .id
                .clone(),
        );
        registry.make(2, config(&n.to_string())).await;
    }
    ids.sort();
    let list = |marker: Option<&str>, most| {
        let page = registry.state().list_streaming(&account(1), marker, most);
        let ids: Vec<String> = page.items.iter().map(|it| it.head.id.clone()).collect();
        (ids, page.next)
    };
    assert_eq!(list(None, 100), (ids.clone(), None));
    assert_eq!(list(None, 5), (ids.clone(), None));
    assert_eq!(list(None, 2), (ids[..2].to_vec(), Some(ids[1].clone())));
    assert_eq!(
        list(Some(&ids[1]), 2),
        (ids[2..4].to_vec(), Some(ids[3].clone()))
    );
    // The marker may be gone by now.
    let gone = Arc::clone(&registry.state().streaming[&ids[1]]);
    registry.remove(1, &gone).await.unwrap();
    assert_eq!(list(Some(&ids[1]), 9), (ids[2..].to_vec(), None));
    assert_eq!(list(Some("~"), 9), (vec![], None));
    let empty = registry.state().list_identities(&account(1), None, 9);
    assert!(empty.items.is_empty() && empty.next.is_none());
}

fn fixed(id: &str) -> StreamingRecord {
    StreamingRecord {
        head: Head {
            id: id.into(),
            account: AccountId::operator(),
            etag: "Efixed".into(),
            former: vec![],
            created: 0,
            modified: 0,
        },
        domain_name: "films.example.com".into(),
        config: disabled("fixed"),
        tags: Tags::new(),
        written_by: NEW.into(),
        read_only: false,
    }
}

#[tokio::test]
async fn what_stands_in_the_configuration_file_is_changed_there() {
    let store = Arc::new(Memory::default());
    let rules = Rules {
        quotas: Quotas {
            streaming: 1,
            ..Quotas::default()
        },
        ..Rules::default()
    };
    let registry = Registry::open(store.clone(), vec![fixed("films")], rules)
        .await
        .unwrap();
    let operator = author(0);
    registry.deployed("films", "Efixed");
    // It counts against no quota, but its name is taken.
    let made = registry.make(0, config("a")).await;
    let state = registry.state();
    assert_eq!(state.list_streaming(&account(0), None, 9).items.len(), 2);
    let films = &state.streaming["films"];
    assert!(films.read_only && state.status(films) == Status::Deployed);
    let taken = registry.try_make(1, named("b", "films.example.com")).await;
    assert!(
        matches!(taken, Err(RegistryError::AliasTaken(_))),
        "{taken:?}"
    );
    let answers = [
        registry
            .update_streaming(&operator, "films", Some("Efixed"), disabled("fixed"))
            .await
            .map(drop),
        registry
            .delete_streaming(&operator, "films", Some("Efixed"))
            .await,
        registry
            .tag(&operator, &arn(films), tags(&[("k", "v")]))
            .await,
    ];
    assert_eq!(answers, [const { Err(RegistryError::ReadOnly) }; 3]);
    assert_eq!(
        store.load().await.unwrap().len(),
        1,
        "it is not in the store"
    );
    drop(registry);
    let twice = Registry::open(store, vec![fixed(&made.head.id)], Rules::default()).await;
    assert!(matches!(twice, Err(StoreError::Damaged(_))), "{twice:?}");
}

#[tokio::test]
async fn who_comes_at_once_with_one_reference_gets_one_distribution() {
    let store = Arc::new(Memory::default());
    let registry = open(&store, Rules::default()).await;
    let author = author(1);
    let create = |_| registry.create_streaming(&author, config("a"), Tags::new(), Repeat::Answered);
    let answers = join_all((0..200).map(create)).await;
    let ids: BTreeSet<String> = answers
        .into_iter()
        .map(|answer| answer.unwrap().head.id.clone())
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(registry.state().streaming.len(), 1);
    assert_eq!(store.commits(), 1);
    // Many different ones share the writing.
    let create = |n: usize| {
        let config = config(&n.to_string());
        registry.create_streaming(&author, config, Tags::new(), Repeat::Refused)
    };
    let answers = join_all((0..99).map(create)).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(store.commits() < 10, "{} writes", store.commits());
}

#[tokio::test]
async fn what_cannot_be_kept_did_not_happen() {
    let store = Arc::new(Memory::default());
    let registry = open(&store, Rules::default()).await;
    let first = registry.make(1, named("a", "a.example.com")).await;
    registry.deployed(&first.head.id, &first.head.etag);
    store.fail(true);
    let author = author(1);
    let (one, two, refused) = tokio::join!(
        registry.try_make(1, named("b", "b.example.com")),
        registry.update_streaming(
            &author,
            &first.head.id,
            Some(&first.head.etag),
            named("a", "c.example.com")
        ),
        registry.try_make(2, named("c", "c.example.com")),
    );
    for answer in [one, two, refused] {
        assert!(matches!(answer, Err(RegistryError::Store(_))), "{answer:?}");
    }
    let state = registry.state();
    assert_eq!(state.streaming.len(), 1);
    assert_eq!(state.streaming[&first.head.id], first);
    assert_eq!(state.status(&first), Status::Deployed);
    store.fail(false);
    // Nothing is left of the failed ones: names, references and ETags are as before.
    registry.make(1, named("b", "b.example.com")).await;
    registry.make(2, named("c", "c.example.com")).await;
    registry
        .update_streaming(&author, &first.head.id, Some(&first.head.etag), config("a"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_request_that_was_taken_is_made_even_if_nobody_waits() {
    let store = Arc::new(Memory::default());
    let registry = open(&store, Rules::default()).await;
    let author = author(1);
    {
        let create = registry.create_streaming(&author, config("a"), Tags::new(), Repeat::Refused);
        let mut create = std::pin::pin!(create);
        // Far enough to be in the mail.
        assert!(futures_util::poll!(create.as_mut()).is_pending());
    }
    registry.make(1, config("b")).await;
    assert_eq!(registry.state().streaming.len(), 2);
}

#[tokio::test]
async fn a_rule_that_panics_takes_only_its_request_along() {
    let registry = fresh().await;
    let panics = registry.change::<()>(|_| panic!("a fault of ours"));
    let (lost, made) = tokio::join!(panics, registry.try_make(1, config("a")));
    assert!(matches!(lost, Err(RegistryError::Store(_))), "{lost:?}");
    assert!(made.is_ok());
    registry.make(1, config("b")).await;
}

/// Something that somebody does. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Create {
        account: u8,
        reference: u8,
        names: Vec<u8>,
        enabled: bool,
        repeat: bool,
    },
    Update {
        account: u8,
        which: u8,
        names: Vec<u8>,
        enabled: bool,
        stale: bool,
    },
    Deploy(u8),
    Delete {
        account: u8,
        which: u8,
    },
    Tag {
        account: u8,
        which: u8,
        key: u8,
    },
    Identity {
        account: u8,
        reference: u8,
    },
    Fail(bool),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let names = || proptest::collection::vec(0_u8..6, 0..3);
    let step = prop_oneof![
        4 => (0_u8..3, 0_u8..8, names(), any::<bool>(), any::<bool>()).prop_map(
            |(account, reference, names, enabled, repeat)| Step::Create {
                account, reference, names, enabled, repeat
            }
        ),
        4 => (0_u8..3, any::<u8>(), names(), any::<bool>(), proptest::bool::weighted(0.1)).prop_map(
            |(account, which, names, enabled, stale)| Step::Update {
                account, which, names, enabled, stale
            }
        ),
        3 => any::<u8>().prop_map(Step::Deploy),
        3 => (0_u8..3, any::<u8>()).prop_map(|(account, which)| Step::Delete { account, which }),
        1 => (0_u8..3, any::<u8>(), 0_u8..4)
            .prop_map(|(account, which, key)| Step::Tag { account, which, key }),
        1 => (0_u8..3, 0_u8..8)
            .prop_map(|(account, reference)| Step::Identity { account, reference }),
        1 => proptest::bool::weighted(0.3).prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

fn drawn(reference: &str, names: &[u8], enabled: bool) -> StreamingConfig {
    let names: BTreeSet<&u8> = names.iter().collect();
    StreamingConfig {
        aliases: names
            .iter()
            .map(|n| alias(&format!("n{n}.example.com")))
            .collect(),
        enabled,
        ..config(reference)
    }
}

fn quota() -> Rules {
    Rules {
        quotas: Quotas {
            streaming: 4,
            identities: 3,
            ..Quotas::default()
        },
        ..Rules::default()
    }
}

/// What an answer does not tell: which ETags ever were.
#[derive(Default)]
struct Seen {
    etags: HashSet<String>,
    ids: HashSet<String>,
}

async fn take(step: &Step, registry: &Registry, seen: &mut Seen) {
    let state = registry.state();
    let pick = |which: u8| {
        let count = state.streaming.len().max(1);
        state
            .streaming
            .values()
            .nth(usize::from(which) % count)
            .cloned()
    };
    match step.clone() {
        Step::Create {
            account,
            reference,
            names,
            enabled,
            repeat,
        } => {
            let repeat = if repeat {
                Repeat::Answered
            } else {
                Repeat::Refused
            };
            let config = drawn(&reference.to_string(), &names, enabled);
            let made = registry
                .create_streaming(&author(account), config, Tags::new(), repeat)
                .await;
            let before = |id: &String| state.streaming.contains_key(id);
            if let Ok(record) = made.as_ref()
                && !before(&record.head.id)
            {
                assert!(seen.ids.insert(record.head.id.clone()), "an id came twice");
                assert!(
                    seen.etags.insert(record.head.etag.clone()),
                    "an ETag came twice"
                );
            }
        }
        Step::Update {
            account,
            which,
            names,
            enabled,
            stale,
        } => {
            let Some(old) = pick(which) else { return };
            let etag = if stale {
                old.head.former.first()
            } else {
                Some(&old.head.etag)
            };
            let config = drawn(&old.config.caller_reference, &names, enabled);
            let answer = registry
                .update_streaming(
                    &author(account),
                    &old.head.id,
                    etag.map(String::as_str),
                    config,
                )
                .await;
            if let Ok(record) = answer {
                assert!(!stale && old.head.account == self::account(account));
                assert!(
                    seen.etags.insert(record.head.etag.clone()),
                    "an ETag came twice"
                );
                assert_eq!(registry.state().status(&record), Status::InProgress);
            }
        }
        Step::Deploy(which) => {
            let Some(record) = pick(which) else { return };
            registry.deployed(&record.head.id, &record.head.etag);
        }
        Step::Delete { account, which } => {
            let Some(old) = pick(which) else { return };
            let answer = registry
                .delete_streaming(&author(account), &old.head.id, Some(&old.head.etag))
                .await;
            let gone = !registry.state().streaming.contains_key(&old.head.id);
            assert_eq!(gone, answer.is_ok());
            assert!(!gone || !old.config.enabled && old.head.account == self::account(account));
        }
        Step::Tag {
            account,
            which,
            key,
        } => {
            let Some(record) = pick(which) else { return };
            let pair = tags(&[(&key.to_string(), "")]);
            let _ = registry.tag(&author(account), &arn(&record), pair).await;
        }
        Step::Identity { account, reference } => {
            let config = IdentityConfig {
                caller_reference: reference.to_string(),
                comment: String::new(),
            };
            let _ = registry
                .create_identity(&author(account), config, Repeat::Refused)
                .await;
        }
        Step::Fail(_) | Step::Restart => {}
    }
}

/// What always holds.
fn check(state: &State) {
    let mut names = HashSet::new();
    let mut references = HashSet::new();
    for record in state.streaming.values() {
        let own = alias(&record.domain_name);
        for name in record.config.aliases.iter().chain([&own]) {
            assert!(names.insert(name.clone()), "{name} belongs to two");
        }
        let reference = (&record.head.account, &record.config.caller_reference);
        assert!(references.insert(reference), "{reference:?} twice");
        assert!(record.head.created <= record.head.modified);
    }
    for n in 0..3 {
        assert!(state.list_streaming(&account(n), None, 100).items.len() <= 4);
        assert!(state.list_identities(&account(n), None, 100).items.len() <= 3);
    }
}

async fn run(steps: Vec<Step>) {
    let store = Arc::new(Memory::default());
    let mut registry = open(&store, quota()).await;
    let mut seen = Seen::default();
    for step in steps {
        take(&step, &registry, &mut seen).await;
        let state = registry.state();
        check(&state);
        match step {
            Step::Fail(failing) => store.fail(failing),
            Step::Restart => {
                drop(registry);
                registry = open(&store, quota()).await;
                assert!(registry.state().deployed.is_empty());
            }
            _ => {}
        }
        let now = registry.state();
        assert_eq!(now.streaming, state.streaming);
        assert_eq!(now.identities, state.identities);
        // What is shown is what is kept.
        let kept = store.load().await.unwrap();
        assert_eq!(kept.len(), state.streaming.len() + state.identities.len());
        for record in kept {
            match record {
                Record::Streaming(record) => assert_eq!(*state.streaming[&record.head.id], record),
                Record::Identity(record) => assert_eq!(*state.identities[&record.head.id], record),
                _ => panic!("nobody made it"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_accounts_do_the_rules_hold(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
