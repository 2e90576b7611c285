//! What is shown, what is kept, and who is answered what.

use super::*;

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

fn distributions(distributions: Vec<StreamingRecord>) -> Fixed {
    Fixed {
        distributions,
        ..Fixed::default()
    }
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
    let registry = Registry::open(store.clone(), distributions(vec![fixed("films")]), rules)
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
    let twice = Registry::open(
        store,
        distributions(vec![fixed(&made.head.id)]),
        Rules::default(),
    )
    .await;
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
