//! Identities, public keys, key groups, tags, quotas: one test a rule.

use super::*;

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
    let mut counting: Vec<_> = keys[..2].iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(
        registry.state().active_signers(&record),
        [
            (one.clone(), vec![own.clone()]),
            (two.clone(), vec![]),
            (three.clone(), counting.clone())
        ]
    );
    // What is in a key group counts too, however many there are.
    let group = KeyGroupConfig {
        name: "g".into(),
        keys: vec![keys[2].1.clone(), keys[0].1.clone()],
        comment: String::new(),
    };
    registry.create_key_group(&author(2), group).await.unwrap();
    counting.push(keys[2].1.clone());
    assert_eq!(
        registry.state().active_signers(&record),
        [(one, vec![own]), (two, vec![]), (three, counting)]
    );
}

#[tokio::test]
async fn keys_of_the_configuration_file_are_shown_beside_those_of_their_account() {
    let store: Arc<Memory> = Arc::default();
    let mut keys = FixedKeys::new();
    for (number, id) in [(1, "KFILE"), (1, "KMORE"), (2, "KTENANT"), (3, "KNOBODY")] {
        keys.entry(account(number)).or_default().insert(id.into());
    }
    let fixed = Fixed {
        keys,
        ..Fixed::default()
    };
    let rules = Rules {
        accounts: HashSet::from([account(2)]),
        ..Rules::default()
    };
    let registry = Registry::open(store.clone(), fixed, rules).await.unwrap();
    let own = registry.key(1, "a").await.unwrap().head.id.clone();
    let signers = [Signer::Owner, Signer::Account(account(2))];
    let mut signed = config("a");
    signed.trusted_signers = signers.to_vec();
    let record = registry.make(1, signed).await;
    let [one, two] = signers;
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let expected = [
        (one, ids(&[&own, "KFILE", "KMORE"])),
        (two, ids(&["KTENANT"])),
    ];
    assert_eq!(registry.state().active_signers(&record), expected);
    // After a commit that failed, too.
    store.fail(true);
    assert!(registry.key(1, "b").await.is_err());
    store.fail(false);
    assert_eq!(registry.state().active_signers(&record), expected);
    registry.key(4, "other").await.unwrap();
    assert_eq!(registry.state().active_signers(&record), expected);
}
