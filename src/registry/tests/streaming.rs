//! Streaming distributions: one test a rule.

use super::*;

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
async fn names_below_the_servers_own_are_given_by_the_server() {
    let registry = fresh().await;
    for name in [
        "streamfront.localhost",
        "*.streamfront.localhost",
        "films.streamfront.localhost",
        "*.a.streamfront.localhost",
    ] {
        let error = registry.try_make(1, named("a", name)).await.unwrap_err();
        assert!(matches!(error, RegistryError::Argument(_)), "{name}");
    }
    registry
        .make(1, named("a", "notstreamfront.localhost"))
        .await;
}

#[tokio::test]
async fn a_wildcard_over_the_servers_own_names_is_the_operators() {
    let registry = fresh().await;
    let refused = registry.try_make(1, named("a", "*.localhost")).await;
    assert!(matches!(refused, Err(RegistryError::Argument(_))));
    registry.make(1, named("b", "*.example.localhost")).await;
    registry.make(0, named("c", "*.localhost")).await;
}

/// The operator chose another suffix since.
#[tokio::test]
async fn a_name_that_came_below_the_suffix_is_kept() {
    let store = Arc::new(Memory::default());
    let with = |suffix: &str| Rules {
        domain_suffix: suffix.to_owned(),
        ..Rules::default()
    };
    let registry = open(&store, with("a.example.com")).await;
    let made = registry.make(1, named("r", "films.b.example.com")).await;
    drop(registry);
    let registry = open(&store, with("b.example.com")).await;
    let again = named("r", "films.b.example.com");
    let updated = registry
        .update_streaming(&author(1), &made.head.id, Some(&made.head.etag), again)
        .await
        .unwrap();
    assert_eq!(updated.config.aliases, made.config.aliases);
}

#[tokio::test]
async fn without_the_server_of_its_origin_it_can_be_changed_but_not_made() {
    let store = Arc::new(Memory::default());
    let with = |suffix: &str| Rules {
        suffixes: vec![suffix.to_owned()],
        ..Rules::default()
    };
    let here = |enabled| StreamingConfig {
        origin_domain: "media.s3.example.com".into(),
        enabled,
        ..config("r")
    };
    let made = open(&store, with("s3.example.com"))
        .await
        .make(1, here(true))
        .await;
    let registry = open(&store, with("other.example.com")).await;
    let off = registry
        .update_streaming(
            &author(1),
            &made.head.id,
            Some(&made.head.etag),
            here(false),
        )
        .await
        .unwrap();
    registry.remove(1, &off).await.unwrap();
    let fault = registry.try_make(1, here(true)).await.unwrap_err();
    assert!(matches!(
        fault,
        RegistryError::Fault(ConfigFault::Origin(_))
    ));
}
